"""How a feature map must lie in memory for the products that read it or write it."""

from __future__ import annotations

import math
from dataclasses import replace

from ...hw.arch.config import HardwareConfig
from ...hw.arch.feature_map import FeatureMap
from ...model.network.layer import Product
from ...model.network.network import Network
from ..errors import CompileError


def tile_depth(depth: int, config: HardwareConfig) -> int:
    """Return how many bits of a row a K tile of a product has where K of one head and timestep is ``depth``."""
    return min(depth, config.tile_k)


def for_products(network: Network, feature: FeatureMap, config: HardwareConfig) -> FeatureMap:
    """Return a map with the blocks and the order that products want.

    - What a product writes has a block for each head, because each head is a RUN of its own; over tokens all heads have
      the same channels, which are one block.
    - An operand has a block for each head, so that a head's integers at a position are a weight row. Each timestep is
      filled up to whole K tiles. An operand over channels has its rows, which are the heads, outside of the timesteps,
      so that the timesteps of a head follow each other.
    - The rows of a product are made of blocks that hold whole heads.

    Raises
    ------
    CompileError
        Two products want a map in different ways.
    """
    products = [layer.product for layer in network.layers if layer.product]
    own = network.layer(feature.name).product if feature.name != "input" else None
    if own:
        heads = own.heads if own.over == "channels" else 1
        feature = replace(feature, block_channels=feature.channels // heads)
    if feature.kind != "planes":
        found = {_as_operand(feature, one, config) for one in products if one.operand == feature.name}
        if len(found) > 1:
            raise CompileError(
                f"feature {feature.name!r}: the products that read it as weights must have equally many heads and be "
                "over the same axis, because it is written once: compute the layer twice"
            )
        return found.pop() if found else feature
    units = [feature.channels // one.heads for one in products if one.feature == feature.name]
    if not units or own:
        return feature
    unit = math.lcm(*units)
    blocks = -(-(feature.channels // unit) // max(1, config.lanes // unit))
    return replace(feature, block_channels=-(-(feature.channels // unit) // blocks) * unit)


def _as_operand(feature: FeatureMap, product: Product, config: HardwareConfig) -> FeatureMap:
    if product.over == "tokens":
        positions, channels = feature.height * feature.width, feature.channels // product.heads
    else:
        positions, channels = feature.width, feature.channels
    spare = -positions % tile_depth(positions, config)
    return replace(feature, block_channels=channels, spare=spare, rows_first=product.over == "channels")
