"""The kinds of rules that a legal command obeys: what each says of the fields' values, and how its limit is written.

A rule of one command has ``fields``, which are those that it limits, and a method ``holds``, which takes the values of
all fields and returns whether the rule is kept. It also has the parts of the sentence "``subject`` must be ``limit``,
not ``value``", where ``limit`` takes the way in which a bound is written. The comparator of each kind is in
:mod:`reprise.hw.interface.checker`, and the rules themselves are in :mod:`reprise.hw.arch.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .program import ADDRESS_BITS


@dataclass(frozen=True)
class Bound:
    """A limit, by its value in one configuration and by its name, which is right in every configuration."""

    value: int
    name: str

    def __str__(self) -> str:
        return self.name if self.name == str(self.value) else f"{self.value} ({self.name})"


Fields = Mapping[str, int]
Spell = Callable[[Bound], str]
"""How a bound is written: messages use ``str``, and documents write its name."""


@dataclass(frozen=True, kw_only=True)
class OneField:
    """A rule that limits one field; another field may say whether the rule applies."""

    field: str

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def subject(self) -> str:
        return self.field

    def value(self, f: Fields) -> int:
        """Return the value that a message shows, which is the field's."""
        return f[self.field]


@dataclass(frozen=True, kw_only=True)
class SomeFields:
    """A rule that limits several fields together."""

    fields: tuple[str, ...]

    @property
    def subject(self) -> str:
        return " + ".join(self.fields)

    def value(self, f: Fields) -> int:
        """Return the value that a message shows, which is the sum of the fields."""
        return sum(f[name] for name in self.fields)


@dataclass(frozen=True, kw_only=True)
class Range(OneField):
    """The rule that ``low <= field <= high``."""

    low: int
    high: Bound

    def holds(self, f: Fields) -> bool:
        return self.low <= f[self.field] <= self.high.value

    def limit(self, spell: Spell = str) -> str:
        return f"{self.low}..{spell(self.high)}"


@dataclass(frozen=True, kw_only=True)
class OneOf(OneField):
    """The rule that ``field`` has one of some ``values``."""

    values: tuple[Bound, ...]

    def holds(self, f: Fields) -> bool:
        return f[self.field] in [bound.value for bound in self.values]

    def limit(self, spell: Spell = str) -> str:
        return " or ".join(spell(bound) for bound in self.values)


@dataclass(frozen=True, kw_only=True)
class CutInto(OneField):
    """The rule that ``field`` is the number of pieces of ``size`` into which ``whole`` is cut, rounded up."""

    whole: str
    size: Bound

    def holds(self, f: Fields) -> bool:
        return f[self.field] == -(-f[self.whole] // self.size.value)

    def limit(self, spell: Spell = str) -> str:
        return f"{self.whole} / {spell(self.size)}, rounded up"


@dataclass(frozen=True, kw_only=True)
class OneWhen(OneField):
    """The rule that ``field`` is 1 where ``flag`` is set."""

    flag: str

    def holds(self, f: Fields) -> bool:
        return not f[self.flag] or f[self.field] == 1

    def limit(self, spell: Spell = str) -> str:
        return f"1 with {self.flag}"


@dataclass(frozen=True, kw_only=True)
class Aligned(OneField):
    """The rule that ``field`` is a multiple of ``step``, which is a power of two."""

    step: Bound

    def holds(self, f: Fields) -> bool:
        return f[self.field] % self.step.value == 0

    def limit(self, spell: Spell = str) -> str:
        return f"a multiple of {spell(self.step)}, whole bus words"


@dataclass(frozen=True, kw_only=True)
class AddressFits(OneField):
    """The rule that ``field < 2**bits``, because the memory port has so many address bits."""

    bits: int = ADDRESS_BITS

    def holds(self, f: Fields) -> bool:
        return f[self.field] >> self.bits == 0

    def limit(self, spell: Spell = str) -> str:
        return f"below 2**{self.bits}"


@dataclass(frozen=True, kw_only=True)
class SumAtMost(SomeFields):
    """The rule that the sum of ``fields`` is at most ``most``."""

    most: Bound

    def holds(self, f: Fields) -> bool:
        return self.value(f) <= self.most.value

    def limit(self, spell: Spell = str) -> str:
        return f"at most {spell(self.most)}"


@dataclass(frozen=True, kw_only=True)
class AtMostWhen(OneField):
    """The rule that ``field <= most`` where ``flag`` is set."""

    most: Bound
    flag: str

    def holds(self, f: Fields) -> bool:
        return not f[self.flag] or f[self.field] <= self.most.value

    def limit(self, spell: Spell = str) -> str:
        return f"at most {spell(self.most)} with {self.flag}"


@dataclass(frozen=True, kw_only=True)
class OnlyWith(SomeFields):
    """The rule that none of the one-bit ``fields`` is set without ``flag``."""

    flag: str

    @property
    def subject(self) -> str:
        return " and ".join(self.fields)

    def holds(self, f: Fields) -> bool:
        return bool(f[self.flag]) or not any(f[name] for name in self.fields)

    def limit(self, spell: Spell = str) -> str:
        return f"0 without {self.flag}"


@dataclass(frozen=True, kw_only=True)
class NonZeroUnless(OneField):
    """The rule that ``field`` is at least 1, except where ``flag`` is set."""

    flag: str

    def holds(self, f: Fields) -> bool:
        return bool(f[self.flag] or f[self.field])

    def limit(self, spell: Spell = str) -> str:
        return f"at least 1 without {self.flag}"


@dataclass(frozen=True, kw_only=True)
class NonZeroWith(OneField):
    """The rule that ``field`` is at least 1 where ``flag`` is not 0."""

    flag: str

    def holds(self, f: Fields) -> bool:
        return bool(not f[self.flag] or f[self.field])

    def limit(self, spell: Spell = str) -> str:
        return f"at least 1 with {self.flag}"


Rule = (
    Range
    | OneOf
    | CutInto
    | OneWhen
    | Aligned
    | AddressFits
    | SumAtMost
    | AtMostWhen
    | OnlyWith
    | NonZeroUnless
    | NonZeroWith
)


@dataclass(frozen=True, kw_only=True)
class Follows:
    """A rule of a command and the one of the same kind before it.

    ``flag`` is set exactly when that command had ``before`` set, and then the fields ``same`` have the values that they
    had there.
    """

    flag: str
    before: str
    same: tuple[str, ...]

    def holds(self, f: Fields, before: Fields | None) -> bool:
        if before is None or not before[self.before]:
            return not f[self.flag]
        return bool(f[self.flag]) and all(f[name] == before[name] for name in self.same)

    def limit(self, opcode: str) -> str:
        return f"{self.before} of the {opcode} before, and {' and '.join(self.same)} then the same"
