"""Kernels that are not square, are dilated or are padded unevenly: as square ones with zeros in between and around.

The accelerator has square kernels whose padding is the same on all sides. A larger one, whose additional weights are
zero, gives the same sums where its windows begin at the same positions and there are as many of them. It costs the
zeros' part of the products, as they are weights like others.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from .graph import Node, UnsupportedError

MAX_KERNEL, MAX_STRIDE = 7, 2

Sides = tuple[int, int, int, int]
"""Padding above, on the left, below, and on the right."""


def pair(value: Any) -> tuple[int, int]:
    """Return the numbers for rows and columns from one integer or a pair."""
    values = [int(v) for v in value] if isinstance(value, Sequence) else [int(value)]
    return values[0], values[-1]


def sides(padding: Any) -> Sides:
    """Return the padding of each side from a number, a pair for rows and columns, or one number for each side."""
    if isinstance(padding, Sequence) and len(padding) == 4:
        top, left, bottom, right = (int(p) for p in padding)
        return top, left, bottom, right
    y, x = pair(padding)
    return y, x, y, x


def same_padding(kernel: Sequence[int], dilation: tuple[int, int] = (1, 1)) -> Sides:
    """Return what PyTorch's padding "same" adds: the odd one of an even kernel lies below and on the right."""
    totals = [d * (int(k) - 1) for k, d in zip(kernel, dilation, strict=True)]
    (top, left), (bottom, right) = ([t // 2 for t in totals], [t - t // 2 for t in totals])
    return top, left, bottom, right


def spread(weight: torch.Tensor, dilation: tuple[int, int]) -> torch.Tensor:
    """Return a weight (O, C, KH, KW) with the zeros that a dilation leaves between its positions."""
    if dilation == (1, 1):
        return weight
    (dy, dx), (kh, kw) = dilation, weight.shape[2:]
    wide = weight.new_zeros(*weight.shape[:2], (kh - 1) * dy + 1, (kw - 1) * dx + 1)
    wide[:, :, ::dy, ::dx] = weight
    return wide


def placed(weight: torch.Tensor, padding: Sides, stride: int, size: Sequence[int], k: int, p: int) -> bool:
    """Return whether a k x k kernel with padding p on all sides can hold a weight and gives as many windows."""
    fits = all(
        p >= begin and p - begin + n <= k and (length + 2 * p - k) // stride == (length + begin + end - n) // stride
        for n, length, begin, end in zip(weight.shape[2:], size, padding[:2], padding[2:], strict=True)
    )
    return fits and p < k


def within(weight: torch.Tensor, padding: Sides, k: int, p: int) -> torch.Tensor:
    """Return a weight as a part of a k x k kernel with padding p, with zeros around it."""
    (kh, kw), top, left = weight.shape[2:], p - padding[0], p - padding[1]
    return F.pad(weight, (left, k - left - kw, top, k - top - kh))


def squared(node: Node, size: Sequence[int]) -> tuple[Node, str | None]:
    """Return the node of a convolution over a map of ``size`` (H, W) with a square kernel, and what that changes.

    Raises
    ------
    UnsupportedError
        No square kernel within the limits gives the same sums.
    """
    a = node.attrs
    dilation, padding = pair(a.get("dilation", 1)), sides(a["padding"])
    weight = spread(a["weight"], dilation)
    kernel = tuple(int(n) for n in a["weight"].shape[2:])
    if len(set(weight.shape[2:])) == len(set(padding)) == 1:
        k, p = int(weight.shape[2]), padding[0]
    else:
        options = ((k, p) for k in range(max(weight.shape[2:]), MAX_KERNEL + 1) for p in range(k))
        k, p = next((kp for kp in options if placed(weight, padding, a["stride"], size, *kp)), (0, 0))
    given = f"its {kernel[0]}x{kernel[1]} kernel" + (f" of dilation {dilation}" if dilation != (1, 1) else "")
    if not 0 < k <= max(MAX_KERNEL, *kernel):
        (h, w), (top, left, bottom, right) = weight.shape[2:], padding
        if max(h, w) > MAX_KERNEL:
            rule = f"{given} covers {h}x{w} positions, and kernels have at most {MAX_KERNEL}x{MAX_KERNEL}"
            raise UnsupportedError(node.name, rule, "use a smaller one")
        raise UnsupportedError(
            node.name,
            f"{given} takes {h - 1 - top - bottom} rows and {w - 1 - left - right} columns away from its map, and a "
            "square one takes as many of both",
            "pad the other direction, as padding='same' does",
        )
    attrs = {**a, "weight": within(weight, padding, k, p), "padding": p, "dilation": 1}
    if kernel == (k, k) and dilation == (1, 1):
        return replace(node, attrs=attrs), None
    told = (
        f"{node.name}: {given} is computed as {k}x{k} with zeros: {k * k} products in place of {kernel[0] * kernel[1]}"
    )
    return replace(node, attrs=attrs), told
