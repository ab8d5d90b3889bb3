"""Rules about products of a command's fields, such as whether the rows and the loops of a RUN belong together.

They are data like the other rules (:mod:`reprise.hw.arch.rules`). The software evaluates them here. In hardware
:mod:`reprise.hw.sequencer.products` works them out with one multiplier, while the RUN waits for its loads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from .config import HardwareConfig
from .program import LOOPS, OVERLAPPING_POOL
from .rule_kinds import Fields

SUM_BITS = 34
"""Bits in which the hardware adds and multiplies. What is more than these hold is more than any right side."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A factor of a product: a field, or a number, minus ``less``.

    With ``pooled``, which is "x" or "y", the field counts outputs along that axis, and the factor is how many positions
    a pool with overlapping windows takes for them, if there is one; and with "window" the field is ``pool`` itself.
    """

    field: str = ""
    number: int = 1
    less: int = 0
    pooled: str = ""

    def value(self, f: Fields) -> int:
        """Return the factor's value."""
        value = f[self.field] if self.field else self.number
        if self.pooled and f["pool"] == OVERLAPPING_POOL:
            axis = self.pooled
            halo = f["pool_halo_x"] if axis == "x" else 0
            return 1 if axis == "window" else 2 * value + halo - f[f"pool_odd_{axis}"]
        return value - self.less

    def __str__(self) -> str:
        text = self.field or str(self.number)
        return f"({text} - {self.less})" if self.less else text


Term = tuple[Factor, ...]
Sum = tuple[Term, ...]
"""Products that are added up."""


def total(terms: Sum, f: Fields) -> int:
    """Return the value of a sum of products."""
    found = 0
    for term in terms:
        product = 1
        for factor in term:
            product *= factor.value(f)
        found += product
    return found


def _words(terms: Sum) -> str:
    """Return a sum of products as a formula."""
    return " + ".join(" * ".join(str(one) for one in term) for term in terms)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The rule that one sum of products equals another, or is at most the other.

    ``once`` names a field of which the value 1 sets the rule aside. With ``planes`` the rule is only one of RUNs that
    write planes, and not of those that write an integer map; with ``overlapping``, one of RUNs whose windows overlap.
    """

    left: Sum
    right: Sum
    equal: bool
    once: str = ""
    planes: bool = False
    overlapping: bool = False

    def holds(self, f: Fields) -> bool:
        if (self.once and f[self.once] == 1) or (self.planes and f["int_bytes"]):
            return True
        if self.overlapping and f["pool"] != OVERLAPPING_POOL:
            return True
        left, right = total(self.left, f), total(self.right, f)
        return left == right if self.equal else left <= right

    def sentence(self, f: Fields) -> str:
        """Return what the rule says, with the values of both sides."""
        rule = f"{_words(self.left)} must be {'' if self.equal else 'at most '}{_words(self.right)}"
        return f"{rule} = {total(self.right, f)}, not {total(self.left, f)}"

    def words(self) -> str:
        """Return what the rule says, and of which RUNs."""
        end = f", if {self.once} > 1" if self.once else ""
        of = " (if planes are written)" * self.planes + " (if windows overlap)" * self.overlapping
        return f"{_words(self.left)} {'=' if self.equal else '<='} {_words(self.right)}{end}{of}"


@dataclass(frozen=True, kw_only=True)
class MultipleOf:
    """The rule that a field is a multiple of a product."""

    field: str
    of: Term

    def holds(self, f: Fields) -> bool:
        return f[self.field] % total((self.of,), f) == 0

    def sentence(self, f: Fields) -> str:
        """Return what the rule says, with the value of the field."""
        return f"{self.field} must be a multiple of {_words((self.of,))} = {total((self.of,), f)}, not {f[self.field]}"

    def words(self) -> str:
        """Return what the rule says."""
        return f"{self.field} is a multiple of {_words((self.of,))}"


ProductRule = Compared | MultipleOf

WEIGHT_WORDS: Term = tuple(Factor(field=name) for name in ("k_tiles", "tile_depth", "weight_beats"))
"""The bus words of a RUN's weights, from ``weights`` on. All of them must lie in the host's read window, whether or not
the RUN comes to use them, unless it takes over those of the RUN before (``weights_ready``)."""


def _term(*factors: str | int | Factor) -> Term:
    made = []
    for one in factors:
        if isinstance(one, Factor):
            made.append(one)
        else:
            made.append(Factor(field=one) if isinstance(one, str) else Factor(number=one))
    return tuple(made)


@cache
def product_rules(c: HardwareConfig, opcode: str) -> tuple[ProductRule, ...]:
    """Return the rules about products that a command must obey, in the order in which broken ones are reported."""
    if opcode == "LOAD_FEATURES":
        word = c.feature_bits // 8
        last = _term(Factor(field="chunks", less=1), "target_stride", word)
        end = (_term("target", word), last, _term("bytes"))
        return (
            Compared(left=end, right=(_term(c.feature_words * word),), equal=False),
            Compared(left=(_term("bytes"),), right=(_term("target_stride", word),), equal=False, once="chunks"),
        )
    if opcode != "RUN":
        return ()
    rows = (_term(Factor(field="m_tiles", less=1), "rows"), _term("rows_last"))
    window, lines, columns = Factor(field="pool"), Factor(field="out_lines"), Factor(field="out_width")
    if c.pool_words:
        lines, columns = replace(lines, pooled="y"), replace(columns, pooled="x")
        window = replace(window, pooled="window")
    positions = _term("images", lines, columns, window, window, "timesteps", "planes")
    kept = (_term("out_width", "timesteps", "groups"),)
    pool = Compared(left=kept, right=(_term(c.pool_words),), equal=False, overlapping=True)
    line = _term("out_width", "channels")
    image = _term("out_lines", "line_bytes", "timesteps", "out_planes")
    before = _term("image_stride", Factor(field="images", less=1))
    return (
        MultipleOf(field="rows", of=_term("timesteps", "planes")),
        Compared(left=(positions,), right=rows, equal=True),
        Compared(left=(_term(*(f"loop{n}_count" for n in range(LOOPS))),), right=rows, equal=True),
        Compared(left=(line,), right=(_term("line_bytes", 8),), equal=False, planes=True),
        Compared(left=(image,), right=(_term("image_stride"),), equal=False, once="images", planes=True),
        Compared(left=(before, image), right=(_term(1 << 32),), equal=False, planes=True),
        *([pool] if c.pool_words else []),
    )


def product_violations(c: HardwareConfig, opcode: str, fields: Fields) -> list[str]:
    """Return a sentence for each broken rule about products."""
    return [f"{opcode}.{r.sentence(fields)}" for r in product_rules(c, opcode) if not r.holds(fields)]
