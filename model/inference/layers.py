"""Layers in plain integers: partial sums, pooling, flattening, exact average pooling.

A layer's partial sums are a matrix product of its im2col rows with its weights. It is given to BLAS in floating
point only where that is exact: all terms are integers and, with ``bound = max|level| * max_o sum_k |w|``, every sum
of any subset of them in any order has a magnitude of at most ``bound``. If ``bound < 2**24`` float32 holds every
such integer, if ``bound < 2**53`` float64 does, so no addition or fused multiply-add ever rounds. Otherwise (which
8-bit levels and weights cannot reach below K = 2**38) the integer kernel is used.
"""

import numpy as np

from ...support.checks import require, require_int
from ..network.layer import Layer, MaxPool, Source
from .kernels import int_conv


def flatten_features(feature: np.ndarray) -> np.ndarray:
    """(..., C, H, W) -> (..., H*W*C, 1, 1) in hardware order (y, x, c): how a linear layer reads a feature."""
    moved = np.moveaxis(feature, -3, -1)
    return moved.reshape(*feature.shape[:-3], -1, 1, 1)


def flatten_columns(weight: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Permute a linear weight's columns from PyTorch's flatten order (c, y, x) to hardware order (y, x, c).

    [O, C*H*W] for a feature of ``shape`` (C, H, W) -> [O, H*W*C].
    """
    require(weight.ndim == 2 and weight.shape[1] == np.prod(shape), "weight", f"[O, {np.prod(shape)}]", weight.shape)
    return weight.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(len(weight), -1)


def max_pool(levels: np.ndarray, pool: MaxPool | None) -> np.ndarray:
    """Maximum over windows of the last two axes; odd edges are dropped. None: the levels themselves."""
    if pool is None:
        return levels
    k = pool.kernel
    height, width = levels.shape[-2] // k, levels.shape[-1] // k
    cut = levels[..., : height * k, : width * k]
    result = cut[..., ::k, ::k]
    for dy in range(k):
        for dx in range(k):
            result = np.maximum(result, cut[..., dy::k, dx::k])
    return result


def sum_pool_weight(channels: int, kernel: int) -> np.ndarray:
    """int8[C, C, k, k] that sums every window of each channel (use stride k).

    Average pooling is that sum divided by k*k. It is exact where the division is moved into integers that follow:
    a neuron on the sum with its threshold, bias and v0 multiplied by k*k fires as a neuron on the average.
    """
    require_int("kernel", kernel, 1)
    eye = np.eye(channels, dtype=np.int8)
    return np.ascontiguousarray(np.broadcast_to(eye[:, :, None, None], (channels, channels, kernel, kernel)))


def fold_average_pool(weight: np.ndarray, kernel: int) -> np.ndarray:
    """Weight [O, C, KH, KW] of stride s after k x k average pooling -> [O, C, KH*k, KW*k] of stride s*k, times k*k.

    One convolution then does both, exactly: its sums are k*k times those of pooling then convolution (without
    padding), so multiply the neuron's threshold, bias and v0 by k*k. The output sizes agree too.
    """
    require_int("kernel", kernel, 1)
    return np.repeat(np.repeat(weight, kernel, axis=2), kernel, axis=3)


def exact_dtype(source: Source, largest: int) -> type | None:
    """The floating type in which a source's products with levels up to ``largest`` are exact; None: none is."""
    per_output = np.abs(source.weight.astype(np.int64)).sum(axis=(1, 2, 3))
    bound = largest * int(per_output.max())
    if bound < 2**24:
        return np.float32
    return np.float64 if bound < 2**53 else None


def im2col(x: np.ndarray, source: Source, size: tuple[int, int]) -> np.ndarray:
    """(frames, C, H, W) -> (frames * h * w, C * KH * KW), columns in (c, ky, kx) order; ``size`` is (h, w)."""
    p, s = source.padding, source.stride
    kh, kw = source.weight.shape[2:]
    if p:
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::s, ::s]
    windows = windows[:, :, : size[0], : size[1]]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(x) * size[0] * size[1], -1)


def source_sums(source: Source, levels: np.ndarray, size: tuple[int, int], method: str = "blas") -> np.ndarray:
    """Products of one source.

    Parameters
    ----------
    source : Source
    levels : uint8 or int8 (frames, C, H, W)
    size : (h, w)
        The part of the output that is computed, from (0, 0).
    method : "blas" or "integer"
        Exact floating point where proven (see the module), or the integer kernel.

    Returns
    -------
    integers (frames, O, h, w): int32 or int64 as the bound asks.
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
    """Partial sums of a layer: the sum over its sources, (frames, O, h, w) integers."""
    sums = source_sums(layer.sources[0], inputs[0], size, method)
    for source, levels in zip(layer.sources[1:], inputs[1:], strict=True):
        sums = sums.astype(np.int64) + source_sums(source, levels, size, method)
    return sums
