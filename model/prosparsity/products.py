"""How a layer becomes jobs, each of which multiplies one matrix of binary rows by one matrix of weights.

A layer with weights of its own is one job, whose rows and tiles are those of
:mod:`reprise.model.prosparsity.tiling`. A product of two maps has other weights in each image, timestep and head
(:class:`reprise.model.network.layer.Product`), and so it has many jobs:

- over "tokens" there is one for each image, timestep and head. Its rows are the planes of the channels of the feature's
  head, channel by channel with the planes inside, and a row's bits are the positions (y, x) in order. The weight rows
  are the positions of the operand's head. No timesteps lie together.
- over "channels" there is one for each image and head. Its rows are ordered by position, timestep and plane as
  everywhere. K is a stack of timesteps, each of which begins a K tile of its own: bits of timestep tau are set in rows
  of timestep tau alone, so that every timestep meets the weights of its own operand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...support.checks import require
from ..network.layer import Layer, Product
from ..network.network import Network
from .rows import encode_planes, pack_rows
from .tiles import Counts, count_packed, tile_starts
from .tiling import LayerTiles, issue_positions, network_tiles, tile_cuts

Part = tuple[slice, slice, slice, slice, slice]

ALL = slice(None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One matrix product of a layer.

    Members
    -------
    tiles : LayerTiles
        The rows and the weights of this job.
    part : five slices
        The part of the layer's sums (n, T, O, H, W) that ``tiles.combine`` gives.
    """

    tiles: LayerTiles
    part: Part


def _only(index: int, size: int = 1) -> slice:
    return slice(index * size, (index + 1) * size)


def _cuts(positions: int, rows_per_position: int, tile_m: int, whole_positions: bool) -> np.ndarray:
    if whole_positions:
        return tile_cuts(positions, rows_per_position, tile_m)
    return tile_starts(positions * rows_per_position, tile_m)


def _tokens(
    product: Product, planes: np.ndarray, operand: np.ndarray, plane_weights: np.ndarray, cut: tuple[int, int, bool]
) -> Iterator[Job]:
    n, timesteps, channels, height, width, count = planes.shape
    tile_m, tile_k, whole = cut
    d, dv, depth = channels // product.heads, operand.shape[2] // product.heads, height * width
    for image, t, head in np.ndindex(n, timesteps, product.heads):
        bits = planes[image, t, _only(head, d)].reshape(d, depth, count).transpose(0, 2, 1).reshape(d * count, depth)
        packed = pack_rows(bits, tile_k)
        weights = np.zeros((packed.shape[1] * tile_k, dv), dtype=np.int8)
        weights[:depth] = operand[image, t, _only(head, dv)].reshape(dv, depth).T
        tiles = LayerTiles(
            packed=packed,
            starts=_cuts(d, count, tile_m, whole),
            positions=issue_positions(1, d),
            plane_weights=plane_weights,
            weights=weights,
            images=1,
            timesteps=1,
            tile_k=tile_k,
        )
        yield Job(tiles=tiles, part=(_only(image), _only(t), ALL, _only(head), ALL))


