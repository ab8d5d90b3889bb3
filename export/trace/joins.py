"""Residual joins: two currents become one current of two sources, and sums of levels become layers of integers."""

from dataclasses import replace

import torch

from ..qat.specs import WEIGHT_MAX
from .graph import UnsupportedError
from .sources import identity_current
from .values import Current, Feature, fold_norm

WHOLE = 1e-6
"""Relative difference from a whole number that counts as float32's rounding."""


def add_currents(where: str, a: Feature | Current, b: Feature | Current) -> Current:
    """Add two values, each a map or a current; the one with weights comes first, and batch norms are folded."""
    parts = [identity_current(v, where) if isinstance(v, Feature) else v for v in (a, b)]
    parts = [fold_norm(p) if p.norm is not None else p for p in parts]
    joint = all(p.identity for p in parts)
    parts.sort(key=lambda p: p.identity)
    sources = sum((p.sources for p in parts), ())
    if len(sources) > 2:
        raise UnsupportedError(
            where,
            f"a sum of {len(sources)} maps; a layer has at most 2 sources (main and shortcut), so a membrane that "
            "runs through several blocks (MS join) cannot be built",
            "put a neuron behind each addition: Spiking-ResNet, SEW (spikes + spikes) or Sparse-ResNet (Barrier)",
        )
    if any(p.pool for p in parts):
        raise UnsupportedError(where, "an addition behind a max pool without neuron", "put the neuron first")
    if parts[0].shape != parts[1].shape:
        raise UnsupportedError(where, f"adds shapes {parts[0].shape} and {parts[1].shape}", "make them equal")
    bias = None
    for p in parts:
        if p.bias is not None:
            bias = p.bias if bias is None else bias + p.bias
    name = where if joint else parts[0].name
    levels = sum((p.levels_in for p in parts), ())
    return Current(name=name, sources=sources, levels_in=levels, shape=parts[0].shape, bias=bias, identity=joint)


def integers_of(join: Current, threshold: torch.Tensor | None = None) -> tuple[list[int], float]:
    """Return the integer weight of every identity source, and the value of weight 1.

    There are no integers if the units have no such ratio. If the threshold of the neuron behind the join is given, a
    positive scalar or (O,), the weights are multiplied until it is a whole number of weight 1 too. If no multiple up to
    127 does that, the largest one is taken, because its steps are the finest.
    """
    values = [s.weight.flatten().double().unique() for s in join.sources]
    if any(len(v) != 1 or v[0] <= 0 for v in values):
        return [], 0.0
    base = float(min(v[0] for v in values))
    ratios = [float(v[0]) / base for v in values]
    weights = [round(r) for r in ratios]
    if max(weights) > WEIGHT_MAX or any(abs(r - w) > WHOLE * w for r, w in zip(ratios, weights, strict=True)):
        return [], base
    multiple = 1
    if threshold is not None:
        steps, most = torch.as_tensor(threshold, dtype=torch.float64) / base, WEIGHT_MAX // max(weights)
        whole = (m for m in range(1, most + 1) if ((m * steps).round() / (m * steps) - 1).abs().max() < WHOLE)
        multiple = next(whole, most)
    return [multiple * w for w in weights], base / multiple


def with_integers(join: Current, weights: list[int]) -> Current:
    """Return the join with fixed integers as the weights of its identity sources."""
    sources = (
        replace(s, weight=torch.full_like(s.weight, w), fixed=True) for s, w in zip(join.sources, weights, strict=True)
    )
    return replace(join, sources=tuple(sources))


def summed_levels(join: Current) -> int:
    """Return the largest level of a sum of two maps of levels.

    Raises
    ------
    UnsupportedError
        That level cannot be stored, or the units of both maps differ.
    """
    if set(integers_of(join)[0]) != {1}:
        raise UnsupportedError(
            join.name, "a sum of spikes needs equal units on both sides", "use the same neuron levels"
        )
    levels = sum(
        n * s.weight[0].numel() for n, s in zip(join.levels_in, join.sources, strict=True)
    )  # the levels of a pooled window are added up as well
    if levels > 255:
        raise UnsupportedError(
            join.name,
            f"the sum of spikes reaches level {levels}, stored levels must be <= 255",
            "put a Barrier behind it",
        )
    return levels
