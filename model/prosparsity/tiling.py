"""How a layer's inputs become tiles of binary rows: the one place that knows the orders.

Rows are ordered by image, output position, timestep and plane, of which plane 0, the least significant one, comes
first. Positions are issued row by row. With a pool of kernel k, the windows of the pool are issued row by row, and the
k*k positions of a window row by row inside it; positions that no window covers are not computed. A tile along M holds
whole positions, ``tile_m // (T * P)`` of them. When the layer has a single output position, as a linear layer has, the
images of a batch take the place of positions and share tiles. Otherwise each image starts a tile of its own.

The bits of a row are in one of two orders: ``k = (ky*KW + kx)*C + c`` is called "kkc" and is the hardware's (but of an
input that the host gathers, :mod:`reprise.hw.arch.feature_map`), and
``k = (c*KH + ky)*KW + kx`` is called "ckk" and is the published simulator's. K is cut every ``tile_k`` bits. Each
source begins a tile of its own, and the rest of the tile before it is zero.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numba as nb
import numpy as np

from ...support.checks import require, require_int
from ...support.kernels import kernel
from ...support.threads import threads_for
from ..network.layer import Layer, Source
from ..network.network import Network
from .rows import check_levels, plane_table, plane_weights
from .tiles import MAX_TILE_M, tile_starts

KOrder = Literal["kkc", "ckk"]


def source_columns(source: Source, channels: int, k_order: KOrder = "kkc") -> np.ndarray:
    """Return where every bit of a source's rows comes from: int64[K, 3] of (ky, kx, c), in ``k_order``.

    The columns of a flatten source, which reads a feature of ``channels`` as (y, x, c), are (y, x, c) in the
    hardware's order, and the same columns taken as (c, y, x) in "ckk".
    """
    require(k_order in ("kkc", "ckk"), "k_order", "'kkc' or 'ckk'", k_order)
    kh, kw = source.weight.shape[2:]
    if source.flatten:
        # a kernel as large as the feature; its height and width do not matter beyond their product
        kh, kw, c = source.weight.shape[1] // channels, 1, channels
    else:
        c = source.weight.shape[1]
    ky, kx, ch = np.meshgrid(np.arange(kh), np.arange(kw), np.arange(c), indexing="ij")
    columns = np.stack([ky, kx, ch], axis=-1)
    if k_order == "ckk":
        columns = columns.transpose(2, 0, 1, 3)
    return columns.reshape(-1, 3)


def weight_rows(source: Source, channels: int, k_order: KOrder = "kkc") -> np.ndarray:
    """Return the weight row of every bit of a source's rows, int8[K, O], in ``k_order``."""
    ky, kx, c = source_columns(source, channels, k_order).T
    if source.flatten:
        return source.weight[:, ky * channels + c, 0, 0].T
    return source.weight[:, c, ky, kx].T


def issue_positions(height: int, width: int, pool: int = 1) -> np.ndarray:
    """Return the output positions as they are issued, int64[positions, 2] of (y, x), in the module's order."""
    rows, columns = height // pool, width // pool
    y, x = np.meshgrid(np.arange(rows * pool), np.arange(columns * pool), indexing="ij")
    grid = np.stack([y, x], axis=-1).reshape(rows, pool, columns, pool, 2)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, 2)


def tile_cuts(positions: int, rows_per_position: int, tile_m: int, images: int = 1, shared: bool = False) -> np.ndarray:
    """Return the first row of each tile along M, and the end: int64[tiles + 1].

    Parameters
    ----------
    positions : int
        Output positions of one image.
    rows_per_position : int
        T * P, the rows that must stay in one tile.
    tile_m : int
        Rows of a tile, 1..4096.
    images : int
    shared : bool
        Images share tiles; otherwise each image starts a tile of its own.
    """
    require_int("tile_m", tile_m, 1, MAX_TILE_M)
    per_tile = tile_m // rows_per_position
    why = "the rows of one position (timesteps x planes) stay in one tile"
    require(per_tile > 0, "tile_m", f"at least {rows_per_position}", tile_m, why)
    if shared:
        positions, images = positions * images, 1
    one = np.arange(0, positions, per_tile) * rows_per_position
    offsets = np.arange(images) * positions * rows_per_position
    starts = (offsets[:, None] + one[None, :]).reshape(-1)
    return np.append(starts, images * positions * rows_per_position).astype(np.int64)


