"""Does what the accelerator must do with a memory image, command by command, in NumPy.

It knows the program's format (hw.arch.program) and what hardware promises, and nothing of networks or layers, so that a
compiled network is proven against the model before any RTL runs. What the accelerator refuses is refused here with the
same error code, by the same rules (hw.arch.rules). It also enforces the rules of order, which hardware leaves to the
compiler, and that no sum leaves its register's width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...hw.arch.memory_image import MemoryImage, Windows
from ...hw.arch.program import (
    COMMAND_BYTES,
    PARAM_BYTES,
    PARAMETERS,
    SEGMENT,
    SEGMENT_BYTES,
    SOURCES,
    Error,
    Wait,
    unpack_fields,
)
from ...hw.arch.rules import ProgramRules, data_violations, decode, violations
from .arithmetic import (
    addend,
    check_width,
    combine_planes,
    fire,
    gather,
    output_bytes,
    places,
    pool_levels,
    sum_rows,
    wrap,
)
from .errors import OrderBroken, ProgramError
from .joins import joined
from .memory import Memory
from .order import chunks, overtaken
from .trace import RunTrace
from .weights import Weights, rows_fetched

Observer = Callable[[RunTrace], None]

MOST_COMMANDS = 1 << 20
"""The most commands of a program that are executed."""


class Interpreter:
    """Executes a program on a memory.

    Parameters
    ----------
    image : MemoryImage
        Gives program and configuration; its feature maps and layers only name what is executed.
    memory : uint8[size]
        The bytes ``base .. base+size-1`` (MemoryImage.initial_memory), which are changed in place.
    observer : called with the RunTrace of every RUN
    windows : where the host lets the accelerator read and write; by default the image's
    strict : whether a sum that leaves its register's width is an error. The compiler proves that none does. In hardware
        a sum that does all the same wraps, and so it does here without ``strict``.
    """

    def __init__(
        self,
        image: MemoryImage,
        memory: np.ndarray,
        observer: Observer | None = None,
        *,
        windows: Windows | None = None,
        strict: bool = True,
    ) -> None:
        c = image.config
        self.image, self.config, self.observer, self.strict = image, c, observer, strict
        self.memory = Memory(image, memory, windows or image.windows)
        self.bits = np.zeros(c.feature_words * c.feature_bits, np.uint8)  # the feature buffer, bit by bit
        self.loaded = np.zeros(c.feature_words, bool)
        self.segments: list[dict[str, int] | None] = [None] * c.segments
        self.parameters = np.zeros((c.groups * c.neuron_lanes, len(PARAMETERS)), np.int64)
        self.used = np.zeros(c.feature_words, np.uint8)  # words that the last RUN reads
        self.used_segments = range(0)
        self._groups = 0  # for which parameters are loaded
        self._line = np.zeros((0, 0, 0), np.uint8)  # the last one before the pool of the last RUN whose windows overlap
        self._weights, self._at = Weights(c, self.memory), 0
        self._rules = ProgramRules(c)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, the program's among them."""
        return self.memory.read_by.total()

    @property
    def bytes_written(self) -> int:
        """Bytes written so far."""
        return self.memory.written_by.total()

    def _require(self, ok: bool, code: Error, rule: str, value: object) -> None:
        if not ok:
            raise ProgramError.refused(self._at, code, f"{rule}, not {value}")

    def _in_order(self, ok: bool, rule: str, value: object) -> None:
        if not ok:
            raise OrderBroken.named(self._at, rule, value)

    def run(self) -> np.ndarray:
        """Execute the program up to END and return the memory.

        Raises
        ------
        ProgramError
            The program breaks its contract; OrderBroken, if it is a rule of order.
        WidthExceeded
            A sum leaves its register's width, and the interpreter is strict.
        """
        program, word = self.image.program, self.config.bus_bits // 8
        self._require(program % word == 0, Error.START, f"the program must be at a multiple of {word}", program)
        for index, opcode, fields in self.commands():
            broken = self._rules.violations(opcode, fields)
            if broken:
                raise ProgramError.refused(index, Error.FIELD, broken[0])
            getattr(self, "_" + opcode.lower())(fields)
        return self.memory.data

    def commands(self) -> Iterator[tuple[int, str, dict[str, int]]]:
        """Yield (index, opcode, fields) up to END, each read from the memory when the program gets there."""
        for index in range(MOST_COMMANDS):
            self._at = index
            opcode, fields = self._command(index)
            yield index, opcode, fields
            if opcode == "END":
                return

    def _command(self, index: int) -> tuple[str, dict[str, int]]:
        address = self.image.program + index * COMMAND_BYTES
        try:
            raw = self.memory.read(self._at, address, COMMAND_BYTES, early=True)
            return decode(self.config, raw.tobytes())
        except ValueError as error:
            raise ProgramError.refused(index, Error.COMMAND, str(error)) from None

    def _read(self, address: int, count: int) -> np.ndarray:
        return self.memory.read(self._at, address, count)

    def _end(self, fields: dict[str, int]) -> None:
        pass

    def _barrier(self, fields: dict[str, int]) -> None:
        self.used[:], self.used_segments = 0, range(0)
        self.memory.barrier()

    def _wait(self, wait: Wait) -> None:
        self.memory.wait(wait)
        if wait is Wait.ALL:
            self.used[:], self.used_segments = 0, range(0)

    def _load_features(self, f: dict[str, int]) -> None:
        c = self.config
        self._wait(Wait(f["wait"]))
        for n, words in enumerate(chunks(self.config, f)):
            self._in_order(not self.used[words].any(), "features", (words.start, words.stop - words.start))
            data = np.unpackbits(self._read(f["source"] + n * f["stride"], f["bytes"]), bitorder="little")
            self.bits[words.start * c.feature_bits : words.stop * c.feature_bits] = data
            self.loaded[words] = True

    def _load_segments(self, f: dict[str, int]) -> None:
        target, busy = range(f["target"], f["target"] + f["count"]), self.used_segments
        self._in_order(target.stop <= busy.start or busy.stop <= target.start, "segments", target)
        data = self._read(f["source"], f["count"] * SEGMENT_BYTES).tobytes()
        for n, index in enumerate(target):
            raw = data[n * SEGMENT_BYTES : (n + 1) * SEGMENT_BYTES]
            self._data("segment", f"segment {index}", raw)
            self.segments[index] = unpack_fields(SEGMENT, raw)

    def _load_params(self, f: dict[str, int]) -> None:
        channels = f["groups"] * self.config.neuron_lanes
        data = self._read(f["source"], channels * PARAM_BYTES)
        for n in range(channels):
            self._data("parameters", f"channel {n}", data[n * PARAM_BYTES : (n + 1) * PARAM_BYTES].tobytes())
        self.parameters[:channels] = np.frombuffer(data.tobytes(), "<i4").reshape(channels, len(PARAMETERS))
        self._groups = max(self._groups, f["groups"])

    def _data(self, kind: str, what: str, raw: bytes) -> None:
        broken = data_violations(self.config, kind, raw)
        if broken:
            raise ProgramError.refused(self._at, Error.DATA, f"{what}: {broken[0]}")

    def _run(self, f: dict[str, int]) -> None:
        try:
            self._execute(f)
        except ProgramError as error:
            if error.missing:
                self._in_order(not overtaken(self.config, *error.missing, self._loads_behind()), *error.missing)
            raise

    def _loads_behind(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Yield the loads that may begin while this command works: up to another command, or one that waits for it."""
        for index in range(self._at + 1, MOST_COMMANDS):
            try:
                opcode, fields = self._command(index)
            except ProgramError:
                return
            if not opcode.startswith("LOAD") or violations(self.config, opcode, fields):
                return
            if fields.get("wait") == Wait.ALL:
                return
            yield opcode, fields

    def _execute(self, f: dict[str, int]) -> None:
        c = self.config
        self._weights.require_window(self._at, f)
        self._require(f["groups"] <= self._groups, Error.UNLOADED, "parameters must have been loaded", f["groups"])
        rows = (f["m_tiles"] - 1) * f["rows"] + f["rows_last"]
        starts = np.append(np.arange(f["m_tiles"]) * f["rows"], rows).astype(np.int64)
        table, tiles = self._segments_of(f)
        packed = self._rows(f, rows, table, tiles)
        weight_rows = rows_fetched(f, packed, starts)
        weights = self._weights.take(self._at, f, weight_rows)
        self.memory.run()
        psums, low, high = sum_rows(packed, weights)
        channels = self.parameters[: f["groups"] * c.neuron_lanes]
        if self.strict:
            check_width(self._at, "partial sum", low, high, c.psum_bits)
        stored = addend(self._read, f, len(channels), c.bus_bits)
        sums = combine_planes(wrap(psums[:, : len(channels)], c.psum_bits), f) + stored
        levels, potentials = fire(self._at, sums, channels, f, c.membrane_bits, strict=self.strict)
        self._output(f, levels, potentials)
        self.memory.run_ends()
        if self.observer:
            self.observer(
                RunTrace(
                    config=c,
                    command=self._at,
                    layer=next((e.name for e in self.image.layers if e.first <= self._at < e.last), ""),
                    fields=f,
                    packed=packed,
                    starts=starts,
                    cuts=table,
                    k_of=tiles,
                    weights=weights,
                    weight_rows=weight_rows,
                    parameters=channels.copy(),
                    psums=psums,
                    levels=levels,
                    potentials=potentials,
                    first_slot=self._weights.first_slot,
                )
            )

    def _unloaded(self, what: str, missing: tuple[int, ...]) -> ProgramError:
        why = f"the {what} that a RUN reads must have been loaded, not all but {missing[:4]}"
        return ProgramError.refused(self._at, Error.UNLOADED, why, (what, missing))

    def _segments_of(self, f: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the segments int64[n, 7] and the K tile of each (:class:`RunTrace` has them as ``cuts``, ``k_of``)."""
        table, tiles, k, index = [], [], 0, f["segment_first"]
        while k < f["k_tiles"]:
            s = self.segments[index] if index < self.config.segments else None
            if s is None:
                raise self._unloaded("segments", (index,))
            length = max(0, min(s["length"], f["tile_depth"] - s["shift"]))
            table.append([*(s[n] for n in ("address", "bit", "ky")), length, s["shift"], s["source"], s["mask"]])
            tiles.append(k)
            k += s["last"]
            index += 1
        self.used_segments = range(f["segment_first"], index)
        return np.array(table, np.int64), np.array(tiles, np.int64)

    def _rows(self, f: dict[str, int], rows: int, table: np.ndarray, tiles: np.ndarray) -> np.ndarray:
        """Return the rows uint64[rows, k_tiles], by the segment table, and remember which words they read."""
        lines = np.array([[f[f"line_bits{s}"], f[f"lines{s}"]] for s in range(SOURCES)], np.int64)
        used = np.zeros(self.config.feature_words, np.uint8)
        packed = np.zeros((rows, f["k_tiles"]), np.uint64)
        inside = gather(self.bits, self.config.feature_bits, places(f, rows), table, tiles, lines, packed, used)
        self.used = used
        self._require(inside, Error.UNLOADED, "rows must stay in the feature buffer", "beyond its end")
        missing = tuple(np.flatnonzero(used.astype(bool) & ~self.loaded).tolist())
        if missing:
            raise self._unloaded("features", missing)
        return packed

    def _output(self, f: dict[str, int], levels: np.ndarray, potentials: np.ndarray) -> None:
        """Write the output of a run."""
        levels = joined(levels, self._read, f, self.config.level_bits, self.config.bus_bits)
        values, self._line = pool_levels(potentials if f["readout"] else levels, f, self._line)
        for at, string in output_bytes(values, f, self.config.neuron_lanes, self.config.bus_bits):
            self.memory.write(self._at, f["output"] + at, string)


def interpret(image: MemoryImage, images: np.ndarray, *, observer: Observer | None = None, fill: int = 0) -> np.ndarray:
    """Run a compiled network on images, as MemoryImage.pack_input takes them, and return the memory afterwards.

    Memory that nobody has written holds ``fill`` at the start.
    """
    return Interpreter(image, image.initial_memory(images, fill), observer).run()
