"""Cycles of a compiled network without RTL: the cycle model on exactly the tiles that the program makes.

The golden interpreter executes the program; each RUN is timed tile by tile. A tile begins when its weights are there,
its rows have been extracted and the tile before has left the processor; it costs what model.processor says. An m tile
drains through the neuron array while the next is computed; the one after waits for it (two halves of partial sums).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numba as nb
import numpy as np

from cosim.interpreter import Interpreter
from cosim.run_trace import RunTrace
from hw.compile import compile_network
from hw.config import HardwareConfig
from hw.memory_image import MemoryImage
from hw.program import COMMAND_BYTES
from model.cycles import bit_sparse_cycles, dense_cycles, published_cycles
from model.network import Network
from model.processor import ProcessorTiming, simulate_processor
from model.prosparsity import Counts, analyze_blocks


@dataclass(frozen=True, kw_only=True)
class SystemTiming:
    """Constants of the accelerator around the processor, in cycles; calibrated against the RTL.

    latency, gap : of the memory: from an address to its first beat, and between two beats.
    command : of a command beside its fetch.
    first_row : from a RUN's start to the first row of its table.
    front : from a tile's last word to its first residual bit.
    drain : from an m tile's last row to its first partial sum in the neuron array.
    tail : from the last neuron's output to the end of the RUN.
    lead : tiles that the front end may be ahead of the processor.
    """

    latency: int = 20
    gap: int = 0
    command: int = 8
    first_row: int = 4
    front: int = 24
    drain: int = 8
    tail: int = 12
    lead: int = 4


@nb.njit(cache=True)
def _pipeline(costs, fetched, beats, slots, extract, row_ready, neurons, lead, front, drain, latency):
    """End of the last m tile's neurons; costs, extract int64[m, k], fetched bool[m, k], row_ready, neurons int64[m]."""
    m_tiles, k_tiles = costs.shape
    finish = np.zeros(m_tiles * k_tiles, np.int64)
    weights, rows, done = np.int64(latency), np.int64(0), np.int64(0)
    neuron = np.zeros(m_tiles, np.int64)
    fetches = np.zeros(m_tiles * k_tiles, np.int64)
    count = 0
    for m in range(m_tiles):
        for k in range(k_tiles):
            i = m * k_tiles + k
            if fetched[m, k]:
                if count >= slots:
                    weights = max(weights, finish[fetches[count - slots]])
                weights += beats
                fetches[count] = i
                count += 1
            rows = max(rows, row_ready[m])
            if i >= lead:
                rows = max(rows, finish[i - lead])
            rows += extract[m, k]
            done = max(done, rows + front)
            if fetched[m, k]:
                done = max(done, weights)
            if k == 0 and m >= 2:
                done = max(done, neuron[m - 2])
            done += costs[m, k]
            finish[i] = done
        neuron[m] = max(done + drain, neuron[m - 1] if m > 0 else 0) + neurons[m]
    return neuron[-1]


@dataclass
class _Analysis:
    packed: np.ndarray
    starts: np.ndarray
    counts: Counts
    costs: np.ndarray