@kernel(parallel=True)
def _gather(
    codes: np.ndarray,
    positions: np.ndarray,
    columns: np.ndarray,
    stride: int,
    padding: int,
    table: np.ndarray,
    tile_k: int,
    first_word: int,
    planes: int,
    packed: np.ndarray,
) -> None:
    """Set the bits of one source's planes in ``packed``.

    ``codes`` are uint8 (n, T, C, H, W), and ``table`` holds the planes of every code, (256, planes of the source).
    """
    n, timesteps, channels, height, width = codes.shape
    count = len(positions)
    for job in nb.prange(n * count):
        image, position = job // count, job % count
        top = positions[position, 0] * stride - padding
        left = positions[position, 1] * stride - padding
        for t in range(timesteps):
            row = (job * timesteps + t) * planes
            for k in range(len(columns)):
                y, x = top + columns[k, 0], left + columns[k, 1]
                if y < 0 or x < 0 or y >= height or x >= width:
                    continue
                code = codes[image, t, columns[k, 2], y, x]
                if code == 0:
                    continue
                word, bit = first_word + k // tile_k, np.uint64(1) << np.uint64(k % tile_k)
                for p in range(table.shape[1]):
                    if table[code, p]:
                        packed[row + p, word] |= bit


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTiles:
    """A layer's inputs as packed binary rows, cut into tiles.

    Members
    -------
    packed : uint64[M, KT]
        M = images * positions * T * P rows, of which word k holds the bits of tile k along K.
    starts : int64[MT + 1]
        First row of each tile along M, and M.
    positions : int64[Q, 2]
        (y, x) of each position of an image, as they are issued.
    plane_weights : int64[P]
    weights : int8[KT * tile_k, O]
        The weight row of every bit, which is zero where K is padded.
    images, timesteps, tile_k : int
    """

    packed: np.ndarray
    starts: np.ndarray
    positions: np.ndarray
    plane_weights: np.ndarray
    weights: np.ndarray
    images: int
    timesteps: int
    tile_k: int

    @property
    def m_tiles(self) -> int:
        """Number of tiles along M."""
        return len(self.starts) - 1

    @property
    def k_tiles(self) -> int:
        """Number of tiles along K."""
        return self.packed.shape[1]

    def rows(self, m: int, k: int) -> np.ndarray:
        """Return the rows of tile ``m`` along M and ``k`` along K, uint64[rows]."""
        return self.packed[self.starts[m] : self.starts[m + 1], k]

    def tile_weights(self, k: int) -> np.ndarray:
        """Return the weight rows of tile ``k`` along K, int8[tile_k, O]."""
        return self.weights[k * self.tile_k : (k + 1) * self.tile_k]

    def combine(self, row_sums: np.ndarray) -> np.ndarray:
        """Weigh and add the planes of row sums int64[M, O], and put positions in place: int64[n, T, O, H, W]."""
        shape = (self.images, len(self.positions), self.timesteps, len(self.plane_weights), row_sums.shape[1])
        sums = np.einsum("nqtpo,p->ntoq", row_sums.reshape(shape), self.plane_weights)
        height, width = self.positions.max(axis=0) + 1
        psum = np.empty((*sums.shape[:3], height, width), dtype=np.int64)
        psum[..., self.positions[:, 0], self.positions[:, 1]] = sums
        return psum


def _batched(levels: np.ndarray) -> np.ndarray:
    levels = np.asarray(levels)
    require(levels.ndim in (4, 5), "levels", "of axes (T, C, H, W) or (n, T, C, H, W)", levels.shape)
    return levels if levels.ndim == 5 else levels[None]


