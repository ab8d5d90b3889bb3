"""A bench of the core alone in RTL: tiles, weights and parameters are played into it, and every output is recorded.

``CoreBench(config)`` emits the core, builds its Verilator model, which is cached by content, and runs jobs. No Python
runs in a cycle, so that recorded spikes can be replayed at the paper's size, and many random configurations be tried.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

from ...hw.arch.config import HardwareConfig
from ...hw.emission import CORE, verilog_of
from ...hw.interface import streams as layouts
from ...hw.interface.events import processor_events
from ...support.errors import SimulationError
from . import verilator

RTL = Path(__file__).resolve().parent / "rtl"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile to play.

    Members
    -------
    rows : uint64[rows], bit masks
    weights : int8[k, lanes], of at most ``tile_k`` rows and of the lanes that are used
    last_k, m_rows : the fields ``last_k`` and ``rows`` of :func:`reprise.hw.interface.streams.tile_info`
    keep : the weight slot stays filled after this tile
    slot : the weight slot that holds the weights already; with None they are sent to the next slot in turn
    """

    rows: np.ndarray
    weights: np.ndarray
    last_k: bool
    m_rows: int
    keep: bool = False
    slot: int | None = None


@dataclass(frozen=True)
class CoreResult:
    """What came out, item by item in order.

    Members
    -------
    levels : int[items, neuron_lanes]
    potentials : int64[items, neuron_lanes]
    group : int[items]
    cycles : int[items], the cycle of each item, counted from reset
    first_row : cycle in which the first beat of rows was taken
    events : counts of the events of :func:`reprise.hw.interface.events.processor_events`
    """

    levels: np.ndarray
    potentials: np.ndarray
    group: np.ndarray
    cycles: np.ndarray
    first_row: int
    events: dict[str, int]

    @property
    def elapsed(self) -> int:
        """Cycles from the first beat of rows to the last output, both included."""
        return int(self.cycles[-1]) - self.first_row + 1


def pack(shape: ShapeLike, value: Any) -> int:
    """Pack nested dictionaries and sequences of integers into a payload; fields that are missing are zero."""
    if isinstance(shape, data.ArrayLayout):
        width = shape.size // max(1, shape.length)
        return sum(pack(shape.elem_shape, v) << (i * width) for i, v in enumerate(value))
    if isinstance(shape, data.Layout):
        return sum(pack(field.shape, value[key]) << field.offset for key, field in shape if key in value)
    return int(value) & ((1 << Shape.cast(shape).width) - 1)


