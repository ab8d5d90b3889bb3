"""Counts what a design is built of in Amaranth's description of it, without synthesis: it takes seconds for ``paper``.

The description is elaborated, and what reaches an output is counted (:mod:`reprise.estimate.area.live`): the bits of
registers, adders, gates, multiplexers and registers with an enable, and every memory with its ports. A common
subexpression counts once, because it is one Python object. What synthesis shares or simplifies later is not known here,
which is why the figures are fitted to synthesized designs (:mod:`reprise.estimate.area.model`) instead of being taken
as they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path

from amaranth.hdl import Fragment, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ...hw.arch.config import HardwareConfig
from ...support.cache import Store, digest, sources
from ...support.presets import PACKAGE
from .ir import Node, Value, ast
from .live import Live
from .memories import Memory

CORE_PATH = ("datapath", "core")
"""The path of the core in the accelerator."""

COUNTS = ("registers", "adders", "gates", "choices", "enabled", "multipliers")
"""What is counted of a part. Multipliers are those of two variables, in units of 18 x 18 bits; all else is in bits."""

MULTIPLIER_BITS = 18

STORE = Store("structure")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a design: how much of each kind of ``COUNTS`` it has, and how often each memory occurs in it."""

    counts: dict[str, int] = field(default_factory=Counter)
    memories: dict[Memory, int] = field(default_factory=Counter)


Structure = dict[str, Part]
"""The parts by name, which are "core", and in an accelerator also "around" for everything else."""


def _count(live: Live, parts: Structure) -> None:
    """Add the registers and the logic that matter to the counts of their parts."""
    for signal, assignments in live.assignments.items():
        bits = live.signals.get(signal, 0)
        driven = 0
        for a in assignments:
            here = a.among(bits)
            if a.clocked and here:
                counts = parts[a.owner].counts
                counts["registers"] += (here & ~driven).bit_count()
                driven |= here
                # A constant is set by the register's reset, which costs nothing.
                if a.tests and not isinstance(a.value, ast.Const):
                    counts["enabled"] += here.bit_count()
    for owner, value, bits in live.values.values():
        counts = parts[owner].counts
        if isinstance(value, ast.Operator):
            _operator(value, bits, counts)
        elif isinstance(value, ast.Part):
            ways = min(1 << len(value.offset), -(-len(value.value) // value.stride))
            counts["choices"] += bits.bit_count() * (ways - 1)
        elif isinstance(value, ast.SwitchValue):
            counts["choices"] += bits.bit_count() * (len(value.cases) - 1)


def _operator(value: Value, bits: int, counts: dict[str, int]) -> None:
    widths = [len(operand) for operand in value.operands]
    if value.operator in ("+", "-"):
        counts["adders"] += min(max(widths), bits.bit_length())
    elif value.operator in ("&", "|", "^") and len(widths) == 2:
        counts["gates"] += bits.bit_count()
    elif value.operator == "*" and not any(isinstance(operand, ast.Const) for operand in value.operands):
        # A factor of one bit is no factor for a multiplier: it only lets the other one through.
        a, b = (-(-width // MULTIPLIER_BITS) if min(widths) > 1 else 0 for width in widths)
        counts["multipliers"] += a * b


def _memory(instance: Node, bits: int) -> Memory:
    """Return a memory of which only ``bits`` of a word are read."""
    (write,) = instance._write_ports
    reads = instance._read_ports
    width = Shape.cast(instance._data.shape).width
    return Memory(
        width=width,
        depth=instance._data.depth,
        reads=len(reads),
        clocked=sum(port._domain != "comb" for port in reads),
        enables=len(write._en),
        style=instance._attrs.get("ram_style", ""),
        unchecked=bool(instance._attrs.get("no_rw_check")),
        idle=(1 << width) - 1 & ~bits,
    )


def _fragments(fragment: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    yield path, fragment
    for inside, name, _ in fragment.subfragments:
        yield from _fragments(inside, (*path, name or ""))


def read(component: wiring.Component, core: tuple[str, ...] = ()) -> Structure:
    """Count what a component is built of.

    ``core`` is the path of its core; with () the component is the core itself, or a part of it.
    """
    parts: Structure = {"core": Part(counts=Counter(), memories=Counter())}
    if core:
        parts["around"] = Part(counts=Counter(), memories=Counter())
    ports = component.signature.flatten(component)
    outputs = [ast.Value.cast(value) for _, member, value in ports if member.flow == Out]
    fragments = _fragments(Fragment.get(component, None))
    live = Live((("core" if path[: len(core)] == core else "around", one) for path, one in fragments), outputs)
    _count(live, parts)
    for memory in live.memories:
        if memory.bits:
            parts[memory.owner].memories[_memory(memory.instance, memory.bits)] += 1
    return parts


def _key(config: HardwareConfig, block: str) -> str:
    return digest(config.to_dict(), block, sources(PACKAGE / "hw", Path(__file__).parent), version("amaranth"))


def known(config: HardwareConfig, block: str = "accelerator") -> bool:
    """Return whether the structure of a block is in the cache; finding it out anew takes seconds."""
    return STORE.find(_key(config, block)) is not None


def of(config: HardwareConfig, block: str = "accelerator") -> Structure:
    """Return the structure of a block of a configuration, "core" or "accelerator", which is kept in the cache."""

    def make(folder: Path) -> None:
        (folder / "structure.json").write_text(json.dumps(to_dict(_elaborated(config, block))))

    return from_dict(json.loads((STORE.get(_key(config, block), make).folder / "structure.json").read_text()))


def _elaborated(config: HardwareConfig, block: str) -> Structure:
    if block == "core":
        from ...hw.core import Core

        return read(Core(config))
    from ...hw.accelerator import Accelerator

    return read(Accelerator(config), CORE_PATH)


def to_dict(structure: Structure) -> dict:
    """Return a structure for JSON, in which a memory is a list of how often it occurs and its fields."""
    return {
        name: {
            "counts": {kind: part.counts[kind] for kind in COUNTS},
            "memories": [[n, *astuple(memory)] for memory, n in sorted(part.memories.items())],
        }
        for name, part in structure.items()
    }


def from_dict(data: dict) -> Structure:
    """Return the structure that :func:`to_dict` made a dictionary of."""
    names = [f.name for f in fields(Memory)]
    return {
        name: Part(
            counts=dict(part["counts"]),
            memories={Memory(**dict(zip(names, values, strict=True))): n for n, *values in part["memories"]},
        )
        for name, part in data.items()
    }
