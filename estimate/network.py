"""Cycles of a compiled network without RTL: the cycle model on exactly the tiles that the program makes.

The golden interpreter executes the program, and the rows of each RUN go through :mod:`reprise.estimate.cycles`, which
is exact. Beside these cycles stands how long single parts would take if nothing else took time: the processor
(``bound``, see :mod:`reprise.model.prosparsity.bound`), the loads of weights, im2col, and the neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..compiler import compile_network
from ..compiler.golden.interpreter import Interpreter
from ..compiler.golden.trace import RunTrace
from ..hw.arch.config import HardwareConfig
from ..hw.arch.memory_image import LayerEntry, MemoryImage
from ..model.inference.runner import run
from ..model.network.network import Network
from ..model.prosparsity.bound import bound
from ..model.prosparsity.density import Density
from ..model.prosparsity.tiles import TileBlock, analyze_packed
from .baselines.dense import bit_sparse_cycles, dense_cycles
from .baselines.prosperity import published_model_of_network
from .cycles import Machine
from .cycles.run_data import no_rows, run_data

COUNTED = {
    "nonzero_rows": "nonzero",
    "exact_matches": "exact",
    "set_bits": "set_bits",
    "residual_bits": "residual_bits",
}
"""How reports call the counts of tiles (:class:`reprise.model.prosparsity.tiles.Counts`)."""


@dataclass(frozen=True, kw_only=True)
class SystemTiming:
    """How fast the memory is.

    Parameters
    ----------
    latency : int
        Cycles from an address to its first beat.
    gap : int
        Idle cycles after every beat.
    """

    latency: int = 20
    gap: int = 0


class Estimator:
    """Times the RUNs of a program as the interpreter executes it.

    Parameters
    ----------
    image : MemoryImage
    timing : SystemTiming
    """

    def __init__(self, image: MemoryImage, timing: SystemTiming) -> None:
        self.image, self.config, self.timing = image, image.config, timing
        self.runs: list[dict] = []
        self._last: tuple[np.ndarray, TileBlock] | None = None  # packed rows of the RUN before, and their analysis
        word = image.program * 8 // self.config.bus_bits
        self.machine = Machine(image.commands(), self.config, word=word, latency=timing.latency, gap=timing.gap)
        self.machine.advance(no_rows())

    def _analyze(self, trace: RunTrace) -> TileBlock:
        """The analysed tiles of a RUN. Consecutive RUNs often take the same rows (for the next output channels)."""
        if self._last is not None:
            packed, block = self._last
            if np.array_equal(block.starts, trace.starts) and np.array_equal(packed, trace.packed):
                return block
        block = analyze_packed(trace.packed, trace.starts)
        self._last = trace.packed, block
        return block

    def observe(self, trace: RunTrace) -> None:
        """Time one RUN; the interpreter calls this with every RUN that it executes."""
        f, c, t = trace.fields, self.config, self.timing
        block = self._analyze(trace)
        rows = np.diff(trace.starts)
        m_tiles, k_tiles = block.counts.rows.shape
        extract = -(-rows // c.load_rows)[:, None] * trace.segments[None]
        fetched = np.zeros((m_tiles, k_tiles), bool)
        if not f["weights_ready"]:
            fetched[: 1 if f["weights_keep"] else m_tiles] = True
        beats = c.tile_k * f["weight_beats"] * (1 + t.gap)
        neurons = rows * f["groups"]
        if f["readout"]:
            neurons = neurons + rows // f["planes"] * f["groups"] * c.neuron_lanes
        data = run_data(block, trace.packed, c, f, trace.segments, trace.first_slot)
        self.machine.advance(data)
        start, end = self.machine.starts[trace.command], self.machine.ends[trace.command]
        self.runs.append(
            {
                "command": trace.command,
                "layer": trace.layer,
                "cycles": int(end - start),
                "bound": bound(block.counts, banks=c.banks),
                "weights": int(fetched.sum()) * beats,
                "im2col": int(extract.sum()),
                "neurons": int(neurons.sum()),
                "tiles": m_tiles * k_tiles,
                "counts": block.counts,
            }
        )

    def schedule(self) -> list[int]:
        """Return the end of the last RUN up to every command; for END, the last command, the end of the job."""
        ends = np.maximum.accumulate(self.machine.ends).tolist()
        return [*ends[:-1], self.machine.cycles]


def _layer(entry: LayerEntry, ends: list[int], runs: list[dict], depth: int, published: int) -> dict:
    """One layer's figures; its cycles are those from the end of the layer before to the end of its last RUN.

    ``depth`` is its K, and ``published`` are its cycles in the published model.
    """
    mine = [r for r in runs if entry.first <= r["command"] < entry.last]
    before = max(ends[: entry.first], default=0)
    totals = [r["counts"].total() for r in mine]
    return {
        "name": entry.name,
        "feature": entry.feature,
        "k_tiles": entry.k_tiles,
        "blocks": entry.blocks,
        "cycles": {
            "cycle_model": max(ends[entry.first : entry.last]) - before,
            "bound": sum(r["bound"] for r in mine),
            "published_model": published,
            "bit_sparse": sum(bit_sparse_cycles(r["counts"]) for r in mine),
            "dense": sum(dense_cycles(r["counts"], depth) for r in mine),
        },
        "alone_cycles": {key: sum(r[key] for r in mine) for key in ("weights", "im2col", "neurons")},
        **sum((Density.of(r["counts"], depth) for r in mine), Density()).figures(),
        "runs": len(mine),
        "tiles": sum(r["tiles"] for r in mine),
        "counts": {name: sum(getattr(one, field) for one in totals) for name, field in COUNTED.items()},
    }


def _total(layers: list[dict], cycles: int, interpreter: Interpreter) -> tuple[dict, dict]:
    """The figures of the whole job, and what the layers leave of them: the end of the job."""
    parts = ("cycles", "alone_cycles", "counts")
    total: dict = {part: {key: sum(one[part][key] for one in layers) for key in layers[0][part]} for part in parts}
    left = cycles - total["cycles"]["cycle_model"]
    total["cycles"]["cycle_model"] = cycles
    total |= {key: sum(one[key] for one in layers) for key in ("runs", "tiles")}
    bits = {key: total["counts"][key] for key in ("set_bits", "residual_bits")}
    total |= Density(elements=total["cycles"]["dense"], **bits).figures()
    total |= {"bytes_read": interpreter.bytes_read, "bytes_written": interpreter.bytes_written}
    moved = {key: total[key] - sum(one[key] for one in layers) for key in ("bytes_read", "bytes_written")}
    return total, {"name": "end of the job", "cycles": {"cycle_model": left}, **moved}


def _traffic(interpreter: Interpreter, commands: range) -> dict[str, int]:
    """Bytes that some commands move, the commands themselves among those read."""
    return {
        "bytes_read": sum(interpreter.read_by[index] for index in commands),
        "bytes_written": sum(interpreter.written_by[index] for index in commands),
    }


def estimate(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    *,
    timing: SystemTiming | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Compute the cycles of a network on images, layer by layer, without simulating RTL.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
    images : levels (images, C, H, W), or (images, T, C, H, W)
    timing : the memory's; that of the co-simulation if it is not given
    progress : called with the layer's name before the tiles of each RUN are timed

    Returns
    -------
    The fields of :class:`reprise.estimate.report.fields.Estimate` that need no more than this function is given:
    ``{"network", "images", "configuration", "configuration_sha256", "memory", "layers": [...], "rest", "total"}``.
    Bytes are those that a layer's commands move, whenever they do so. ``rest`` is what is left of the total's cycles
    and bytes: the end of the job.

    Raises
    ------
    CompileError
        The configuration cannot run the network.
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
    features: dict[str, np.ndarray] | None = None,
) -> tuple[dict, np.ndarray]:
    """Compute the cycles of a network that is compiled already, and the memory that the interpreter leaves.

    Memory that nobody has written holds ``fill``. ``features`` are those of the model's run on these images, for the
    published model; without them, the model is run. Everything else is as for :func:`estimate`.
    """
    estimator = Estimator(compiled, timing or SystemTiming())

    def observe(trace: RunTrace) -> None:
        if progress:
            progress(trace.layer)
        estimator.observe(trace)

    interpreter = Interpreter(compiled, compiled.initial_memory(images, fill), observe)
    memory = interpreter.run()
    ends = estimator.schedule()
    depths = {layer.name: sum(s.depth for s in layer.sources) for layer in network.layers}
    if features is None:
        features = run(network, images, record=("features",)).features
    sizes = {name: getattr(compiled.config, name) for name in ("tile_m", "tile_k", "lanes")}
    published = published_model_of_network(network, features, **sizes)
    layers = [
        _layer(entry, ends, estimator.runs, depths[entry.name], published[entry.name])
        | _traffic(interpreter, range(entry.first, entry.last))
        for entry in compiled.layers
    ]
    total, rest = _total(layers, ends[-1], interpreter)
    report = {
        "network": network.name,
        "images": len(images),
        "configuration": compiled.config.to_dict(),
        "configuration_sha256": compiled.config.digest(),
        "memory": {"latency_cycles": estimator.timing.latency, "gap_cycles": estimator.timing.gap},
        "layers": layers,
        "rest": rest,
        "total": total,
    }
    return report, memory
