"""Kernels that are dilated, or whose padding differs between the sides, as larger ones with zeros in and around them.

The accelerator has one padding for all sides. A larger kernel, whose additional weights are zero, gives the same sums
where its windows begin at the same positions and there are as many of them. It costs the zeros' part of the products,
as they are weights like others.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from .graph import Node, UnsupportedError

MAX_KERNEL, MAX_STRIDE = 7, 2

Size = tuple[int, int]
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


def fits(weight: torch.Tensor, padding: Sides, stride: int, size: Sequence[int], kernel: Size, p: int) -> bool:
    """Return whether a kernel with padding p on all sides can hold a weight and gives as many windows."""
    inside = all(
        p >= begin and p - begin + n <= k and (length + 2 * p - k) // stride == (length + begin + end - n) // stride
        for n, k, length, begin, end in zip(weight.shape[2:], kernel, size, padding[:2], padding[2:], strict=True)
    )
    return inside and p < min(kernel)


def within(weight: torch.Tensor, padding: Sides, kernel: Size, p: int) -> torch.Tensor:
    """Return a weight as a part of a larger kernel with padding p, with zeros around it."""
    (kh, kw), top, left = weight.shape[2:], p - padding[0], p - padding[1]
    return F.pad(weight, (left, kernel[1] - left - kw, top, kernel[0] - top - kh))


def fitted(node: Node, size: Sequence[int]) -> tuple[Node, str | None]:
    """Return the node of a convolution over a map of ``size`` (H, W) with one padding, and what that changes.

    Raises
    ------
    UnsupportedError
        No kernel within the limits gives the same sums.
    """
    a = node.attrs
    dilation, padding = pair(a.get("dilation", 1)), sides(a["padding"])
    weight = spread(a["weight"], dilation)
    given, (h, w) = tuple(a["weight"].shape[2:]), weight.shape[2:]
    told = f"its {given[0]}x{given[1]} kernel" + (f" of dilation {dilation}" if dilation != (1, 1) else "")
    if len(set(padding)) == 1:
        kernel, p = (h, w), padding[0]
    else:
        sizes = range(1, MAX_KERNEL + 1)
        options = sorted(itertools.product(sizes, sizes, range(MAX_KERNEL)), key=lambda o: (o[0] * o[1], o))
        found = (((y, x), p) for y, x, p in options if fits(weight, padding, a["stride"], size, (y, x), p))
        kernel, p = next(found, ((0, 0), 0))
    if 0 in kernel or max(kernel) > max(MAX_KERNEL, *given):
        raise UnsupportedError(
            node.name,
            f"{told} covers {h}x{w} positions; with its padding, that takes more than {MAX_KERNEL}x{MAX_KERNEL}",
            "use a smaller one",
        )
    attrs = {**a, "weight": within(weight, padding, kernel, p), "padding": p, "dilation": 1}
    if kernel == given:
        return replace(node, attrs=attrs), None
    (y, x), count = kernel, given[0] * given[1]
    told = f"{node.name}: {told} is computed as {y}x{x} with zeros: {y * x} products in place of {count}"
    return replace(node, attrs=attrs), told
