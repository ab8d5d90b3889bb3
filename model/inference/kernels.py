"""Compiled integer kernels that use all cores: a matrix product, a convolution, and a product with reuse.

Nothing is rounded, since they add int8 weights in int64. They share no code with each other nor with the BLAS path in
``reprise.model.inference.layers``, so that equality between them is evidence.
"""

import numba as nb
import numpy as np

from ...support.checks import require
from ...support.kernels import kernel
from ...support.threads import threads_for
from ..prosparsity.search import FEWEST, N_COUNTS, search_tile
from ..prosparsity.tiles import Tile


@kernel(parallel=True)
def _conv(x: np.ndarray, w: np.ndarray, stride: int, padding: int, out: np.ndarray) -> None:
    frames, channels, height, width = x.shape
    outputs, _, kh, kw = w.shape
    out_h, out_w = out.shape[2:]
    for job in nb.prange(frames * outputs):
        f, o = job // outputs, job % outputs
        for y in range(out_h):
            row = np.zeros(out_w, dtype=np.int64)
            for c in range(channels):
                for ky in range(kh):
                    iy = y * stride + ky - padding
                    if iy < 0 or iy >= height:
                        continue
                    for kx in range(kw):
                        weight = np.int64(w[o, c, ky, kx])
                        low = max(0, (padding - kx + stride - 1) // stride)
                        high = min(out_w, (width - 1 - kx + padding) // stride + 1)
                        for ox in range(low, high):
                            row[ox] += weight * x[f, c, iy, ox * stride + kx - padding]
            out[f, o, y] = row


def int_conv(x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Convolve levels (frames, C, H, W) with weights int8[O, C, KH, KW] in integers: int64[frames, O, H', W']."""
    require(x.ndim == 4 and w.ndim == 4 and x.shape[1] == w.shape[1], "shapes", "NCHW and OCHW", (x.shape, w.shape))
    size = [(x.shape[i] + 2 * padding - w.shape[i]) // stride + 1 for i in (2, 3)]
    out = np.empty((len(x), len(w), *size), dtype=np.int64)
    with threads_for(out.size * w[0].size):
        _conv(np.asarray(x).astype(np.int16), np.ascontiguousarray(w, dtype=np.int8), stride, padding, out)
    return out


@kernel()
def tile_product(
    rows: np.ndarray,
    prefix: np.ndarray,
    residual: np.ndarray,
    order: np.ndarray,
    nonzero: int,
    weights: np.ndarray,
    results: np.ndarray,
) -> None:
    """Compute the results of one tile in issue order.

    A row's result is that of its prefix plus the weight rows of its residual's bits.
    """
    results[:] = 0
    for s in range(nonzero):
        i = order[s]
        if prefix[i] >= 0:
            results[i] = results[prefix[i]]
        for k in range(len(weights)):
            if (residual[i] >> np.uint64(k)) & np.uint64(1):
                for o in range(weights.shape[1]):
                    results[i, o] += weights[k, o]


@kernel(parallel=True)
def _reuse_matmul(packed: np.ndarray, starts: np.ndarray, weights: np.ndarray, tile_k: int, out: np.ndarray) -> None:
    for m in nb.prange(len(starts) - 1):
        low, high = starts[m], starts[m + 1]
        prefix = np.empty(high - low, dtype=np.int32)
        order = np.empty(high - low, dtype=np.int32)
        residual = np.empty(high - low, dtype=np.uint64)
        counts = np.zeros(N_COUNTS, dtype=np.int64)
        results = np.empty((high - low, weights.shape[1]), dtype=np.int32)
        for k in range(packed.shape[1]):
            rows = packed[low:high, k].copy()
            search_tile(rows, prefix, residual, order, counts, FEWEST)
            part = weights[k * tile_k : (k + 1) * tile_k]
            tile_product(rows, prefix, residual, order, counts[1], part, results)
            out[low:high] += results


def reuse_matmul(packed: np.ndarray, starts: np.ndarray, weights: np.ndarray, tile_k: int) -> np.ndarray:
    """Multiply packed binary rows by weights, each tile by product sparsity.

    Parameters
    ----------
    packed : uint64[M, KT]
    starts : int64[MT + 1]
    weights : int8[KT * tile_k, O]
    tile_k : int

    Returns
    -------
    int64[M, O], which equals ``unpack_rows(packed, tile_k) @ weights``
    """
    depth = packed.shape[1] * tile_k
    require(weights.ndim == 2 and len(weights) == depth, "weights", f"of {depth} rows (KT * tile_k)", weights.shape)
    out = np.zeros((len(packed), weights.shape[1]), dtype=np.int64)
    with threads_for(packed.size * (weights.shape[1] + 40)):
        _reuse_matmul(packed, np.asarray(starts), np.ascontiguousarray(weights, dtype=np.int8), tile_k, out)
    return out


def tile_results(tile: Tile, weights: np.ndarray) -> np.ndarray:
    """Compute the results of an analysed tile with weights int8[tile_k, O]: int32[m, O]."""
    results = np.empty((len(tile.rows), weights.shape[1]), dtype=np.int32)
    w = np.ascontiguousarray(weights, dtype=np.int8)
    tile_product(
        np.ascontiguousarray(tile.rows),
        np.ascontiguousarray(tile.prefix),
        np.ascontiguousarray(tile.residual),
        np.ascontiguousarray(tile.order),
        len(tile.order),
        w,
        results,
    )
    return results
