"""Where maps meet. Two currents are added as one of two sources, and sums of levels become layers of integers.

A map may be read where another one has spikes, its mask, as in spike-driven attention.

Attention multiplies three maps: a layer writes G = K^T V, and the current Q G is left for a neuron. G is an integer map
of 8 bits, which takes the place of weights. It is at most L N_K N_V for L tokens; what exceeds 127 is clipped, after a
shift if the network has one, and ``changes`` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ...model.network.layer import OPERAND_LEVELS
from ..qat.layers import QatLayer
from ..qat.membrane import QatMembrane
from ..qat.products import QatProduct
from ..qat.specs import WEIGHT_MAX, NeuronSpec, ProductSpec, SourceSpec
from .graph import Node, UnsupportedError
from .sources import identity_current
from .values import Current, Feature, Masked, fold_norm, product_current

if TYPE_CHECKING:
    from .lowering import Lowering

WHOLE = 1e-6
"""Relative difference from a whole number that counts as float32's rounding."""


def add_currents(where: str, a: Feature | Current, b: Feature | Current) -> Current:
    """Add two values, each a map or a current; the one with weights comes first, and batch norms are folded."""
    parts = [fold_norm(p) if p.norm is not None else p for p in summands(where, a, b)]
    joint = all(p.identity for p in parts)
    parts.sort(key=lambda p: p.identity)
    sources = sum((p.sources for p in parts), ())
    bias = None
    for p in parts:
        if p.bias is not None:
            bias = p.bias if bias is None else bias + p.bias
    name = where if joint else parts[0].name
    levels = sum((p.levels_in for p in parts), ())
    return Current(name=name, sources=sources, levels_in=levels, shape=parts[0].shape, bias=bias, identity=joint)


def summands(where: str, a: Feature | Current, b: Feature | Current) -> list[Current]:
    """Return two values as currents that can be added, or refuse them."""
    parts = [identity_current(v, where) if isinstance(v, Feature) else v for v in (a, b)]
    if any(p.product for p in parts):
        raise UnsupportedError(
            where, "an addition to what attention gives, in front of its neuron", "put a neuron first"
        )
    if any(p.pool for p in parts):
        raise UnsupportedError(where, "an addition behind a max pool without neuron", "put the neuron first")
    if parts[0].shape != parts[1].shape:
        raise UnsupportedError(where, f"adds shapes {parts[0].shape} and {parts[1].shape}", "make them equal")
    return parts


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


def layer_of(name: str, current: Current, spec: NeuronSpec, **options: Any) -> QatLayer:
    """Return the layer of a current and its neuron."""
    options |= dict(bias=current.bias, norm=current.norm)
    if current.product:
        return QatProduct(name, current.product, current.sources[0].weight, spec, **options)
    if current.stream:
        options |= dict(channels=current.shape[0], levels_in=current.levels_in)
        return QatMembrane(name, current.sources, spec, stream=current.stream, addend=current.addend, **options)
    return QatLayer(name, current.sources, spec, pool=current.pool, levels_in=current.levels_in, **options)


def refuse_product(node: Node, x: Current) -> None:
    """Refuse a pool between the products of attention and their neuron."""
    if x.product:
        raise UnsupportedError(node.name, "a pool of what attention gives", "put a neuron in front of the pool")


def attention_current(lowering: Lowering, node: Node, *maps: Feature | Current) -> Current:
    """Emit the layer of G, and return the current ``Q G``.

    Raises
    ------
    UnsupportedError
        The maps do not fit together, or what would stand in the place of weights does not fit int8.
    """
    heads, shift = node.attrs["heads"], node.attrs["shift"]
    named = zip(maps, "QKV", strict=True)
    q, k, v = (lowering.need(node, x, Feature, f"put a neuron behind {name}") for x, name in named)
    _refuse(node, q, k, v)
    (_, height, width), tokens = k.shape, k.shape[1] * k.shape[2]
    d, dv = k.shape[0] // heads, v.shape[0] // heads
    most = (tokens * k.levels * v.levels) >> shift
    if most > OPERAND_LEVELS:
        shifted = f" >> {shift}" if shift else ""
        product = f"{tokens} tokens x {k.levels} x {v.levels}"
        lowering.changes.append(
            f"{node.name}: K^T V{shifted} can reach {most} ({product}), and is clipped at {OPERAND_LEVELS}"
        )
    over_tokens = ProductSpec(
        feature=k.name,
        operand=v.name,
        over="tokens",
        heads=heads,
        levels=k.levels,
        most=v.levels,
        depth=tokens,
    )
    unit = _unit(k) * _unit(v)
    current = product_current(over_tokens, (dv, heads, d), unit, f"{node.name}.kv")
    spec = NeuronSpec(levels=0, kind="sum", reset="none", v0=0.0, bits=8, shift=shift)
    g = lowering.emit(current, spec, unit * (1 << shift))
    over_channels = ProductSpec(
        feature=q.name,
        operand=g.name,
        over="channels",
        heads=heads,
        levels=q.levels,
        most=min(most, OPERAND_LEVELS),
        depth=d,
    )
    return product_current(over_channels, (v.shape[0], height, width), _unit(q) * unit * (1 << shift), node.name)


