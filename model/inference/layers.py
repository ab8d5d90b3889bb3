"""Layers in plain integers: partial sums, pooling, flattening, and exact average pooling.

A layer's partial sums are a matrix product of its im2col rows with its weights. BLAS computes it in floating point, but
only where that is exact. All terms are integers, and with ``bound = max|level| * max_o sum_k |w|`` the sum of any of
them in any order has a magnitude of at most ``bound``. If ``bound < 2**24``, float32 holds every such integer, and if
``bound < 2**53``, float64 does, so that no addition and no fused multiply-add ever rounds. Otherwise the integer kernel
is used; 8-bit levels and weights cannot come to that below K = 2**38.
"""

import numpy as np

from ...support.checks import require
from ..network.layer import Layer, Product, Source
from ..network.pool import MaxPool
from .kernels import int_conv


def flatten_features(feature: np.ndarray) -> np.ndarray:
    """Read a feature (..., C, H, W) as a linear layer does: (..., H*W*C, 1, 1), in the hardware's order (y, x, c)."""
    moved = np.moveaxis(feature, -3, -1)
    return moved.reshape(*feature.shape[:-3], -1, 1, 1)


def flatten_columns(weight: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Permute a linear weight's columns from PyTorch's flatten order (c, y, x) to the hardware's order (y, x, c).

    Parameters
    ----------
    weight : [O, C*H*W]
    shape : (C, H, W) of the feature that the layer reads

    Returns
    -------
    [O, H*W*C]
    """
    require(weight.ndim == 2 and weight.shape[1] == np.prod(shape), "weight", f"[O, {np.prod(shape)}]", weight.shape)
    return weight.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(len(weight), -1)


def max_pool(levels: np.ndarray, pool: MaxPool | None) -> np.ndarray:
    """Take the maximum over windows of the last two axes; edges that fill no window are dropped.

    Without a pool the levels stay as they are.
    """
    if pool is None:
        return levels
    k, s, p = pool.kernel, pool.stride, pool.padding
    height, width = (pool.outputs(size) for size in levels.shape[-2:])
    sides = [(0, 0)] * (levels.ndim - 2)
    padded = np.pad(levels, [*sides, (p, k), (p, k)])  # levels are at least 0, so more zeros than needed do no harm
    result = np.zeros((*levels.shape[:-2], height, width), levels.dtype)
    for dy in range(k):
        for dx in range(k):
            result = np.maximum(result, padded[..., dy : dy + s * height : s, dx : dx + s * width : s])
    return result


def exact_dtype(source: Source, largest: int) -> type | None:
    """Return the floating type in which a source's products with levels up to ``largest`` are exact, or None."""
    per_output = np.abs(source.weight.astype(np.int64)).sum(axis=(1, 2, 3))
    bound = largest * int(per_output.max())
    if bound < 2**24:
        return np.float32
    return np.float64 if bound < 2**53 else None


def im2col(x: np.ndarray, source: Source, size: tuple[int, int]) -> np.ndarray:
    """Lay out the windows of (frames, C, H, W) as rows, (frames * h * w, C * KH * KW).

    The output has ``size`` (h, w), and the columns are in the order (c, ky, kx).
    """
    p, s = source.padding, source.stride
    kh, kw = source.weight.shape[2:]
    if p:
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::s, ::s]
    windows = windows[:, :, : size[0], : size[1]]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(x) * size[0] * size[1], -1)


def source_sums(source: Source, levels: np.ndarray, size: tuple[int, int], method: str = "blas") -> np.ndarray:
    """Compute the sums of products of one source.

    Parameters
    ----------
    source : Source
    levels : uint8 or int8 (frames, C, H, W)
    size : (h, w)
        The part of the output that is computed, from (0, 0) on.
    method : "blas" or "integer"
        Floating point where the module proves that it is exact, or the integer kernel.

    Returns
    -------
    int32 or int64 (frames, O, h, w), as the bound asks
    """
    if source.flatten:
        levels = flatten_features(levels)
    dtype = exact_dtype(source, 128 if levels.dtype == np.int8 else 255)
    if method == "integer" or dtype is None:
        return int_conv(levels, source.weight, source.stride, source.padding)[:, :, : size[0], : size[1]]
    columns = im2col(levels.astype(dtype), source, size)
    weights: np.ndarray = source.weight.reshape(len(source.weight), -1).astype(dtype)
    product = columns @ weights.T
    integers = product.astype(np.int32 if dtype is np.float32 else np.int64)
    return integers.reshape(len(levels), *size, -1).transpose(0, 3, 1, 2)


def layer_sums(layer: Layer, inputs: list[np.ndarray], size: tuple[int, int], method: str = "blas") -> np.ndarray:
    """Add the products of a layer's sources, of which there is at least one: integers (frames, O, h, w)."""
    sums = source_sums(layer.convolutions[0], inputs[0], size, method)
    for source, levels in zip(layer.convolutions[1:], inputs[1:], strict=True):
        sums = sums.astype(np.int64) + source_sums(source, levels, size, method)
    return sums


def product_sums(product: Product, feature: np.ndarray, operand: np.ndarray, method: str = "blas") -> np.ndarray:
    """Compute the products of two maps, head by head.

    A sum has fewer than 2**26 terms of less than 2**15, so that float64 holds every intermediate sum exactly.

    Parameters
    ----------
    product : Product
    feature : levels (frames, C, H, W)
    operand : integers that fit int8 (frames, C, H, W)
    method : "blas" or "integer"
        Floating point, which is exact, or integers.

    Returns
    -------
    int64 (frames, O, H, W), in the shape that :class:`reprise.model.network.layer.Product` tells
    """
    dtype = np.int64 if method == "integer" else np.float64
    frames, channels, height, width = feature.shape
    heads = product.heads
    rows = feature.astype(dtype).reshape(frames, heads, channels // heads, height * width)
    weights = operand.astype(dtype)
    if product.over == "channels":
        by_head = weights.transpose(0, 2, 1, 3)  # of (dv, d) for each head
        return (by_head @ rows).reshape(frames, -1, height, width).astype(np.int64)
    by_head = weights.reshape(frames, heads, -1, height * width)
    return (by_head @ rows.transpose(0, 1, 3, 2)).transpose(0, 2, 1, 3).astype(np.int64)