class CoreBench:
    """A built model of ``Core(config)``, into which streams of any length are played from files."""

    def __init__(self, config: HardwareConfig, *, trace: bool = False) -> None:
        self.config = config
        emitted = verilog_of(config, CORE)
        self.sidecar = emitted.sidecar
        self.layouts = {
            "ROWS": layouts.tile_word(config),
            "WEIGHTS": layouts.weight_row(config),
            "PARAMS": layouts.neuron_params(config),
            "OUTPUT": layouts.neuron_out(config),
            "LAYER": layouts.layer_config(config),
            "EVENTS": processor_events(config),
        }
        defines = [f"-D{name}_BITS={layout.size}" for name, layout in self.layouts.items()]
        sources = {p: (RTL / p).read_text() for p in ("core_tb.sv", "stream_source.sv", "stream_sink.sv")}
        sources["core.v"] = emitted.text
        ports = (
            "reset *_items *_idle output_stall seed layer_fields finished cycle first_row received truncated".split()
        )
        self.model = verilator.build(sources, "core_tb", ports=ports, clock="clk", trace=trace, arguments=defines)

    def run(
        self,
        tiles: Sequence[Tile],
        *,
        layer: dict[str, int],
        params: Sequence[dict],
        outputs: int,
        idle: float = 0,
        stall: float = 0,
        seed: int = 1,
        waves: Path | None = None,
        timeout: int | None = None,
    ) -> CoreResult:
        """Play tiles and return what comes out.

        Parameters
        ----------
        tiles : in the order in which the core takes them
        layer : the fields of :func:`reprise.hw.interface.streams.layer_config`
        params : items of :func:`reprise.hw.interface.streams.neuron_params`
        outputs : how many items are expected
        idle, stall : probability that a cycle brings no input, and that it takes no output
        seed : of idle and stalled cycles
        waves : FST file to write, of a bench that was built with ``trace``
        timeout : in cycles; by default it is far beyond what the tiles can take

        Raises
        ------
        SimulationError
            Not all outputs came in time, more came than were expected, or the simulation died.
        """
        groups = layer["groups"]
        rows, weights = self._rows(tiles, groups), self._weights(tiles, groups)
        items = {"rows": rows, "weights": weights, "params": self._params(params)}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            counts = {name: self._write(folder / name, name, stream) for name, stream in items.items()}
            # Every bit of every row takes a cycle at most, and idle cycles and stalls make it sixteen times as many.
            work = counts["rows"] * self.config.load_rows * self.config.tile_k + counts["weights"] + outputs
            env = {
                **{f"CORE_{name.upper()}": count for name, count in counts.items()},
                "CORE_OUTPUTS": outputs,
                "CORE_IDLE": round(idle * 256),
                "CORE_STALL": round(stall * 256),
                "CORE_SEED": seed,
                "CORE_LAYER": pack(self.layouts["LAYER"], layer),
                "CORE_TIMEOUT": timeout or 1_000_000 + 16 * work,
                "CORE_RESULT": folder / "first_row",
            }
            plusargs = [f"+{name}={folder / name}" for name in [*items, "output"]]
            try:
                verilator.run(
                    self.model,
                    "reprise.cosim.bench.core_cocotb",
                    folder=folder / "run",
                    env={k: str(v) for k, v in env.items()},
                    plusargs=plusargs,
                    seed=seed,
                    waves=waves,
                    log=folder / "log",
                )
            except SimulationError as error:
                log = (folder / "log").read_text()[-3000:] if (folder / "log").exists() else ""
                raise SimulationError(f"{error}\n{log}") from None
            return self._parse(folder / "output", int((folder / "first_row").read_text()))

    def _placed(self, tiles: Sequence[Tile]) -> Iterator[tuple[Tile, int]]:
        """Yield each tile with its weight slot, which is the next one in turn if none is named."""
        turn = 0
        for tile in tiles:
            yield tile, turn if tile.slot is None else tile.slot
            if tile.slot is None:
                turn = (turn + 1) % self.config.weight_tiles

    def _rows(self, tiles: Sequence[Tile], groups: int) -> Iterator[int]:
        beat_rows, idle = self.config.load_rows, self.config.groups - groups
        for tile, slot in self._placed(tiles):
            info = {"weight_slot": slot, "weight_release": not tile.keep, "last_k": tile.last_k, "rows": tile.m_rows}
            info["idle_groups"] = idle
            masks = [int(r) for r in tile.rows] or [0]
            masks += [0] * (-len(masks) % beat_rows)
            for start in range(0, len(masks), beat_rows):
                last = start + beat_rows == len(masks)
                beat = {"rows": masks[start : start + beat_rows], "last": last, "tile": info}
                yield pack(self.layouts["ROWS"], beat)

    def _weights(self, tiles: Sequence[Tile], groups: int) -> Iterator[int]:
        """Yield the weight rows; both halves of the lanes have those of a narrow layer, as the loader gives them."""
        half = self.config.lanes // 2
        for tile, slot in self._placed(tiles):
            if tile.slot is None:
                last = len(tile.weights) - 1
                for k, row in enumerate(tile.weights):
                    if groups <= self.config.narrow_groups:
                        lower = np.pad(row[:half], (0, half - len(row[:half])))
                        row = np.concatenate([lower, lower])
                    yield pack(self.layouts["WEIGHTS"], {"weight_slot": slot, "row": k, "last": k == last, "data": row})

    def _params(self, params: Sequence[dict]) -> Iterator[int]:
        return (pack(self.layouts["PARAMS"], item) for item in params)

    def _write(self, path: Path, name: str, items: Iterable[int]) -> int:
        """Write a stream's file and return its number of items, each of which has whole bytes, the highest first."""
        size, count = -(-self.layouts[name.upper()].size // 8), 0
        with path.open("wb") as file:
            for item in items:
                file.write(item.to_bytes(size, "big"))
                count += 1
        return count

    def _parse(self, path: Path, first_row: int) -> CoreResult:
        layout = self.layouts["OUTPUT"]
        n, c = self.config.neuron_lanes, self.config
        levels, potentials, groups, cycles, counts = [], [], [], [], {}
        for line in path.read_text().splitlines():
            if line.startswith("#"):
                _, index, count = line.split()
                counts[int(index)] = int(count)
                continue
            cycle, payload = line.split()
            value = int(payload, 16)
            cycles.append(int(cycle))
            groups.append((value >> layout["group"].offset) & ((1 << layout["group"].width) - 1))
            base = value >> layout["level"].offset
            levels.append([(base >> (i * c.level_bits)) & ((1 << c.level_bits) - 1) for i in range(n)])
            base, bits = value >> layout["potential"].offset, c.membrane_bits
            raw = [(base >> (i * bits)) & ((1 << bits) - 1) for i in range(n)]
            potentials.append([r - (1 << bits) if r >> (bits - 1) else r for r in raw])
        events = {
            key: sum(counts.get(field.offset + i, 0) << i for i in range(field.width))
            for key, field in self.layouts["EVENTS"]
        }
        return CoreResult(
            np.array(levels, int).reshape(-1, n),
            np.array(potentials, np.int64).reshape(-1, n),
            np.array(groups, int),
            np.array(cycles, int),
            first_row,
            events,
        )
