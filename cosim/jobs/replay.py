"""Turns each layer of a capture into a network of its own, with random weights.

A capture (reprise.model.files.capture) holds the input of each layer and N of its neurons, but neither weights nor
thresholds, so that random ones are taken from a seed. In the accelerator, rows have the hardware's order of K and of
tiles. The published order, "ckk", is that of :meth:`reprise.model.files.capture.CapturedLayer.tiles`; the core's bench
and the published figures need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.files.capture import CapturedLayer, CaptureError, load_capture
from ...model.inference.widths import WidthError, Widths, check
from ...model.network.network import Network
from ...model.network.neuron import Neuron

SPANS = (127, 63, 31, 15, 7, 3, 1)
"""Largest weights, of which the first is taken with which all sums fit the configuration's widths."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """One recorded layer, ready to be compiled.

    Members
    -------
    name : of the layer
    captured : what was recorded
    network : the layer alone, with random weights and neurons
    images : its input, uint8 (1, T, C, H, W)
    """

    name: str
    captured: CapturedLayer
    network: Network
    images: np.ndarray


def random_neuron(channels: int, depth: int, span: int, levels: int, rng: np.random.Generator) -> Neuron:
    """Make IF neurons with soft reset that fire at some inputs and not at others."""
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


def captured_network(captured: CapturedLayer, config: HardwareConfig, *, seed: int = 1) -> Network:
    """Make a network of a recorded layer with random weights, whose sums fit the configuration.

    Parameters
    ----------
    captured : CapturedLayer
    config : HardwareConfig
    seed : of weights and neurons

    Raises
    ------
    WidthError
        Not even weights of -1..1 fit the configuration's widths.
    """
    timesteps, *shape = captured.spikes.shape
    widths = Widths.of(config)
    (source,) = captured.layer.convolutions
    for span in SPANS:
        rng = np.random.default_rng(seed)
        span = min(span, (1 << (config.weight_bits - 1)) - 1)
        weight = rng.integers(-span, span + 1, source.weight.shape).astype(np.int8)
        neuron = random_neuron(captured.outputs, captured.depth, span, captured.layer.neuron.levels, rng)
        layer = replace(captured.layer, sources=(replace(source, weight=weight),), neuron=neuron)
        network = Network(
            name=captured.name,
            input_shape=tuple(shape),
            input_levels=captured.levels,
            timesteps=timesteps,
            input_mode="given",
            layers=(layer,),
            calibration=captured.spikes[None],
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
    """Make the layers of a capture one by one.

    Raises
    ------
    CaptureError
        The capture cannot be read, or its neurons have more levels than the configuration.
    WidthError
        Not even weights of -1..1 fit the configuration's widths.
    """
    for number, captured in enumerate(load_capture(path)):
        levels, most = captured.layer.neuron.levels, config.max_levels
        if levels > most:
            raise CaptureError(
                where=f"{Path(path).name}: layer {captured.name!r}",
                field="neuron_levels",
                rule=f"at most {most}, which is max_levels of the configuration",
                value=levels,
                remedy="give the capture fewer (without neuron_levels they are its levels), or use a configuration "
                "with more max_levels",
            )
        network = captured_network(captured, config, seed=seed + number)
        yield Replay(
            name=captured.name,
            captured=captured,
            network=network,
            images=captured.spikes[None],
        )
