"""Does what the accelerator must do with a memory image, command by command, in NumPy.

It knows the program's format (hw.arch.program) and what hardware promises, and nothing of networks or layers, so that a
compiled network is proven against the model before any RTL runs. It also enforces what the format demands: the order of
loads and runs, that on-chip words are loaded before they are read, and that no sum leaves its register's width. What
the sequencer refuses by itself is refused here first, by the same rules (hw.arch.rules).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...hw.arch.program import (
    COMMAND_BYTES,
    LOOPS,
    SEGMENT,
    SEGMENT_BYTES,
    SOURCES,
    Error,
    unpack_fields,
)
from ...hw.arch.rules import ProgramRules, decode
from .arithmetic import check_width, fire, gather, line_bytes, pool_levels, sum_rows
from .errors import ProgramError
from .trace import RunTrace

Observer = Callable[[RunTrace], None]


class Interpreter:
    """Executes a program on a memory.

    Parameters
    ----------
    image : MemoryImage
        Gives program and configuration; its feature maps and layers only name what is executed.
    memory : uint8[size]
        The bytes ``base .. base+size-1`` (MemoryImage.initial_memory), which are changed in place.
    observer : called with the RunTrace of every RUN
    """

    def __init__(self, image: MemoryImage, memory: np.ndarray, observer: Observer | None = None) -> None:
        c = image.config
        self.image, self.config, self.memory, self.observer = image, c, memory, observer
        self.bits = np.zeros(c.feature_words * c.feature_bits, np.uint8)  # the feature buffer, bit by bit
        self.loaded = np.zeros(c.feature_words, bool)
        self.segments: list[dict[str, int] | None] = [None] * c.segments
        self.parameters = np.zeros((c.groups * c.neuron_lanes, 4), np.int64)
        self.used = np.zeros(c.feature_words, np.uint8)  # words that the last RUN reads
        self.used_segments = range(0)
        self.written: list[tuple[int, int]] = []  # memory written by runs since the last BARRIER
        self.read_by: Counter[int] = Counter()  # bytes that each command (by its index) moves, those of itself included
        self.written_by: Counter[int] = Counter()
        self._slot = self._base_slot = 0
        self._held: int | None = None  # address of the weights that the last RUN holds
        self._at = 0
        self._rules = ProgramRules(c)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, the program's among them."""
        return self.read_by.total()

    @property
    def bytes_written(self) -> int:
        """Bytes written so far."""
        return self.written_by.total()

    def _require(self, ok: bool, rule: str, value: object) -> None:
        if not ok:
            raise ProgramError(f"command {self._at}: {rule}, not {value}")

    def run(self) -> np.ndarray:
        """Execute the program up to END and return the memory.

        Raises
        ------
        ProgramError
            The program breaks its contract; WidthExceeded, if a sum leaves its register's width.
        """
        for index, opcode, fields in self.commands():
            broken = self._rules.violations(opcode, fields)
            if broken:
                raise ProgramError.refused(index, Error.FIELD, broken[0])
            getattr(self, "_" + opcode.lower())(fields)
        return self.memory

    def commands(self) -> Iterator[tuple[int, str, dict[str, int]]]:
        """Yield (index, opcode, fields) up to END, each read from the memory when the program gets there."""
        address = self.image.program
        for index in range(1 << 20):
            self._at = index
            data = self._read(address + index * COMMAND_BYTES, COMMAND_BYTES).tobytes()
            try:
                opcode, fields = decode(data)
            except ValueError as error:
                raise ProgramError.refused(index, Error.COMMAND, str(error)) from None
            yield index, opcode, fields
            if opcode == "END":
                return

    # Memory

    def _read(self, address: int, count: int) -> np.ndarray:
        at = address - self.image.base
        self._require(0 <= at and at + count <= len(self.memory), "a read must stay in the memory", hex(address))
        bus = self.config.bus_bits // 8
        self.read_by[self._at] += -(-count // bus) * bus  # whole bus words are read
        return self.memory[at : at + count]

    def _write(self, address: int, data: np.ndarray) -> None:
        at = address - self.image.base
        self._require(
            len(self.image.data) <= at and at + len(data) <= len(self.memory),
            "a run must write into feature maps only",
            hex(address),
        )
        self.memory[at : at + len(data)] = data
        self.written_by[self._at] += len(data)
        self.written.append((address, address + len(data)))

    # Commands

    def _end(self, fields: dict[str, int]) -> None:
        pass

    def _barrier(self, fields: dict[str, int]) -> None:
        self.used[:] = 0
        self.used_segments = range(0)
        self.written.clear()

    def _load_features(self, f: dict[str, int]) -> None:
        c = self.config
        bus_words, word = c.bus_bits // c.feature_bits, c.feature_bits // 8
        aligned = f["target"] % bus_words == 0 and f["target_stride"] % bus_words == 0
        self._require(aligned, "targets must be whole bus words", (f["target"], f["target_stride"]))
        for n in range(f["chunks"]):
            source = f["source"] + n * f["stride"]
            first, count = f["target"] + n * f["target_stride"], f["bytes"] // word
            self._require(first + count <= c.feature_words, "targets must stay in the feature buffer", first + count)
            busy = any(low < source + f["bytes"] and source < high for low, high in self.written)
            self._require(not busy, "what is loaded must be written before a BARRIER", hex(source))
            words = slice(first, first + count)
            self._require(not self.used[words].any(), "targets must not be in use by the RUN before", (first, count))
            data = np.unpackbits(self._read(source, f["bytes"]), bitorder="little")
            self.bits[first * c.feature_bits : (first + count) * c.feature_bits] = data
            self.loaded[words] = True

    def _load_segments(self, f: dict[str, int]) -> None:
        target = range(f["target"], f["target"] + f["count"])
        self._require(f["target"] % (self.config.bus_bits // 64) == 0, "the target must be a bus word", f["target"])
        busy = self.used_segments
        free = target.stop <= busy.start or busy.stop <= target.start
        self._require(free, "segments must not be in use by the RUN before", target)
        data = self._read(f["source"], f["count"] * SEGMENT_BYTES).tobytes()
        for n, index in enumerate(target):
            self.segments[index] = unpack_fields(SEGMENT, data[n * SEGMENT_BYTES : (n + 1) * SEGMENT_BYTES])

    def _load_params(self, f: dict[str, int]) -> None:
        channels = f["groups"] * self.config.neuron_lanes
        table = self._read(f["source"], channels * 16).copy().view("<i4").reshape(channels, 4)
        self.parameters[:channels] = table

    def _run(self, f: dict[str, int]) -> None:
        c = self.config
        rows = (f["m_tiles"] - 1) * f["rows"] + f["rows_last"]
        per_position = f["timesteps"] * f["planes"]
        positions = f["images"] * f["out_lines"] * f["out_width"] * f["pool"] ** 2
        self._require(f["rows"] % per_position == 0, "m tiles must hold whole positions", f["rows"])
        self._require(rows == positions * per_position, f"rows must be {positions * per_position}", rows)
        starts = np.append(np.arange(f["m_tiles"]) * f["rows"], rows).astype(np.int64)
        table, tiles = self._segments_of(f)
        packed = self._rows(f, rows, table, tiles)
        weights = self._weights(f)
        psums, low, high, tile_low, tile_high = sum_rows(packed, weights)
        check_width(self._at, "tile result", tile_low, tile_high, c.result_bits)
        check_width(self._at, "partial sum", low, high, c.psum_bits)
        table = self.parameters[: f["groups"] * c.neuron_lanes]
        levels, potentials = fire(self._at, psums[:, : len(table)], table, f, c.membrane_bits)
        self._output(f, levels, potentials)
        if self.observer:
            self.observer(
                RunTrace(
                    config=c,
                    command=self._at,
                    layer=next((e.name for e in self.image.layers if e.first <= self._at < e.last), ""),
                    fields=f,
                    packed=packed,
                    starts=starts,
                    segments=np.bincount(tiles, minlength=f["k_tiles"]),
                    weights=weights,
                    parameters=table.copy(),
                    psums=psums,
                    levels=levels,
                    potentials=potentials,
                    first_slot=self._base_slot,
                )
            )

    # Parts of a RUN

    def _segments_of(self, f: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return int64[segments, 6] (address, bit, ky, length, shift, source), and the K tile of each segment."""
        table, tiles, k, index = [], [], 0, f["segment_first"]
        while k < f["k_tiles"]:
            self._require(index < self.config.segments, "segments must stay in the table", index)
            s = self.segments[index]
            self._require(s is not None, "segments must have been loaded", index)
            assert s is not None
            fits = 1 <= s["length"] and s["shift"] + s["length"] <= self.config.tile_k
            self._require(fits, "a segment must fit the tile", s)
            table.append([s[n] for n in ("address", "bit", "ky", "length", "shift", "source")])
            tiles.append(k)
            k += s["last"]
            index += 1
        self.used_segments = range(f["segment_first"], index)
        return np.array(table, np.int64), np.array(tiles, np.int64)

    def _places(self, f: dict[str, int], rows: int) -> np.ndarray:
        """Step through the loops and return int64[rows, sources, 3]: line address, x bit and y of every row."""
        start = [[f[f"row_{what}{s}"] for what in ("address", "x", "y")] for s in range(SOURCES)]
        deltas = [
            [[f[f"loop{n}_{what}{s}"] for what in ("address", "x", "y")] for s in range(SOURCES)] for n in range(LOOPS)
        ]
        number = np.arange(1, rows)
        outer, size = np.zeros(rows - 1, np.int64), 1
        for n in range(LOOPS):  # find the outermost loop that steps before a row: all inside it have come round
            outer[number % size == 0] = n
            size *= f[f"loop{n}_count"]
        self._require(size == rows, "the loops must give as many rows as the m tiles hold", (size, rows))
        steps = np.concatenate([np.array([start]), np.array(deltas)[outer]]) if rows > 1 else np.array([start])
        places = np.cumsum(steps, axis=0)
        places[..., 0] %= 1 << 16
        farthest = int(np.abs(places[..., 1:]).max())
        self._require(farthest < 1 << 15, "x and y of a row must fit signed 16 bits", farthest)
        return places

    def _rows(self, f: dict[str, int], rows: int, table: np.ndarray, tiles: np.ndarray) -> np.ndarray:
        """Return the rows uint64[rows, k_tiles], by the segment table, and remember which words they read."""
        lines = np.array([[f[f"line_bits{s}"], f[f"lines{s}"]] for s in range(SOURCES)], np.int64)
        used = np.zeros(self.config.feature_words, np.uint8)
        packed = np.zeros((rows, f["k_tiles"]), np.uint64)
        places = self._places(f, rows)
        inside = gather(self.bits, self.config.feature_bits, places, table, tiles, lines, packed, used)
        self._require(inside, "rows must stay in the feature buffer", "beyond its end")
        missing = np.flatnonzero(used.astype(bool) & ~self.loaded)
        self._require(missing.size == 0, "words that a RUN reads must have been loaded", missing[:4])
        self.used = used
        return packed

    def _weights(self, f: dict[str, int]) -> np.ndarray:
        """Return the weights int8[k_tiles, tile_k, lanes], and take the weight slots that the run takes."""
        c, k_tiles = self.config, f["k_tiles"]
        if f["weights_ready"]:
            self._require(self._held == f["weights"], "weights must be held by the RUN before", hex(f["weights"]))
        else:
            self._base_slot = self._slot
        self._held = f["weights"] if f["weights_keep"] and f["weights_hold"] else None
        fetches = 0 if f["weights_ready"] else 1 if f["weights_keep"] else f["m_tiles"]
        fetched = k_tiles if f["weights_keep"] else k_tiles * f["m_tiles"]
        self._slot = (self._base_slot + fetched) % c.weight_tiles
        row = f["weight_beats"] * c.bus_bits // 8
        data = self._read(f["weights"], k_tiles * c.tile_k * row).view(np.int8)
        self.read_by[self._at] += (fetches - 1) * len(data)
        data = data.reshape(k_tiles, c.tile_k, row)[..., : c.lanes]
        weights = np.zeros((k_tiles, c.tile_k, c.lanes), np.int8)
        weights[..., : data.shape[2]] = data
        half = 1 << (c.weight_bits - 1)
        self._require(weights.min() >= -half and weights.max() < half, "weights must fit their bits", weights.min())
        return weights

    def _output(self, f: dict[str, int], levels: np.ndarray, potentials: np.ndarray) -> None:
        """Pool, encode, pack and write the lines of a run."""
        shape = (f["images"], f["out_lines"], f["out_width"], f["timesteps"])
        if f["readout"]:
            self._require(f["pool"] == 1, "a readout must not pool", f["pool"])
            values = potentials[..., : f["channels"]].reshape(*shape, f["channels"])
        else:
            values = pool_levels(levels, f["pool"])[..., : f["channels"]].reshape(*shape, f["channels"])
        lines = line_bytes(values, f, self.config.bus_bits)  # images, lines, q, bytes
        for image in range(lines.shape[0]):
            for y in range(lines.shape[1]):
                for q in range(lines.shape[2]):
                    offset = image * f["image_stride"] + (y * lines.shape[2] + q) * f["line_bytes"]
                    self._write(f["output"] + offset, lines[image, y, q])


def interpret(image: MemoryImage, images: np.ndarray, *, observer: Observer | None = None, fill: int = 0) -> np.ndarray:
    """Run a compiled network on images, as MemoryImage.pack_input takes them, and return the memory afterwards.

    Memory that nobody has written holds ``fill`` at the start.
    """
    return Interpreter(image, image.initial_memory(images, fill), observer).run()
