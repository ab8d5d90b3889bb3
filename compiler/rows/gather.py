"""Decides whether the host gathers the rows of the input that a kernel reads, so that rows have fewer segments.

The hardware takes a segment a cycle for a word of ``load_rows`` rows, and a kernel of KH x KW has a segment for each of
its rows. A layer that reads few channels, as first layers do, waits for that. Gathered, its rows are one piece of one
line, but the input is up to KH times as large.
"""

from __future__ import annotations

from dataclasses import replace

from ...hw.arch.config import HardwareConfig
from ...hw.arch.feature_map import FeatureMap
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ..lower import Pitch, block_channels, layer_planes
from .inputs import Input, lower_source
from .segments import segments


def _readers(network: Network) -> list[tuple[Layer, Source]] | None:
    """Return the layers that read the input and their sources, or None if one reads it otherwise than by a kernel."""
    found = []
    for layer in network.layers:
        if "input" not in layer.reads:
            continue
        masked = any(source.mask == "input" for source in layer.convolutions)
        if layer.product or masked:
            return None
        found += [(layer, source) for source in layer.convolutions if source.feature == "input"]
    return found


BITS = 64
"""The bits of rows, set or not, that take the processor about a cycle, as measured on first layers."""


def _cycles(network: Network, readers: list[tuple[Layer, Source]], feature: FeatureMap, config: HardwareConfig) -> int:
    """Estimate the cycles of an image: those of the segments or the processor, whichever are more, and of the load."""
    found = feature.image_bytes * 8 // config.bus_bits
    for layer, source in readers:
        one: Input = lower_source(source, feature)
        tiles = segments((one,), (Pitch(line=0, block=0),), config.tile_k)
        height, width = network.geometry[layer.name].computed
        rows = height * width * network.timesteps * layer_planes(network, layer)
        taken = -(-rows // config.load_rows) * sum(map(len, tiles))
        found += max(taken, rows * one.depth // BITS) * -(-layer.channels // config.lanes)
    return found


def gathered(network: Network, feature: FeatureMap, config: HardwareConfig) -> FeatureMap:
    """Return the map of the input as it is stored: gathered, if all its readers gain by that.

    Parameters
    ----------
    network : Network
    feature : of the input, in one encoding
    config : HardwareConfig
    """
    readers = _readers(network)
    shapes = {
        (s.weight.shape[2], s.stride, s.padding, s.flatten, network.geometry[layer.name].computed[0])
        for layer, s in readers or []
    }
    if not readers or len(shapes) != 1:
        return feature
    taps, step, padding, flat, height = shapes.pop()
    # Every image row is stored, so that what is stored says what the image was.
    if taps == 1 or flat or step > taps or (height - 1) * step - padding + taps < feature.height:
        return feature
    channels = taps * feature.channels
    found = replace(
        feature,
        channels=channels,
        height=height,
        block_channels=block_channels(channels, config.lanes),
        taps=taps,
        row_step=step,
        row_padding=padding,
        image_rows=feature.height,
    )
    return min(feature, found, key=lambda one: _cycles(network, readers, one, config))
