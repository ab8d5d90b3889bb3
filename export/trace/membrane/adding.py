"""Adds currents to a stored one, and stores them: layers whose neuron is a sum, and neurons on what they store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...qat.layers import LEAST_GAMMA
from ...qat.membrane import Stream
from ...qat.specs import NeuronSpec
from ..graph import Node, UnsupportedError
from ..joins import add_currents, summands
from ..sources import identity_current
from ..values import Current, Feature, fold_norm

if TYPE_CHECKING:
    from ..lowering import Lowering

BITS = 16
"""The bits of a stored current, unless a MembraneStream says otherwise."""

STANDS = ("neuron", "norm", "bias", "add", "conv", "linear", "vote", "attention", "mask", "tokens", "flatten")
"""The operations that read a stored current, or that say themselves what they need in place of one."""


def added(lowering: Lowering, node: Node, a: Feature | Current, b: Feature | Current) -> Current:
    """Return the sum of two values: a layer of two sources if that is enough, or a branch of a stream.

    Raises
    ------
    UnsupportedError
        The values do not fit together, both are stored, or a stream shall have different bits.
    """
    parts = summands(node.name, a, b)
    held = [p for p in parts if p.stream]
    trained = sum(p.norm is not None for p in parts) > 1 and not lowering.fold and node.name in lowering.stored
    sources = [s for p in parts for s in p.sources]
    if not (held or trained or "bits" in node.attrs or len(sources) > 2 or any(s.mask for s in sources)):
        return add_currents(node.name, a, b)
    if len(held) > 1:
        raise UnsupportedError(
            node.name,
            "adds two currents that are stored; a layer adds one to what its weights give",
            "put a neuron and a convolution behind one of them",
        )
    first = held[0] if held else parts[0]
    other = parts[1] if first is parts[0] else parts[0]
    if first.sources or first.bias is not None or first.norm is not None:
        first = store(lowering, node, first)
    assert first.stream is not None
    bits = node.attrs.get("bits", first.stream.bits)
    if bits != first.stream.bits:
        raise UnsupportedError(
            node.name, f"adds with {bits} bits to a stream of {first.stream.bits}", "use the same bits in all of it"
        )
    return replace(other, stream=first.stream, addend=first.addend, identity=False)


def store(lowering: Lowering, node: Node, x: Current) -> Current:
    """Emit the layer that stores a current which ``node`` makes or adds to, and return the stored current."""
    if not x.sources and x.norm is not None:
        raise UnsupportedError(
            node.name,
            "adds to a batch norm of a stored current",
            "put a neuron and a convolution behind the batch norm",
        )
    if x.pool or x.product:
        raise UnsupportedError(
            node.name, "stores what a pool or attention gives without a neuron", "put the neuron first"
        )
    stream = x.stream or Stream(_bits(lowering, node))
    spec = NeuronSpec(levels=0, kind="sum", reset="none", v0=0.0, bits=stream.bits)
    made = lowering.emit(replace(x, stream=stream, identity=False), spec)
    return Current(name=node.name, sources=(), levels_in=(), shape=x.shape, stream=stream, addend=made.name)


def _bits(lowering: Lowering, node: Node) -> Any:
    """Return the bits of a stream that begins at a node: those of the addition, or of the next one that tells."""
    told = [one.attrs["bits"] for one in (node, *lowering.graph.consumers(node.name)) if "bits" in one.attrs]
    return told[0] if told else BITS


def prepared(lowering: Lowering, node: Node, x: Any) -> Any:
    """Return an argument of a node as it reads it: what a batch norm or a constant reads of a stream is stored first.

    Raises
    ------
    UnsupportedError
        The operation reads no stored current.
    """
    if not isinstance(x, Current) or not x.stream:
        return x
    if node.op not in STANDS:
        what = {"output": "the network ends with", "cat": "concatenates"}.get(node.op, f"{node.op} reads")
        remedy = "put a neuron in front" + (" and a Linear behind it" if node.op == "output" else "")
        raise UnsupportedError(node.name, f"{what} a stored current", remedy)
    if node.op in ("norm", "bias") and (x.sources or x.norm is not None):
        return store(lowering, node, x)
    return x


def folded(node: str, x: Current, *, fold: bool) -> Current:
    """Return a current whose batch norm is folded into its weights if that is wanted or needed; ``fold`` wants it.

    Raises
    ------
    UnsupportedError
        A batch norm of a stored current, which has no weights, has a factor that is not positive.
    """
    if x.norm is None:
        return x
    small = bool((x.norm.weight < LEAST_GAMMA).any())
    if x.stream and not x.sources:
        if small:
            raise UnsupportedError(
                node, f"a batch norm of a stored current has a factor below {LEAST_GAMMA}", "put a convolution in front"
            )
        return x
    return fold_norm(x) if fold or (small and not x.stream) else x


def poolable(lowering: Lowering, x: Feature) -> Feature:
    """Return a map whose layer a max pool can follow: a copy of one whose layer adds a stored current."""
    layer = next(one for one in lowering.layers if one.name == x.name)
    if not layer.addend:
        return x
    copy = lowering.spikes(identity_current(replace(x, unit=1.0), f"{x.name}.pool"))
    return replace(copy, unit=x.unit)
