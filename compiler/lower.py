"""Turns a network into what hardware runs: every layer becomes a convolution over feature maps of packed planes.

A linear layer becomes a convolution whose kernel is the whole feature map. The bits of a hardware row are in the order
(source, block of channels, ky, kx, channel in the block), and each source begins a K tile of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.program import SEGMENT, SEGMENT_BYTES, pack_fields
from ..model.network.layer import Layer
from ..model.network.network import Network
from .products.maps import for_products
from .rows.inputs import Input


def depth_tiles(inputs: tuple[Input, ...], tile_depth: int) -> int:
    """Return how many K tiles a layer has; one without inputs has one, whose rows have no bits."""
    return sum(-(-i.depth // tile_depth) for i in inputs if not i.masks) or 1


def tile_weights(inputs: tuple[Input, ...], tile_depth: int, outputs: int) -> np.ndarray:
    """Return int8[k_tiles * tile_depth, O]: the weight row of every bit of the K tiles, zero where K is filled up.

    A layer without inputs has a K tile of zeros.
    """
    parts = [] if inputs else [np.zeros((tile_depth, outputs), np.int8)]
    for i in inputs:
        if i.masks:
            continue
        rows = i.weight_rows()
        parts.append(np.pad(rows, ((0, -len(rows) % tile_depth), (0, 0))))
    return np.concatenate(parts)


@dataclass(frozen=True, kw_only=True)
class Pitch:
    """The on-chip words of one source from line to line, and from block to block."""

    line: int
    block: int


def used_tiles(
    weights: np.ndarray, tile_depth: int, block_channels: int, entries: list[int], most: int
) -> list[tuple[int, ...]]:
    """Return the K tiles that each block of output channels needs; in the others all its weights are zero.

    Channels that are joined, and grouped convolutions, have such tiles. A block that needs none has one all the same.
    If the segments of all blocks are more than the segment table holds, all blocks have the tiles that any of them
    needs, so that they share their segments.

    Parameters
    ----------
    weights : int8[k_tiles * tile_depth, O]
    entries : number of segments of each K tile
    most : number of segments that the table holds
    """
    tiles = weights.reshape(len(entries), tile_depth, -1)
    needs = [tiles[..., n : n + block_channels].any(axis=(1, 2)) for n in range(0, tiles.shape[2], block_channels)]
    found = [tuple(np.flatnonzero(one).tolist()) or (0,) for one in needs]
    if sum(entries[number] for one in set(found) for number in one) <= most:
        return found
    return [tuple(sorted({number for one in found for number in one}))] * len(found)


def segment_bytes(entries: list[dict[str, int]]) -> bytes:
    """Return the segment table as it lies in memory.

    Raises
    ------
    ValueError
        A field does not fit its bits.
    """
    fields = {f.name: f for f in SEGMENT}
    return b"".join(pack_fields(fields, entry, SEGMENT_BYTES, "segment") for entry in entries)


def weight_bytes(weights: np.ndarray, first: int, count: int, row_bytes: int) -> bytes:
    """Return the weights of ``count`` output channels from ``first`` on as they lie in memory.

    Each bit has a row of ``row_bytes``, which is filled up with zeros.
    """
    rows = np.zeros((len(weights), row_bytes), np.int8)
    block = weights[:, first : first + count]
    rows[:, : block.shape[1]] = block
    return rows.tobytes()


def parameter_bytes(layer: Layer, first: int, count: int, channels: int) -> bytes:
    """Return the parameters of ``channels`` channels as they lie in memory: int32 bias, threshold, v0 and leak of each.

    The first ``count`` channels are those of the layer from ``first`` on. The others only fill the last group and the
    last block. They have no bias and no weights, so that their potential stays 0, below their threshold of 1, and they
    hold level 0.
    """
    table = np.zeros((channels, 4), "<i4")
    table[:, 1] = 1
    n = layer.neuron
    for column, values in enumerate((n.bias, n.threshold, n.v0, n.leak)):
        table[:count, column] = values[first : first + count]
    return table.tobytes()


def plane_count(levels: int, encoding: str, signed: bool) -> int:
    """Return how many planes the levels 0..``levels`` need; signed ones always have 8."""
    if signed:
        return 8
    return levels if encoding == "thermometer" else levels.bit_length()


def layer_planes(network: Network, layer: Layer) -> int:
    """Return the planes of a layer's rows: as many as its source with the most planes needs."""
    planes = (
        plane_count(network.feature_levels(name), layer.encoding, network.feature_signed(name)) for name in layer.rows
    )
    return max(planes, default=1)


