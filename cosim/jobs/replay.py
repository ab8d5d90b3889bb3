"""Recorded spikes as compiled layers: each layer of a capture becomes a network of its own with random weights.

The capture holds the input of each layer (reprise.model.files.capture); its weights are unknown, so seeded random ones
are taken. In
the accelerator the rows have the hardware's order of K and of tiles; for the published order ("ckk", for the core bench
and the published figures) take :meth:`reprise.model.files.capture.CapturedLayer.tiles`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...compiler import compile_network
from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import MemoryImage
from ...model.files.capture import CapturedLayer, load_capture
from ...model.inference.widths import WidthError, Widths, check
from ...model.network.network import Network
from ...model.network.neuron import Neuron

SPANS = (127, 63, 31, 15, 7, 3, 1)
"""Largest weight; the first that the configuration's widths hold is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """One recorded layer, ready for the accelerator.

    Members
    -------
    name : of the layer.
    captured : what was recorded.
    network : the layer alone, with random weights and neurons.
    images : its input, uint8 (1, T, C, H, W).
    compiled : its memory image, every feature map kept.
    """

    name: str
    captured: CapturedLayer
    network: Network
    images: np.ndarray
    compiled: MemoryImage


def random_neuron(channels: int, depth: int, span: int, levels: int, rng: np.random.Generator) -> Neuron:
    """An IF neuron with soft reset that fires at some inputs and not at others."""
    scale = max(4, int(span * np.sqrt(depth) / 4))
    return Neuron(
        kind="if",
        levels=levels,
        reset="soft",
        threshold=rng.integers(scale // 4, scale, channels) + 1,
        bias=rng.integers(-scale // 8 - 1, scale // 4, channels),
        v0=rng.integers(0, scale, channels),
        leak=np.full(channels, 256),
    )


def captured_network(captured: CapturedLayer, config: HardwareConfig, *, seed: int = 1, levels: int = 4) -> Network:
    """A recorded layer with random weights whose sums fit the configuration.

    Parameters
    ----------
    captured : CapturedLayer
    config : HardwareConfig
    seed : of weights and neurons.
    levels : N of the neurons, at most the configuration's ``max_levels``.

    Raises
    ------
    WidthError
        Not even weights of -1..1 fit the configuration's widths.
    """
    timesteps, *shape = captured.spikes.shape
    widths = Widths.of(config)
    (source,) = captured.layer.sources
    for span in SPANS:
        rng = np.random.default_rng(seed)
        span = min(span, (1 << (config.weight_bits - 1)) - 1)
        weight = rng.integers(-span, span + 1, source.weight.shape).astype(np.int8)
        neuron = random_neuron(captured.outputs, captured.depth, span, min(levels, config.max_levels), rng)
        layer = replace(captured.layer, sources=(replace(source, weight=weight),), neuron=neuron)
        network = Network(
            name=captured.name,
            input_shape=tuple(shape),
            input_levels=captured.levels,
            timesteps=timesteps,
            input_mode="given",
            layers=(layer,),
        )
        try:
            check(network, widths, config.tile_k)
        except WidthError:
            if span == SPANS[-1]:
                raise
            continue
        return network
    raise AssertionError("unreachable")


def replays(path: str | Path, config: HardwareConfig, *, seed: int = 1) -> Iterator[Replay]:
    """The layers of a capture, compiled one by one.

    Raises
    ------
    CaptureError, CompileError, WidthError
        A capture that can't be read, or a layer that the configuration can't run.
    """
    for number, captured in enumerate(load_capture(path)):
        network = captured_network(captured, config, seed=seed + number)
        compiled = compile_network(network, config, 1, keep_features=True)
        yield Replay(
            name=captured.name,
            captured=captured,
            network=network,
            images=captured.spikes[None],
            compiled=compiled,
        )
