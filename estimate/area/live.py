"""Finds the bits of a design that matter, which are those that reach an output.

Synthesis removes all others, so they must not be counted.

The search goes back from the outputs: an assignment makes the bits of its right side matter that its left side needs,
and the conditions that it stands under. A wire, a choice and a bitwise gate need the same bits of what they are made
from; an adder needs all bits below; everything else needs all of its operands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .ir import MemoryInstance, Node, Value, ast


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """An assignment ``target[low:high] = value[start:]``, which holds where all ``tests`` do.

    Parameters
    ----------
    owner : the owner of the fragment in which it stands
    clocked : whether the target is a register
    spread : whether the places of the bits are chosen while the design runs, so that any bit of ``value`` may go to any
        bit of the target
    memory : the number of the memory whose word ``value`` is; -1 says that ``value`` is an expression
    """

    low: int
    high: int
    value: Value
    start: int = 0
    tests: tuple[Value, ...] = ()
    owner: str
    clocked: bool = False
    spread: bool = False
    memory: int = -1

    def among(self, bits: int) -> int:
        """Return those of the target's ``bits`` that are assigned."""
        return bits & (1 << self.high) - (1 << self.low)

    def needs(self, bits: int) -> int:
        """Return the bits of ``value`` that ``bits`` of the target need."""
        here = self.among(bits)
        if self.spread:
            return mask(self.value) if here else 0
        shift = self.start - self.low
        return here << shift if shift >= 0 else here >> -shift


@dataclass(kw_only=True, eq=False)
class MemoryBits:
    """A memory with the owner of its fragment, and the ``bits`` of a word that something reads which matters."""

    instance: Node
    owner: str
    bits: int = 0


def mask(value: Value) -> int:
    """Return a mask of all bits of a value."""
    return (1 << len(value)) - 1