def layer_tiles(
    layer: Layer,
    inputs: tuple[np.ndarray, ...],
    n_levels: tuple[int, ...],
    *,
    tile_m: int,
    tile_k: int,
    signed: bool = False,
    k_order: KOrder = "kkc",
    share_images: bool | None = None,
    whole_positions: bool = True,
) -> LayerTiles:
    """Make the packed rows of a layer.

    Parameters
    ----------
    layer : Layer
    inputs : one array per source, integers (T, C, H, W) or (n, T, C, H, W)
        Levels of the features that the sources read.
    n_levels : one int per source
        N of those features. A source with fewer planes than the other has zeros in the upper ones.
    tile_m, tile_k : int
        Rows of a tile, 1..4096 and at least T*P, and bits of a row in a tile, 1..64.
    signed : bool
        The input is two's complement.
    k_order : "kkc" or "ckk"
    share_images : bool or None
        Whether the images of a batch share tiles. None means that they do when the layer has one output position.
    whole_positions : bool
        False cuts every ``tile_m`` rows, through a position if need be, as the published simulator does.
    """
    require_int("tile_k", tile_k, 1, 64, "a row of a tile is one machine word")
    sources = layer.convolutions
    require(len(sources) > 0, "layer", "one with weights of its own", layer, "product_jobs makes the rows of a product")
    require(len(inputs) == len(sources), "inputs", f"one per source ({len(sources)})", len(inputs))
    features = [_batched(feature) for feature in inputs]
    n, timesteps = features[0].shape[:2]
    sizes = {s.output_size(*f.shape[3:]) for s, f in zip(sources, features, strict=True)}
    require(len(sizes) == 1, f"layer {layer.name!r}: output sizes of the sources", "equal", sizes)
    positions = issue_positions(*sizes.pop(), layer.pool.side if layer.pool else 1)
    tables = [plane_table(count, layer.encoding, signed) for count in n_levels]
    planes = max(table.shape[1] for table in tables)
    depths = [-(-source.depth // tile_k) for source in sources]
    packed = np.zeros((n * len(positions) * timesteps * planes, sum(depths)), dtype=np.uint64)
    weights = np.zeros((sum(depths) * tile_k, layer.channels), dtype=np.int8)
    word = 0
    for source, feature, count, table, depth in zip(sources, features, n_levels, tables, depths, strict=True):
        name = f"layer {layer.name!r}: input {source.feature!r}"
        channels = feature.shape[2]
        expected = source.weight.shape[1]
        got = int(np.prod(feature.shape[2:])) if source.flatten else channels
        require(got == expected, f"{name}: channels", str(expected), feature.shape)
        require(feature.shape[:2] == (n, timesteps), name, f"of {n} images x {timesteps} timesteps", feature.shape)
        codes = np.ascontiguousarray(check_levels(feature, count, signed, name))
        if source.flatten:  # one column of height H*W: the order (y, x) of the columns is kept
            codes = codes.reshape(n, timesteps, channels, -1, 1)
        columns = source_columns(source, channels, k_order)
        with threads_for(n * timesteps * len(positions) * source.depth * 2):
            _gather(codes, positions, columns, source.stride, source.padding, table, tile_k, word, planes, packed)
        weights[word * tile_k : word * tile_k + source.depth] = weight_rows(source, channels, k_order)
        word += depth
    if share_images is None:
        share_images = len(positions) == 1
    if whole_positions:
        starts = tile_cuts(len(positions), timesteps * planes, tile_m, n, share_images)
    else:
        starts = tile_starts(len(packed), tile_m)
    return LayerTiles(
        packed=packed,
        starts=starts,
        positions=positions,
        plane_weights=plane_weights(max(n_levels), layer.encoding, signed),
        weights=weights,
        images=n,
        timesteps=timesteps,
        tile_k=tile_k,
    )


def network_tiles(
    network: Network,
    name: str,
    features: dict[str, np.ndarray],
    *,
    tile_m: int,
    tile_k: int,
    k_order: KOrder = "kkc",
    share_images: bool | None = None,
    published: bool = False,
) -> LayerTiles:
    """Make the :func:`layer_tiles` of a network's layer from its features (``Result.features``, "input" among them).

    With ``published``, rows and tiles have the orders of the published simulator, which are those of a capture: K in
    "ckk", positions row by row even if a pool follows, and a cut every ``tile_m`` rows.
    """
    layer = network.layer(name)
    return layer_tiles(
        replace(layer, pool=None) if published else layer,
        tuple(source.levels(features) for source in layer.convolutions),
        tuple(network.feature_levels(source.feature) for source in layer.sources),
        tile_m=tile_m,
        tile_k=tile_k,
        signed=any(network.feature_signed(source.feature) for source in layer.sources),
        k_order="ckk" if published else k_order,
        share_images=share_images,
        whole_positions=not published,
    )
