"""Concatenation along the channels.

Maps that are concatenated stay apart: their reader has a source for each, with its part of the weights, as

    W [a; b] = W_a a + W_b b.

A reader that needs one map (a pool, an addition, a neuron, a third map) gets a layer of ones that copies them into one.
Currents that are concatenated are one current with more output channels; where two of them read the same map, their
kernels become one convolution, and else each is zero in the other's channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ..qat.specs import NeuronSpec, SourceSpec
from .graph import Graph, Node, UnsupportedError
from .kernels import fits, sides, within
from .values import Current, Feature, fold_norm

if TYPE_CHECKING:
    from .lowering import Lowering

AXES = (1, -3)
"""The axis of channels of a map (B, C, H, W)."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Maps that are read as one with all of their channels, in this order."""

    parts: tuple[Feature, ...]

    @property
    def flat(self) -> bool:
        """Whether their reader sees them flattened, one behind the other."""
        return all(part.flat for part in self.parts)


def columns(x: Feature) -> int:
    """Return how many columns a flattened map has."""
    return int(x.shape[0] * x.positions[0] * x.positions[1])


def concatenated(node: Node, values: list[Feature | Current | Maps]) -> Maps | Current:
    """Return maps, or currents, one behind the other."""
    currents = [v for v in values if isinstance(v, Current)]
    parts = [p for v in values if not isinstance(v, Current) for p in (v.parts if isinstance(v, Maps) else (v,))]
    if currents and parts:
        raise UnsupportedError(node.name, "concatenates spikes and currents", "put a neuron behind each convolution")
    flat = bool(parts) and all(p.flat or tuple(p.shape[1:]) == (1, 1) for p in parts)
    allowed = {*AXES, *((-1,) if flat else ()), *((2,) if node.attrs["frames"] else ())}
    if node.attrs["dim"] not in allowed:
        raise UnsupportedError(node.name, f"concatenates along axis {node.attrs['dim']}", "concatenate channels: dim=1")
    if any(c.product for c in currents):
        raise UnsupportedError(node.name, "concatenates what attention gives", "put a neuron behind it")
    if currents:
        return stacked(node.name, [fold_norm(c) if c.norm is not None else c for c in currents])
    if not flat and (len({p.positions for p in parts}) > 1 or any(p.flat for p in parts)):
        sizes = ", ".join("x".join(map(str, p.positions)) for p in parts)
        raise UnsupportedError(node.name, f"concatenates maps of the sizes {sizes}", "make them equal")
    return Maps(parts=tuple(replace(p, flat=True) for p in parts) if flat else tuple(parts))


def read_by_weights(graph: Graph, node: Node) -> bool:
    """Return whether a node reads maps apart: if it has weights for them, and no further source joins what it makes."""
    if node.op in ("flatten", "cat"):
        return all(read_by_weights(graph, reader) for reader in graph.consumers(node.name))
    alone, reader = node.op in ("conv", "linear") and node.attrs.get("groups", 1) == 1, node
    while alone and (behind := graph.consumers(reader.name)):
        reader = behind[0]
        if reader.op not in ("norm", "scale", "bias", "avgpool"):
            return all(one.op not in ("add", "cat") for one in behind)
    return alone


def read_apart(
    node: Node, maps: Maps, current_of: Callable[[Node, Feature], Current], width: Callable[[Feature], int]
) -> Current:
    """Return the current of a convolution or a linear layer over two maps, as one of two sources."""
    widths = [width(part) for part in maps.parts]
    weight, bias = node.attrs["weight"], node.attrs["bias"]
    if weight.shape[1] != sum(widths):
        raise UnsupportedError(
            node.name, f"has {weight.shape[1]} inputs, reads {sum(widths)} concatenated ones", "match"
        )
    found: list[Current] = []
    for part, w in zip(maps.parts, weight.split(widths, 1), strict=True):
        attrs = {**node.attrs, "weight": w, "bias": None if found else bias}
        found.append(current_of(replace(node, attrs=attrs), part))
    return replace(
        found[0],
        sources=sum((c.sources for c in found), ()),
        levels_in=sum((c.levels_in for c in found), ()),
    )