def block_channels(channels: int, lanes: int) -> int:
    """Return the channels of a block, when ``channels`` are cut into as few blocks as needed and these are equal."""
    return -(-channels // -(-channels // lanes))


def run_channels(output: FeatureMap, config: HardwareConfig) -> int:
    """Return the output channels that a RUN computes: of an integer map of small blocks, as many of them as fit."""
    f = output
    if not f.int_bytes or f.block_channels % config.neuron_lanes:
        return f.block_channels
    return block_channels(f.blocks, max(1, config.lanes // f.block_channels)) * f.block_channels


def encoding_of(network: Network, layer: Layer, feature: str) -> str:
    """Return the encoding in which a layer reads a feature.

    Binary spikes have the same single plane in both encodings and always count as bit planes, so that they are written
    only once.
    """
    return layer.encoding if network.feature_levels(feature) > 1 else "bitplane"


INTEGERS, ADDENDS = "integers", "addends"
"""Stand for an encoding where a feature is written as an integer map: as products want it, if they read it, or as a
layer that adds it wants it, if products want it in another way."""


def addend_kind(network: Network, name: str) -> str:
    """Return which integer map of a feature a layer adds to its sums."""
    operands = {layer.product.operand for layer in network.layers if layer.product}
    return ADDENDS if name in operands else INTEGERS


def variants(network: Network) -> dict[str, dict[str, int]]:
    """Return the encodings in which every feature must be written, each with its number of planes.

    A feature that is read in two encodings is computed and written once for each, and one that nobody reads is written
    in one. It has as many planes as the reader that wants the most; the others leave out the upper ones, which are
    zero. What a product reads as weights, and what a sum computes, is an integer map, which has no planes.
    """
    wanted: dict[str, dict[str, int]] = {name: {} for name in ("input", *(layer.name for layer in network.layers))}
    for layer in network.layers:
        planes = layer_planes(network, layer)
        for feature in layer.rows:
            kinds = wanted[feature]
            encoding = encoding_of(network, layer, feature)
            kinds[encoding] = max(planes, kinds.get(encoding, 0))
        if layer.product:
            wanted[layer.product.operand][INTEGERS] = 0
    for layer in network.layers:
        if layer.addend:
            wanted[layer.addend][addend_kind(network, layer.addend)] = 0
        if layer.join:
            kinds, planes = wanted[layer.join.feature], network.feature_levels(layer.join.feature).bit_length()
            kinds["bitplane"] = max(planes, kinds.get("bitplane", 0))
    for layer in network.layers:
        if layer.neuron.kind == "sum" and ADDENDS not in wanted[layer.name]:
            wanted[layer.name][INTEGERS] = 0
        elif not wanted[layer.name]:  # what nobody reads is a result of the network
            wanted[layer.name]["bitplane"] = max(1, layer.levels.bit_length())
    return wanted


def new_feature(
    network: Network, name: str, encoding: str, planes: int, images: int, config: HardwareConfig
) -> FeatureMap:
    """Return the feature map of a layer, or of "input", in one encoding; it has no address yet."""
    channels, height, width = network.feature_shape(name)
    kind = "if" if name == "input" else network.layer(name).neuron.kind
    integers = encoding in (INTEGERS, ADDENDS)
    feature = FeatureMap(
        name=name,
        kind="potentials" if kind == "readout" else INTEGERS if integers else "planes",
        images=images,
        timesteps=network.timesteps,
        channels=channels,
        height=height,
        width=width,
        levels=network.feature_levels(name),
        signed=network.feature_signed(name),
        encoding="bitplane" if integers else encoding,
        planes=planes,
        block_channels=block_channels(channels, config.lanes),
        bus_bytes=config.bus_bits // 8,
        repeat=name == "input" and network.input_mode == "repeat",
        int_bytes=4 if kind == "readout" else max(8, network.feature_bits(name)) // 8 if integers else 0,
    )
    return feature if encoding == ADDENDS else for_products(network, feature, config)
