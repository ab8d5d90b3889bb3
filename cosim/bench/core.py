"""The core alone, in RTL: tiles, weights and parameters are played into it and every output is recorded.

``CoreBench(config)`` emits the core, builds its Verilator model (cached by content) and runs jobs. It is how recorded
spikes are replayed at the paper's size and how random configurations are swept: no Python runs per cycle.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from ...hw.arch.config import HardwareConfig
from ...hw.core import Core
from ...hw.interface import streams as layouts
from ...hw.interface.events import processor_events
from ...hw.verilog import emit
from ...support.errors import SimulationError
from . import verilator

RTL = Path(__file__).resolve().parent / "rtl"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile to play: ``rows`` are uint64 bit masks; the other fields those of ``hw.interface.streams.tile_info``."""

    rows: np.ndarray
    weights: np.ndarray  # int8[k <= tile_k, lanes used]
    last_k: bool
    m_rows: int
    keep: bool = False  # the weight slot stays filled after this tile
    slot: int | None = None  # None: next slot in turn, weights sent; else they are there already


@dataclass(frozen=True)
class CoreResult:
    """What came out: one row per item in order, the cycle of each, and the event counters."""

    levels: np.ndarray  # int[items, neuron_lanes]
    potentials: np.ndarray  # int64[items, neuron_lanes]
    group: np.ndarray
    cycles: np.ndarray  # cycle of each item, counted from reset
    first_row: int  # cycle in which the first row word was taken
    events: dict[str, int]

    @property
    def elapsed(self) -> int:
        """Cycles from the first row word to the last output, both included."""
        return int(self.cycles[-1]) - self.first_row + 1


def pack(shape, value) -> int:
    """A payload as an integer, from nested dicts and sequences of integers; missing fields are zero."""
    if isinstance(shape, data.ArrayLayout):
        width = shape.size // max(1, shape.length)
        return sum(pack(shape.elem_shape, v) << (i * width) for i, v in enumerate(value))
    if isinstance(shape, data.Layout):
        return sum(pack(field.shape, value[key]) << field.offset for key, field in shape if key in value)
    return int(value) & ((1 << Shape.cast(shape).width) - 1)


class CoreBench:
    """A built model of ``Core(config)``."""

    ITEMS = {"ROWS_ITEMS": 1 << 14, "WEIGHTS_ITEMS": 1 << 13, "PARAMS_ITEMS": 64}

    def __init__(self, config: HardwareConfig, *, trace: bool = False):
        self.config = config
        text, self.sidecar = emit(Core(config), name="core", config=config)
        self.layouts = {
            "ROWS": layouts.tile_word(config),
            "WEIGHTS": layouts.weight_row(config),
            "PARAMS": layouts.neuron_params(config),
            "OUTPUT": layouts.neuron_out(config),
            "LAYER": layouts.layer_config(config),
            "EVENTS": processor_events(config),
        }
        defines = [f"-D{name}_BITS={layout.size}" for name, layout in self.layouts.items()]
        defines += [f"-D{name}={value}" for name, value in self.ITEMS.items()]
        sources = {p: (RTL / p).read_text() for p in ("core_tb.sv", "stream_source.sv", "stream_sink.sv")}
        sources["core.v"] = text
        ports = [
            "clk",
            "rst",
            "*_items",
            "*_idle",
            "output_stall",
            "seed",
            "layer",
            "finished",
            "cycle",
            "first_row",
            "received",
        ]
        self.model = verilator.build(sources, "core_tb", ports=ports, trace=trace, arguments=defines)

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
        timeout: int = 10_000_000,
    ) -> CoreResult:
        """Play ``tiles``; ``outputs`` items are expected. ``idle`` and ``stall`` are probabilities per cycle."""
        c = self.config
        rows, weights, slot = [], [], 0
        for tile in tiles:
            used = tile.slot
            if used is None:
                used, slot = slot, (slot + 1) % c.weight_tiles
                last = len(tile.weights) - 1
                for k, row in enumerate(tile.weights):
                    item = {"slot": used, "row": k, "last": k == last, "data": row}
                    weights.append(pack(self.layouts["WEIGHTS"], item))
            info = {"weight_slot": used, "weight_release": not tile.keep, "last_k": tile.last_k, "rows": tile.m_rows}
            masks = [int(r) for r in tile.rows]
            words = max(1, -(-len(masks) // c.load_rows))
            masks += [0] * (words * c.load_rows - len(masks))
            for w in range(words):
                beat = masks[w * c.load_rows : (w + 1) * c.load_rows]
                rows.append(pack(self.layouts["ROWS"], {"rows": beat, "last": w == words - 1, "tile": info}))
        streams = {
            "rows": (rows, "ROWS"),
            "weights": (weights, "WEIGHTS"),
            "params": ([pack(self.layouts["PARAMS"], p) for p in params], "PARAMS"),
        }
        for name, (items, key) in streams.items():
            if len(items) > self.ITEMS[f"{key}_ITEMS"]:
                raise ValueError(f"{name} must be at most {self.ITEMS[f'{key}_ITEMS']} items, not {len(items)}")
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for name, (items, key) in streams.items():
                digits = -(-self.layouts[key].size // 4)
                (folder / f"{name}.hex").write_text("".join(f"{item:0{digits}x}\n" for item in items))
            env = {
                "CORE_ROWS": len(rows),
                "CORE_WEIGHTS": len(weights),
                "CORE_PARAMS": len(params),
                "CORE_OUTPUTS": outputs,
                "CORE_IDLE": round(idle * 256),
                "CORE_STALL": round(stall * 256),
                "CORE_SEED": seed,
                "CORE_LAYER": pack(self.layouts["LAYER"], layer),
                "CORE_TIMEOUT": timeout,
                "CORE_RESULT": folder / "first_row",
            }
            plusargs = [f"+{n}={folder / n}.hex" for n in streams] + [f"+output={folder / 'output.txt'}"]
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
            return self._parse((folder / "output.txt").read_text(), int((folder / "first_row").read_text()))

    def _parse(self, text: str, first_row: int) -> CoreResult:
        layout = self.layouts["OUTPUT"]
        n, c = self.config.neuron_lanes, self.config
        levels, potentials, groups, cycles, counts = [], [], [], [], {}
        for line in text.splitlines():
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
