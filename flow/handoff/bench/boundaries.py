"""Makes programs at the boundaries of the rules that commands and loaded data obey: just inside, and just outside.

The rules are data (:mod:`reprise.hw.arch.rules`), so that what is made here follows from them: for each rule and field,
the two neighbouring values of which the rule allows one and not the other. A comparator whose bound is off by one takes
the wrong one of them. All other rules are kept, for which further fields are changed; so no other comparator sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ....cosim.fuzz.mutate import Mutant
from ....hw.arch.memory_image import MemoryImage
from ....hw.arch.products import ProductRule, product_rules
from ....hw.arch.program import (
    COMMANDS,
    PARAM_BYTES,
    PARAMETERS,
    SEGMENT,
    SEGMENT_BYTES,
    Field,
    pack_fields,
    unpack_fields,
)
from ....hw.arch.rule_kinds import Rule
from ....hw.arch.rules import data_rules, follows, rules

Values = dict[str, int]
Holds = Callable[[Mapping[str, int]], bool]
Key = tuple[str, str, str, bool, bool]
"""What is changed, rule, field, whether the field is larger outside than inside, and whether the rule is broken."""

LOW_BITS = 4
"""Bits of a field, from the lowest on, that are inverted one by one: rules of alignment speak of these."""

REPAIRS = 4
"""How many other fields are changed, at most, to keep the other rules."""

SMALL = sorted({*range(41), *(8 * n for n in range(33))})
"""Values that these fields get."""

MOST_ROWS, MOST_BYTES = 2048, 1 << 14
"""How many rows of K tiles and how many bytes a command that keeps all rules has at most, for it is executed."""

LOADED = {
    "LOAD_SEGMENTS": ("segment", SEGMENT, SEGMENT_BYTES),
    "LOAD_PARAMS": ("parameters", PARAMETERS, PARAM_BYTES),
}
"""What loads bring: an entry's name, its fields, and its bytes."""

ENTRIES = 8
"""Entries of loaded data that are looked at; in one of them a boundary may be where it is not in another."""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """A program with one command, or one entry of loaded data, at a boundary of a rule.

    Members
    -------
    mutant : the program
    at : the command that is changed, or that loads the data
    """

    mutant: Mutant
    at: int
    key: Key

    @property
    def broken(self) -> bool:
        """Whether the rule is broken."""
        return self.key[-1]


class _Reads(dict):
    """Values that remember which of them were asked for."""

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> int:
        self.names.add(name)
        return super().__getitem__(name)


def _decisive(holds: Holds, values: Values) -> set[str]:
    """Return the fields that a rule looks at: only with another value of one of these can it say something else."""
    reads = _Reads(values)
    holds(reads)
    return reads.names


def edges(holds: Holds, values: Values, fields: Sequence[Field]) -> Iterator[tuple[str, int, int]]:
    """Yield (field, inside, outside): values next to each other, between which the rule ceases to hold.

    From the values given, at which it holds, each field goes to both ends of its range, and its low bits are inverted.
    """
    decisive = _decisive(holds, values)
    for field in fields:
        if field.name not in decisive:
            continue
        low, high = (-(1 << field.bits - 1), (1 << field.bits - 1) - 1) if field.signed else (0, (1 << field.bits) - 1)
        found = set()
        for end in (low, high, *(values[field.name] ^ (1 << bit) for bit in range(min(LOW_BITS, field.bits)))):
            inside, outside = values[field.name], end
            if holds({**values, field.name: outside}):
                continue
            while abs(outside - inside) > 1:
                middle = (inside + outside) // 2
                inside, outside = (middle, outside) if holds({**values, field.name: middle}) else (inside, middle)
            found.add((inside, outside))
        yield from ((field.name, *pair) for pair in sorted(found))


