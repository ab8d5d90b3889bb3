"""Tells the cycles of a network without RTL, by the cycle model on exactly the tiles that the program makes.

The golden interpreter executes the program, and the rows of each RUN go through :mod:`reprise.estimate.cycles`, which
is exact. Beside these cycles stands how long single parts would take if nothing else took time: the processor
(``bound``, see :mod:`reprise.model.prosparsity.bound`), the loads of weights, im2col, and the neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..compiler import compile_network
from ..compiler.golden.interpreter import Interpreter
from ..compiler.golden.trace import RunTrace
from ..compiler.golden.weights import tiles_fetched
from ..compiler.joined import initial_memory, parts_of
from ..hw.arch.config import HardwareConfig
from ..hw.arch.memory_image import MemoryImage
from ..model.inference.runner import Result, run
from ..model.network.network import Network
from ..model.prosparsity.bound import bound
from ..model.prosparsity.modes import MODES, Mode, analyze_mode
from ..model.prosparsity.tiles import TileBlock
from .baselines.prosperity import published_model_of_network
from .cycles import Machine
from .cycles.run_data import run_data
from .energy import accesses
from .layers import add_limits, loads, of_layer, of_total, traffic
from .limits import Explorer


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A network of a program, of which most have only one.

    Members
    -------
    network : Network
    images : levels (images, C, H, W), or (images, T, C, H, W)
    expected : the model's run on these images, with features recorded
    """

    network: Network
    images: np.ndarray
    expected: Result

    @classmethod
    def run(cls, network: Network, images: np.ndarray, record: tuple[str, ...] = ("features",)) -> Part:
        """Run the model on the images of a network."""
        return cls(network=network, images=images, expected=run(network, images, record=record))


@dataclass(kw_only=True)
class Recording:
    """What happened in every cycle, if somebody asks for it.

    Members
    -------
    log : pairs (cycles, events), as :class:`reprise.estimate.cycles.Machine` has them
    runs : what :class:`Estimator` keeps of every RUN
    """

    log: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    runs: list[dict] = field(default_factory=list)