def _unit(x: Feature) -> float:
    return float(torch.as_tensor(x.unit))


def _refuse(node: Node, q: Feature, k: Feature, v: Feature) -> None:
    heads = node.attrs["heads"]
    for what, x in (("Q", q), ("K", k), ("V", v)):
        if x.flat or x.window > 1:
            raise UnsupportedError(node.name, f"{what} is a pooled or flattened map", "put a neuron in front")
        unit = torch.as_tensor(x.unit)
        if unit.ndim or unit <= 0:
            raise UnsupportedError(node.name, f"{what} has a factor that is not one positive number", "leave it out")
        if x.shape[0] % heads:
            raise UnsupportedError(node.name, f"{what} has {x.shape[0]} channels for {heads} heads", "use whole heads")
    if q.shape[0] != k.shape[0]:
        raise UnsupportedError(node.name, f"Q has {q.shape[0]} channels, K {k.shape[0]}", "make them equal")
    if k.shape[1:] != v.shape[1:]:
        raise UnsupportedError(node.name, f"K has {k.shape[1:]} positions, V {v.shape[1:]}", "make them equal")
    if v.name == "input":
        raise UnsupportedError(node.name, "V is the input, not what a neuron fires", "put a neuron in front of V")
    if v.levels > OPERAND_LEVELS:
        raise UnsupportedError(
            node.name,
            f"V has levels up to {v.levels}, and what takes the place of weights has at most {OPERAND_LEVELS}",
            "use fewer levels for V",
        )


READ_MASKED = ("conv", "linear", "tokens")
"""The operations that can read a map as its mask lets it: those that become weights."""


def through_masks(node: Node, args: list, operation: Callable[..., Any]) -> Any:
    """Return what an operation makes of its arguments, of which the first may be a map that is masked."""
    if not any(isinstance(one, Masked) for one in args):
        return operation(node, *args)
    if node.op not in READ_MASKED:
        remedy = "let a convolution, a linear layer or TokenSum read them"
        raise UnsupportedError(node.name, f"{node.op} reads spikes that are masked", remedy)
    first: Masked = args[0]
    return first.through(operation(node, first.feature))


def masked(lowering: Lowering, node: Node, x: Feature | Current, mask: Feature | Current) -> Masked:
    """Return a map that is masked by another one.

    Raises
    ------
    UnsupportedError
        The maps do not fit together, or are no spikes of neurons of one level.
    """
    x, mask = (lowering.need(node, value, Feature, "put a neuron in front") for value in (x, mask))
    for what, one in (("the map", x), ("the mask", mask)):
        if one.flat or one.window > 1:
            raise UnsupportedError(node.name, f"{what} is pooled or flattened", "put a neuron in front")
        unit = torch.as_tensor(one.unit)
        if one.levels != 1 or unit.ndim or unit <= 0:
            raise UnsupportedError(
                node.name, f"{what} has levels up to {one.levels} or a factor", "use a neuron of one level without one"
            )
    if mask.shape not in (x.shape, (x.shape[0], 1, 1)):
        raise UnsupportedError(
            node.name, f"masks a map {x.shape} by a map {mask.shape}", "give the mask its shape, or one position"
        )
    feature = Feature(name=x.name, shape=x.shape, levels=1, unit=_unit(x) * _unit(mask))
    return Masked(feature=feature, mask=mask.name)


def token_sum(lowering: Lowering, node: Node, x: Feature | Current) -> Current:
    """Return the sum of a map over its positions as a current: a kernel of ones as large as the map."""
    feature = lowering.need(node, x, Feature, "put a neuron in front")
    if feature.flat or feature.window > 1:
        raise UnsupportedError(node.name, "sums a map that is pooled or flattened", "put a neuron in front")
    c, h, w = feature.shape
    unit = torch.as_tensor(feature.unit, dtype=torch.float64)
    weight = unit.view(-1, 1, 1, 1).expand(c, 1, h, w).clone()
    spec = SourceSpec(feature=feature.name, weight=weight, groups=c, in_shape=feature.shape)
    return Current(name=node.name, sources=(spec,), levels_in=(feature.levels,), shape=(c, 1, 1), identity=True)