class Live:
    """The bits that matter for ``outputs``, of all that is in ``fragments``, each of which is given with its owner.

    Attributes
    ----------
    signals : the bits that matter of every signal, by the signal's identity
    values : owner, expression and bits that matter, for every expression of which any do
    assignments : all assignments, by the identity of the signal that is assigned
    memories : all memories
    """

    def __init__(self, fragments: Iterable[tuple[str, Node]], outputs: Iterable[Value]):
        self.signals: dict[int, int] = defaultdict(int)
        self.values: dict[int, tuple[str, Value, int]] = {}
        self.assignments: dict[int, list[Assignment]] = defaultdict(list)
        self.memories: list[MemoryBits] = []
        self._waiting: list[tuple[Value, int]] = []
        for owner, fragment in fragments:
            if isinstance(fragment, MemoryInstance):
                for port in fragment._read_ports:
                    word, number = port._data, len(self.memories)
                    self._assign(word, Assignment(low=0, high=len(word), value=word, owner=owner, memory=number))
                self.memories.append(MemoryBits(instance=fragment, owner=owner))
            for domain, statements in fragment.statements.items():
                self._statements(statements, owner, domain != "comb", ())
        for value in outputs:
            self._need(value, mask(value), "")
        self._follow()

    def _statements(self, statements: Iterable[Node], owner: str, clocked: bool, tests: tuple[Value, ...]) -> None:
        for one in statements:
            if isinstance(one, ast.Switch):
                for _, inside, _ in one.cases:
                    self._statements(inside, owner, clocked, (*tests, one.test))
            elif isinstance(one, ast.Assign):
                high = len(one.lhs)
                given = Assignment(low=0, high=high, value=one.rhs, tests=tests, owner=owner, clocked=clocked)
                self._assign(one.lhs, given)

    def _assign(self, target: Value, given: Assignment) -> None:
        """Note an assignment for every signal that ``target`` consists of."""
        if isinstance(target, ast.Signal):
            self.assignments[id(target)].append(given)
        elif isinstance(target, ast.Slice):
            self._assign(target.value, replace(given, low=target.start + given.low, high=target.start + given.high))
        elif isinstance(target, ast.Operator):  # a change of signedness
            self._assign(target.operands[0], given)
        elif isinstance(target, ast.Concat):
            first = 0
            for part in target.parts:
                low, high = max(given.low - first, 0), min(given.high - first, len(part))
                if low < high:
                    start = given.start + first + low - given.low
                    self._assign(part, replace(given, low=low, high=high, start=start))
                first += len(part)
        elif isinstance(target, ast.Part):
            tests = (*given.tests, target.offset)
            self._assign(target.value, replace(given, low=0, high=len(target.value), tests=tests, spread=True))
        elif isinstance(target, ast.SwitchValue):
            tests = (*given.tests, target.test)
            for _, one in target.cases:
                self._assign(one, replace(given, high=min(given.high, len(one)), tests=tests))
        else:
            raise TypeError(f"{target!r} can't be assigned")

    def _follow(self) -> None:
        """Go back from what matters to what it needs, until nothing new is found."""
        while self._waiting:
            signal, bits = self._waiting.pop()
            for one in self.assignments.get(id(signal), ()):
                if not one.among(bits):
                    continue
                if one.memory >= 0:
                    self._store(self.memories[one.memory], one.needs(bits))
                    continue
                self._need(one.value, one.needs(bits), one.owner)
                for test in one.tests:
                    self._need(test, mask(test), one.owner)

    def _store(self, memory: MemoryBits, bits: int) -> None:
        """Note that bits of a memory's words matter, and with them what is written, the addresses and the enables."""
        new = bits & ~memory.bits
        if not new:
            return
        memory.bits |= new
        for port in memory.instance._write_ports:
            self._need(port._data, new, memory.owner)
        for port in (*memory.instance._write_ports, *memory.instance._read_ports):
            for value in (port._addr, port._en):
                self._need(value, mask(value), memory.owner)

    def _need(self, value: Value, bits: int, owner: str) -> None:
        width = len(value)
        if bits >> width:  # the bits beyond a value are its sign
            bits = bits & mask(value) | (1 << width - 1 if width and value.shape().signed else 0)
        if not bits or isinstance(value, ast.Const):
            return
        if isinstance(value, ast.Signal):
            new = bits & ~self.signals[id(value)]
            if new:
                self.signals[id(value)] |= new
                self._waiting.append((value, new))
            return
        first, _, known = self.values.get(id(value), (owner, value, 0))
        if bits & ~known == 0:
            return
        self.values[id(value)] = first, value, bits | known
        self._operands(value, bits, owner)

    def _operands(self, value: Value, bits: int, owner: str) -> None:
        if isinstance(value, ast.Slice):
            self._need(value.value, bits << value.start, owner)
        elif isinstance(value, ast.Concat):
            for part in value.parts:
                self._need(part, bits & mask(part), owner)
                bits >>= len(part)
        elif isinstance(value, ast.SwitchValue):
            self._need(value.test, mask(value.test), owner)
            for _, one in value.cases:
                self._need(one, bits, owner)
        elif isinstance(value, ast.Part):
            self._need(value.value, mask(value.value), owner)
            self._need(value.offset, mask(value.offset), owner)
        elif isinstance(value, ast.Operator):
            self._operator(value, bits, owner)

    def _operator(self, value: ast.Operator, bits: int, owner: str) -> None:
        operands, kind = value.operands, value.operator
        for operand in operands:
            if kind in ("&", "|", "^", "~", "u", "s"):
                others = [o for o in operands if o is not operand and isinstance(o, ast.Const)]
                fixed = others[0].value if kind == "&" and others else -1
                self._need(operand, bits & fixed, owner)
            elif kind in ("+", "-", "*"):
                self._need(operand, (1 << bits.bit_length()) - 1, owner)
            else:
                self._need(operand, mask(operand), owner)