def repaired(others: Sequence[Holds], values: Values, free: Sequence[Field], most: int) -> Values | None:
    """Change free fields, so many at most, until the other rules are kept, or return None.

    A change keeps the first rule that is broken; of those, one is taken that leaves the fewest broken.
    """
    seen = [values]
    for _ in range(most):
        broken = [holds for holds in others if not holds(values)]
        if not broken:
            return values
        decisive = _decisive(broken[0], values)
        changes = ({**values, f.name: n} for f in free if f.name in decisive for n in SMALL if n < 1 << f.bits)
        kept = [one for one in changes if broken[0](one) and one not in seen]
        if not kept:
            return None
        values = min(kept, key=lambda one: sum(not holds(one) for holds in others))
        seen.append(values)
    return None if any(not holds(values) for holds in others) else values


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where fields are changed.

    Members
    -------
    what, at : the command's name, or that of the data, and the command's index
    rules : all of its rules, by name
    fields, given : the fields, and the values to begin with
    made : makes the program of some values
    """

    what: str
    at: int
    rules: dict[str, Holds]
    fields: Sequence[Field]
    given: list[Values]
    made: Callable[[Values], Mutant]

    def small(self) -> list[Values]:
        """Return small values that keep all rules, without a flag and with each."""
        zero = {f.name: self.given[0][f.name] if f.bits > 32 or f.signed else 0 for f in self.fields}
        flags, every = [f.name for f in self.fields if f.bits == 1], list(self.rules.values())
        least = repaired(every, zero, self._free(*flags), len(self.fields))
        if least is None:
            return []
        flagged = [repaired(every, {**least, flag: 1}, self._free(*flags), REPAIRS) for flag in flags]
        return [one for one in (least, *flagged) if one is not None]

    def boundaries(self, known: Container[Key]) -> Iterator[Boundary]:
        """Yield what is at a boundary of one rule and keeps all others, except those of which the key is known."""
        every = self.rules.values()
        given = [one for one in self.given if all(holds(one) for holds in every)]
        small = self.small()
        for rule, holds in self.rules.items():
            others = [other for other in every if other is not holds]
            # A command that is refused may be large, and one that is executed is small, if it can be.
            for broken, starts, wanted in ((True, [*given, *small], others), (False, [*small, *given], [*every])):
                for start in starts:
                    for field, inside, outside in edges(holds, start, self.fields):
                        key = (self.what, rule, field, inside < outside, broken)
                        if key in known:
                            continue
                        values = {**start, field: outside if broken else inside}
                        found = repaired(wanted, values, self._free(field), REPAIRS)
                        if found is not None and holds(found) != broken and (broken or _short(found)):
                            yield Boundary(mutant=self.made(found), at=self.at, key=key)

    def _free(self, *fixed: str) -> list[Field]:
        return [f for f in self.fields if f.bits <= 32 and not f.signed and f.name not in fixed]


def _kept(rule: Rule | ProductRule) -> Holds:
    """Return whether a rule is kept; a multiple of nothing is anything, which another rule refuses."""

    def holds(f: Mapping[str, int]) -> bool:
        try:
            return rule.holds(f)
        except ZeroDivisionError:
            return True

    return holds


def _with_command(image: MemoryImage, at: int, opcode: str, values: Values) -> Mutant:
    commands = image.commands()
    commands[at] = (opcode, values)
    return Mutant(commands=commands, flips=[], data={}, what=[opcode])


def _with_entry(image: MemoryImage, address: int, entry: str, fields: list[Field], size: int, values: Values) -> Mutant:
    packed = pack_fields({f.name: f for f in fields}, values, size, entry)
    return Mutant(commands=image.commands(), flips=[], data={address: packed}, what=[entry])


def _places(image: MemoryImage) -> Iterator[_Place]:
    """Yield the first command of each kind and the first entry that it loads, with the values of others, too."""
    program = image.commands()
    for opcode in COMMANDS:
        at = next((n for n, (other, _) in enumerate(program) if other == opcode), None)
        if at is None:
            continue
        every = [*rules(image.config, opcode), *product_rules(image.config, opcode)]
        found: dict[str, Holds] = {repr(rule): _kept(rule) for rule in every}
        found |= {repr(rule): partial(rule.holds, before=None) for rule in follows(image.config, opcode)}
        yield _Place(
            what=opcode,
            at=at,
            rules=found,
            fields=COMMANDS[opcode],
            given=[fields for other, fields in program if other == opcode],
            made=partial(_with_command, image, at, opcode),
        )
        if opcode in LOADED:
            entry, fields, size = LOADED[opcode]
            source = program[at][1]["source"]
            raw = image.data[source - image.base :][: ENTRIES * size]
            yield _Place(
                what=entry,
                at=at,
                rules={repr(rule): rule.holds for rule in data_rules(image.config, entry)},
                fields=fields,
                given=[unpack_fields(fields, raw[n : n + size]) for n in range(0, len(raw) - size + 1, size)],
                made=partial(_with_entry, image, source, entry, fields, size),
            )


def _short(f: Values) -> bool:
    """Return whether a command can be executed in short time."""
    rows = f.get("m_tiles", 0) * f.get("rows", 0) * f.get("k_tiles", 0)
    return rows <= MOST_ROWS and f.get("chunks", 0) * f.get("bytes", 0) <= MOST_BYTES


def boundaries(image: MemoryImage) -> list[Boundary]:
    """Return programs for both sides of every boundary that one field has by itself."""
    found: dict[Key, Boundary] = {}
    for place in _places(image):
        for one in place.boundaries(found):
            found.setdefault(one.key, one)
    return list(found.values())