def _channels(
    product: Product, planes: np.ndarray, operand: np.ndarray, plane_weights: np.ndarray, cut: tuple[int, int, bool]
) -> Iterator[Job]:
    n, timesteps, channels, height, width, count = planes.shape
    tile_m, tile_k, whole = cut
    d, dv, words = channels // product.heads, operand.shape[2], -(-channels // product.heads // tile_k)
    together = timesteps if whole else 1  # the published simulator takes every timestep by itself
    for image, first, head in np.ndindex(n, timesteps // together, product.heads):
        at = _only(first, together)
        bits = planes[image, at, _only(head, d)].transpose(2, 3, 0, 4, 1)
        rows = pack_rows(bits.reshape(-1, d), tile_k).reshape(height * width, together, count, words)
        packed = np.zeros((height * width, together, count, together, words), dtype=np.uint64)
        weights = np.zeros((together, words * tile_k, dv), dtype=np.int8)
        for t in range(together):
            packed[:, t, :, t] = rows[:, t]
        weights[:, :d] = operand[image, at, :, head].transpose(0, 2, 1)
        tiles = LayerTiles(
            packed=packed.reshape(-1, together * words),
            starts=_cuts(height * width, together * count, tile_m, whole),
            positions=issue_positions(height, width),
            plane_weights=plane_weights,
            weights=weights.reshape(-1, dv),
            images=1,
            timesteps=together,
            tile_k=tile_k,
        )
        yield Job(tiles=tiles, part=(_only(image), at, _only(head, dv), ALL, ALL))


def product_jobs(
    layer: Layer,
    feature: np.ndarray,
    operand: np.ndarray,
    n_levels: int,
    *,
    tile_m: int,
    tile_k: int,
    whole_positions: bool = True,
) -> Iterator[Job]:
    """Make the jobs of a layer that is a product.

    Parameters
    ----------
    layer : Layer
    feature : levels (n, T, C, H, W) of 0..``n_levels``
    operand : integers (n, T, C, H, W) that fit int8
    n_levels : N of the feature
    tile_m, tile_k : rows of a tile, 1..4096, and bits of a row in a tile, 1..64
    whole_positions : False cuts every ``tile_m`` rows, and takes every timestep by itself, as the published simulator
    """
    product = layer.product
    assert product is not None, "the layer has weights of its own"
    low, high = int(operand.min()), int(operand.max())
    here = f"layer {layer.name!r}: operand {product.operand!r}"
    require(-128 <= low and high <= 127, here, "of integers that fit int8", (low, high))
    planes, weights = encode_planes(feature, n_levels, layer.encoding)
    make = _tokens if product.over == "tokens" else _channels
    yield from make(product, planes, operand.astype(np.int8), weights, (tile_m, tile_k, whole_positions))


def _empty_tiles(layer: Layer, addend: np.ndarray, tile_m: int, tile_k: int) -> LayerTiles:
    """Make the rows of a layer without sources: one K tile without bits, for every position and timestep."""
    n, timesteps, _, height, width = addend.shape
    positions = issue_positions(height, width)
    return LayerTiles(
        packed=np.zeros((n * len(positions) * timesteps, 1), dtype=np.uint64),
        starts=tile_cuts(len(positions), timesteps, tile_m, n, len(positions) == 1),
        positions=positions,
        plane_weights=np.ones(1, dtype=np.int64),
        weights=np.zeros((tile_k, layer.channels), dtype=np.int8),
        images=n,
        timesteps=timesteps,
        tile_k=tile_k,
    )


def network_jobs(
    network: Network,
    name: str,
    features: dict[str, np.ndarray],
    *,
    tile_m: int,
    tile_k: int,
    published: bool = False,
) -> Iterator[Job]:
    """Make the jobs of a network's layer from its features (``Result.features``, "input" among them).

    With ``published``, rows and tiles have the orders of the published simulator, as in
    :func:`reprise.model.prosparsity.tiling.network_tiles`.
    """
    layer = network.layer(name)
    product = layer.product
    if layer.addend and not layer.sources:
        tiles = _empty_tiles(layer, features[layer.addend], tile_m, tile_k)
        yield Job(tiles=tiles, part=(ALL, ALL, ALL, ALL, ALL))
        return
    if product is None:
        tiles = network_tiles(network, name, features, tile_m=tile_m, tile_k=tile_k, published=published)
        yield Job(tiles=tiles, part=(ALL, ALL, ALL, ALL, ALL))
        return
    read = features[product.feature], features[product.operand], network.feature_levels(product.feature)
    yield from product_jobs(layer, *read, tile_m=tile_m, tile_k=tile_k, whole_positions=not published)


def network_counts(
    network: Network,
    name: str,
    features: dict[str, np.ndarray],
    *,
    tile_m: int,
    tile_k: int,
    published: bool = False,
) -> Counts[np.ndarray]:
    """Count the tiles of all jobs of a layer, one job after the other along M: Counts of int64[MT, KT]."""
    jobs = network_jobs(network, name, features, tile_m=tile_m, tile_k=tile_k, published=published)
    return Counts.join([count_packed(job.tiles.packed, job.tiles.starts) for job in jobs])