class Estimator:
    """Times the RUNs of a program as the interpreter executes it.

    Parameters
    ----------
    image : MemoryImage
    timing : SystemTiming
    limits : find out what limits each layer, for which every layer is run again some twenty times
    progress : called with the name of each layer that is run again
    log : keep what happens in every cycle
    older : steps that the hardware is to lack (:data:`reprise.estimate.cycles.parameters.OLDER`)
    """

    def __init__(
        self,
        image: MemoryImage,
        timing: SystemTiming,
        limits: bool = False,
        progress: Callable[[str], None] | None = None,
        log: bool = False,
        older: Collection[str] = (),
    ) -> None:
        self.image, self.config, self.timing = image, image.config, timing
        self._clean = "clean" in older
        self.runs: list[dict] = []
        self._last: tuple[np.ndarray, tuple[Mode, int], TileBlock] | None = None  # rows of the RUN before, analysed
        word = image.program * 8 // self.config.bus_bits
        speed = {"latency": timing.latency, "gap": timing.gap}
        self.machine = Machine(image.commands(), self.config, word=word, log=log, older=older, **speed)
        self.explorer = Explorer(self.machine, image, progress) if limits else None
        self.machine.advance(None)

    def _analyze(self, trace: RunTrace) -> TileBlock:
        """Return the analysed tiles of a RUN; the next RUN often takes the same rows, for other output channels."""
        taken = MODES[trace.fields["mode"]], trace.fields["tile_depth"]
        if self._last is not None:
            packed, before, block = self._last
            same = before == taken and np.array_equal(block.starts, trace.starts)
            if same and np.array_equal(packed, trace.packed):
                return block
        block = analyze_mode(trace.packed, trace.starts, *taken, one_bit_matches=self.config.one_bit_matches)
        self._last = trace.packed, taken, block
        return block

    def observe(self, trace: RunTrace) -> None:
        """Time one RUN; the interpreter calls this with every RUN that it executes."""
        f, c, t = trace.fields, self.config, self.timing
        block = self._analyze(trace)
        rows = np.diff(trace.starts)
        m_tiles, k_tiles = block.counts.rows.shape
        extract = -(-rows // c.load_rows)[:, None] * trace.segments[None]
        weight_rows = np.bitwise_count(trace.weight_rows).astype(np.int64)
        weight_cycles = int(weight_rows.sum()) * f["weight_beats"] * (1 + t.gap)
        facts = trace.segments, trace.first_slot, trace.command
        data = run_data(block, block.rows, c, f, *facts, clean=self._clean)
        neurons = np.diff(data.walk_end, prepend=0) * f["groups"]
        words = 8 * f["int_bytes"] * c.neuron_lanes // c.bus_bits  # of a group of an integer map
        neurons = neurons + rows // f["planes"] * f["groups"] * max(0, words - 1)
        if self.explorer:
            nonzero = int(block.counts.nonzero.sum())
            work = {"im2col": int(extract.sum()), "detector": nonzero // c.queries, "psum": nonzero // c.banks}
            work |= {"pe_array": int(block.counts.add_steps(c.weight_banks).sum()), "neurons": int(neurons.sum())}
            work |= {"weights": weight_cycles}
            self.explorer.advance(trace.command, data, work)
        else:
            self.machine.advance(data)
        self.runs.append(
            {
                "command": trace.command,
                "layer": trace.layer,
                "bound": bound(block.counts, banks=c.banks, weight_banks=c.weight_banks),
                "weights": weight_cycles,
                "im2col": int(extract.sum()),
                "neurons": int(neurons.sum()),
                "tiles": m_tiles * k_tiles,
                "m_tiles": m_tiles,
                "tile_depth": int(f["tile_depth"]),
                "rows": int(rows.sum()),
                "planes": int(f["planes"]),
                "timesteps": int(f["timesteps"]),
                "counts": block.counts,
                "add_steps": block.counts.add_steps(c.weight_banks),
                # A tile that uses no row gets one all the same, which tells that it is complete.
                "weight_rows": np.where(tiles_fetched(f), np.maximum(weight_rows, 1), 0),
                "beats": data.beats,
                "reuses": data.reuse_count,
                "items": rows // f["planes"] * f["groups"],
                "drained": np.diff(data.walk_end, prepend=0),
                "accesses": accesses.of_run(trace, block, int((rows // f["planes"]).sum()) * f["groups"]),
            }
        )

    def schedule(self) -> list[int]:
        """Return the end of the last RUN up to every command; for END, the last command, the end of the job.

        The runs are told their cycles, which are known when the job has ended: rows of a RUN start before the RUN
        before it has ended.
        """
        for one in self.runs:
            start, end = (int(times[one["command"]]) for times in (self.machine.starts, self.machine.ends))
            one |= {"start": start, "end": end, "cycles": end - start}
        ends = np.maximum.accumulate(self.machine.ends).tolist()
        return [*ends[:-1], self.machine.cycles]


def estimate(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    *,
    timing: SystemTiming | None = None,
    progress: Callable[[str], None] | None = None,
    limits: bool = False,
    mode: Mode = "product",
) -> dict:
    """Compute the cycles of a network on images, layer by layer, without simulating RTL.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
    images : levels (images, C, H, W), or (images, T, C, H, W)
    timing : the memory's; that of the co-simulation if it is not given
    progress : called with the layer's name before the tiles of each RUN are timed
    limits : find out what limits each layer, too (:mod:`reprise.estimate.limits`)
    mode : what RUNs leave out (:mod:`reprise.model.prosparsity.modes`)

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
    compiled = compile_network(network, config, len(images), mode=mode)
    parts = [Part.run(network, images)]
    return estimate_image(compiled, parts, timing=timing, progress=progress, limits=limits)[0]


def estimate_image(
    compiled: MemoryImage,
    parts: Sequence[Part],
    *,
    timing: SystemTiming | None = None,
    progress: Callable[[str], None] | None = None,
    fill: int = 0,
    limits: bool = False,
    recording: Recording | None = None,
    older: Collection[str] = (),
) -> tuple[dict, np.ndarray]:
    """Compute the cycles of a program that is compiled already, and the memory that the interpreter leaves.

    ``parts`` are its networks: one, or those that were joined. Memory that nobody has written holds ``fill``. A
    ``recording`` is filled in. The hardware lacks the steps ``older``. All else is as for :func:`estimate`.
    """
    told = (lambda layer: progress(f"what limits {layer}")) if progress else None
    estimator = Estimator(compiled, timing or SystemTiming(), limits, told, log=recording is not None, older=older)

    def observe(trace: RunTrace) -> None:
        if progress:
            progress(trace.layer)
        estimator.observe(trace)

    start = initial_memory(compiled, tuple(part.images for part in parts), fill)
    interpreter = Interpreter(compiled, start, observe)
    memory = interpreter.run()
    ends = estimator.schedule()
    if recording is not None:
        recording.log, recording.runs = estimator.machine.log, estimator.runs
    layers = []
    for image, part in zip(parts_of(compiled), parts, strict=True):
        published = published_model_of_network(part.network, part.expected.features, compiled.config)
        for entry in image.layers:
            own = {entry.name, compiled.features[entry.feature].name}  # a layer, and a join behind its neurons
            modelled = sum(published[name] for name in own)
            figures = of_layer(entry, ends, estimator.runs, part.network, compiled, modelled)
            figures["accesses"] |= loads(interpreter, compiled, entry)
            layers.append(figures | traffic(interpreter, range(entry.first, entry.last)))
    total, rest = of_total(layers, ends[-1], interpreter)
    if estimator.explorer:
        add_limits(estimator.explorer, compiled, ends, layers, total)
    report = {
        "network": compiled.network,
        "images": compiled.images,
        "configuration": compiled.config.to_dict(),
        "configuration_sha256": compiled.config.digest(),
        "memory": {"latency_cycles": estimator.timing.latency, "gap_cycles": estimator.timing.gap},
        "layers": layers,
        "rest": rest,
        "total": total,
    }
    return report, memory