def copying(name: str, a: Feature, b: Feature) -> tuple[Current, NeuronSpec, float | torch.Tensor]:
    """Return the current, the neuron and the unit of a layer that copies two maps into one."""
    channels, sources, first = a.shape[0] + b.shape[0], [], 0
    for part in (a, b):
        weight = torch.zeros(channels, part.shape[0], 1, 1, dtype=torch.float64)
        weight[first : first + part.shape[0], :, 0, 0] = torch.eye(part.shape[0], dtype=torch.float64)
        sources.append(SourceSpec(feature=part.name, weight=weight, in_shape=part.shape, fixed=True))
        first += part.shape[0]
    levels = (a.levels, b.levels)
    current = Current(name=name, sources=tuple(sources), levels_in=levels, shape=(channels, *a.shape[1:]))
    units = torch.cat([torch.as_tensor(p.unit, dtype=torch.float64).expand(p.shape[0]) for p in (a, b)])
    unit = float(units[0]) if bool((units == units[0]).all()) else units
    return current, NeuronSpec(levels=max(levels), v0=0.0), unit


def copied(lowering: Lowering, x: Maps, where: str) -> Feature:
    """Emit layers that copy maps into one."""
    parts = (p if p.window == 1 else lowering.summed(p, where) for p in x.parts)
    first, *rest = (replace(p, flat=False) for p in parts)
    for part in rest:
        if part.shape[1:] != first.shape[1:]:
            raise UnsupportedError(where, "maps of different sizes become one", "let one Linear read them")
        first = lowering.emit(*copying(where, first, part))
    return replace(first, flat=x.flat)


def stacked(where: str, parts: list[Current]) -> Current:
    """Return currents as one with the output channels of all, one behind the other."""
    if any(p.pool for p in parts):
        raise UnsupportedError(where, "concatenates currents behind a max pool", "put a neuron in front of the pool")
    if len({p.shape[1:] for p in parts}) > 1:
        raise UnsupportedError(where, f"concatenates currents of {[p.shape for p in parts]}", "make them equal")
    bias = None
    if any(p.bias is not None for p in parts):
        zeros = [torch.zeros(p.shape[0], dtype=torch.float64) for p in parts]
        bias = torch.cat([z if p.bias is None else p.bias.double() for z, p in zip(zeros, parts, strict=True)])
    rows, steps = [p.shape[0] for p in parts], [p.sources[0].step for p in parts]
    step = None if any(one is None for one in steps) else torch.cat([one for one in steps if one is not None])
    found: dict[tuple, tuple[SourceSpec, int]] = {}
    for i, spec, levels in aligned(
        [(i, dense(s), n) for i, p in enumerate(parts) for s, n in zip(p.sources, p.levels_in, strict=True)]
    ):
        blank = spec.weight.new_zeros(sum(rows), *spec.weight.shape[1:])
        blank[sum(rows[:i]) : sum(rows[: i + 1])] = spec.weight
        key = (spec.feature, spec.weight.shape[1:], spec.stride, spec.padding, spec.avgpool, spec.linear)
        if key in found:
            blank = blank + found[key][0].weight
        found[key] = replace(spec, weight=blank, step=step, fixed=False), levels
    if len(found) > 2:
        raise UnsupportedError(
            where, f"concatenates currents of {len(found)} different sources", "put a neuron behind each convolution"
        )
    return Current(
        name=where,
        sources=tuple(spec for spec, _ in found.values()),
        levels_in=tuple(levels for _, levels in found.values()),
        shape=(sum(rows), *parts[0].shape[1:]),
        bias=bias,
    )


def dense(spec: SourceSpec) -> SourceSpec:
    """Return a grouped convolution as one over all channels, with zeros."""
    if spec.groups == 1:
        return spec
    o, c = spec.weight.shape[:2]
    wide = spec.weight.new_zeros(o, spec.groups, c, *spec.weight.shape[2:])
    group = torch.arange(o) // (o // spec.groups)
    wide[torch.arange(o), group] = spec.weight
    return replace(spec, weight=wide.flatten(1, 2), groups=1)


def aligned(members: list[tuple[int, SourceSpec, int]]) -> list[tuple[int, SourceSpec, int]]:
    """Return sources with kernels of one size over each map, where the smaller ones can stand in the largest one."""
    out = []
    for i, spec, levels in members:
        alike = [
            s
            for _, s, _ in members
            if not s.linear and (s.feature, s.stride, s.avgpool) == (spec.feature, spec.stride, spec.avgpool)
        ]
        if not spec.linear:
            largest = max(alike, key=lambda s: s.weight.shape[2] * s.weight.shape[3])
            size = [n // k for n, k in zip(spec.in_shape[1:], spec.avgpool, strict=True)]
            around, p = sides(spec.padding), largest.padding
            kernel = (int(largest.weight.shape[2]), int(largest.weight.shape[3]))
            if fits(spec.weight, around, spec.stride, size, kernel, p):
                spec = replace(spec, weight=within(spec.weight, around, kernel, p), padding=p)
        out.append((i, spec, levels))
    return out