class Estimator:
    """Times the RUNs of a program as the interpreter executes it.

    Parameters
    ----------
    image : MemoryImage
    timing : SystemTiming
    """

    def __init__(self, image: MemoryImage, timing: SystemTiming):
        self.image, self.config, self.timing = image, image.config, timing
        c = self.config
        self.processor = ProcessorTiming(banks=c.banks, queries=c.queries, load_rows=c.load_rows)
        self.runs: list[dict] = []
        self._last: _Analysis | None = None

    def _analyze(self, trace: RunTrace) -> _Analysis:
        """Counts and processor cycles of every tile; those of the run before if its rows were the same."""
        last = self._last
        if last and np.array_equal(last.starts, trace.starts) and np.array_equal(last.packed, trace.packed):
            return last
        counts, costs = [], []
        for block in analyze_blocks(trace.packed, trace.starts):
            counts.append(block.counts)
            costs.append(simulate_processor(block, self.processor).tile_cycles.reshape(block.counts.rows.shape))
        self._last = _Analysis(trace.packed, trace.starts, Counts.join(counts), np.concatenate(costs))
        return self._last

    def observe(self, trace: RunTrace) -> None:
        """Time one RUN (an observer of the interpreter)."""
        f, c, t = trace.fields, self.config, self.timing
        found = self._analyze(trace)
        rows = np.diff(trace.starts)
        m_tiles, k_tiles = found.costs.shape
        extract = -(-rows // c.load_rows)[:, None] * trace.segments[None]
        row_ready = t.first_row + np.cumsum(rows)
        fetched = np.zeros((m_tiles, k_tiles), bool)
        if not f["weights_ready"]:
            fetched[: 1 if f["weights_keep"] else m_tiles] = True
        beats = c.tile_k * f["weight_beats"] * (1 + t.gap)
        neurons = rows * f["groups"]
        if f["readout"]:
            neurons = neurons + rows // f["planes"] * f["groups"] * c.neuron_lanes
        pipeline = (found.costs, fetched, beats, c.weight_tiles, extract, row_ready, neurons)
        cycles = int(_pipeline(*pipeline, t.lead, t.front, t.drain, t.latency)) + t.tail
        self.runs.append(
            {
                "command": trace.command,
                "layer": trace.layer,
                "cycles": cycles,
                "processor": int(found.costs.sum()),
                "weights": int(fetched.sum()) * beats,
                "im2col": int(extract.sum()),
                "neurons": int(neurons.sum()),
                "tiles": int(found.costs.size),
                "counts": found.counts,
            }
        )

    def _load(self, opcode: str, f: dict[str, int]) -> int:
        """Cycles of a load, from its first address to its last beat."""
        bus = self.config.bus_bits // 8
        size = {
            "LOAD_FEATURES": f.get("bytes", 0) * f.get("chunks", 0),
            "LOAD_SEGMENTS": f.get("count", 0) * 8,
            "LOAD_PARAMS": f.get("groups", 0) * self.config.neuron_lanes * 16,
        }[opcode]
        return -(-size // bus) * (1 + self.timing.gap) + self.timing.latency

    def schedule(self) -> list[int]:
        """End of every command: a RUN waits for the RUN before and all loads, a BARRIER for all; loads go ahead."""
        t, fetch = self.timing, -(-COMMAND_BYTES * 8 // self.config.bus_bits)
        runs = iter(self.runs)
        now = loaded = run_end = 0
        ends = []
        for opcode, f in self.image.commands():
            now += fetch + t.latency + t.command
            if opcode == "RUN":
                now = max(now, loaded, run_end)
                run_end = now + next(runs)["cycles"]
                ends.append(run_end)
                continue
            if opcode in ("BARRIER", "END"):
                now = max(now, loaded, run_end)
            else:
                now = loaded = max(now, loaded) + self._load(opcode, f)
            ends.append(now)
        return ends


def _layer(entry, ends: list[int], runs: list[dict], depth: int) -> dict:
    """One layer's figures: its cycles are the time from the end of the layer before to its last RUN's end."""
    mine = [r for r in runs if entry.first <= r["command"] < entry.last]
    before = max(ends[: entry.first], default=0)
    sums = {key: sum(r[key] for r in mine) for key in ("processor", "weights", "im2col", "neurons", "tiles")}
    totals = [r["counts"].total() for r in mine]
    counts = {
        name: sum(getattr(one, name) for one in totals) for name in ("nonzero", "exact", "set_bits", "residual_bits")
    }
    return {
        "name": entry.name,
        "feature": entry.feature,
        "runs": len(mine),
        "cycles": max(ends[entry.first : entry.last]) - before,
        **sums,
        "dense": sum(dense_cycles(r["counts"], depth) for r in mine),
        "bit_sparse": sum(bit_sparse_cycles(r["counts"]) for r in mine),
        "published": sum(published_cycles(r["counts"]) for r in mine),
        "counts": counts,
    }


def estimate(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    *,
    timing: SystemTiming | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Cycles of a network on images, layer by layer, without simulating RTL.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
    images : levels (images, C, H, W), or (images, T, C, H, W)
    timing : SystemTiming, the RTL's if not given.
    progress : called with the layer's name before each RUN's tiles are timed.

    Returns
    -------
    ``{"network", "images", "config", "timing", "layers": [...], "total": {...}}``. Each layer and the total hold
    ``cycles`` (the whole accelerator), ``processor`` (inputs always ready), ``weights``, ``im2col``, ``neurons`` (each
    of these alone; the largest is the bottleneck), ``dense``, ``bit_sparse``, ``published``, ``tiles``, ``runs``,
    ``counts``; the total also bytes read and written.

    Raises
    ------
    CompileError
        The configuration can't run the network.
    """
    compiled = compile_network(network, config, len(images))
    return estimate_image(compiled, network, images, timing=timing, progress=progress)[0]


def estimate_image(
    compiled: MemoryImage,
    network: Network,
    images: np.ndarray,
    *,
    timing: SystemTiming | None = None,
    progress: Callable[[str], None] | None = None,
    fill: int = 0,
) -> tuple[dict, np.ndarray]:
    """:func:`estimate` of a network that is compiled already; also the memory that the interpreter leaves.

    ``fill`` is what memory that nobody has written holds.
    """
    estimator = Estimator(compiled, timing or SystemTiming())

    def observe(trace: RunTrace):
        if progress:
            progress(trace.layer)
        estimator.observe(trace)

    interpreter = Interpreter(compiled, compiled.initial_memory(images, fill), observe)
    memory = interpreter.run()
    ends = estimator.schedule()
    depths = {layer.name: sum(s.depth for s in layer.sources) for layer in network.layers}
    layers = [_layer(e, ends, estimator.runs, depths[e.name]) for e in compiled.layers]
    keys = ("runs", "processor", "weights", "im2col", "neurons", "tiles", "dense", "bit_sparse", "published")
    total = {"cycles": ends[-1]} | {key: sum(one[key] for one in layers) for key in keys}
    total["counts"] = {key: sum(one["counts"][key] for one in layers) for key in layers[0]["counts"]}
    total |= {"bytes_read": interpreter.bytes_read, "bytes_written": interpreter.bytes_written}
    report = {
        "network": network.name,
        "images": len(images),
        "config": compiled.config.to_dict(),
        "timing": asdict(estimator.timing),
        "layers": layers,
        "total": total,
    }
    return report, memory
