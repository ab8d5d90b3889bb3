"""The limits of a hardware configuration, as data that the configuration and docs/configuration.md both read.

:data:`LIMITS` says what each field must be by itself, and :data:`RELATIONS` what it must be beside other fields. Each
has the reason, which error messages end with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import HardwareConfig


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a field must be by itself.

    Parameters
    ----------
    low, high : the smallest and the largest value; ``low`` may be the name of a property of the configuration
    why : the reason, as the end of a sentence
    power : the value must be a power of two as well
    optional : the value may also be 0, with which a part is not built
    """

    low: int | str
    high: int
    why: str
    power: bool = False
    optional: bool = False

    def holds(self, value: int, config: HardwareConfig) -> bool:
        """Return whether a value of ``config`` keeps this limit."""
        if value == 0 and self.optional:
            return True
        in_range = self._lowest(config) <= value <= self.high
        return in_range and not (self.power and value & (value - 1))

    def rule(self, config: HardwareConfig | None = None) -> str:
        """Return what the field must be; without a configuration, a lower end that depends on it stays a name."""
        span = f"{self.low if config is None else self._lowest(config)}..{self.high}"
        return "0 or " * self.optional + (f"a power of two in {span}" if self.power else span)

    def _lowest(self, config: HardwareConfig) -> int:
        return self.low if isinstance(self.low, int) else int(getattr(config, self.low))


@dataclass(frozen=True, kw_only=True)
class Relation:
    """What a field must be beside other fields.

    Parameters
    ----------
    field : the field that a message names
    rule : what it must be, where {braces} hold the names of other fields or properties of the configuration
    why : the reason, as the end of a sentence
    holds : tells whether a configuration keeps the relation
    """

    field: str
    rule: str
    why: str
    holds: Callable[[HardwareConfig], bool]

    def plain(self) -> str:
        """Return the rule with names only, as documents show it."""
        return re.sub(r"\{(\w+)\}", r"\1", self.rule)

    def filled(self, config: HardwareConfig) -> str:
        """Return the rule with each name's value in ``config``, as messages show it."""
        return re.sub(r"\{(\w+)\}", lambda name: f"{name[1]}={getattr(config, name[1])}", self.rule)


LIMITS = {
    "tile_m": Limit(low=8, high=1024, power=True, why="row indices are binary counters, which use all of their values"),
    "tile_k": Limit(low=4, high=64, power=True, why="software packs a row into one machine word of 64 bits"),
    "load_rows": Limit(
        low=2, high=64, power=True, why="a tile comes in beats of so many rows, and all of its beats are full"
    ),
    "neuron_lanes": Limit(low=1, high=256, power=True, why="the lanes are cut into equal groups of channels"),
    "bus_bits": Limit(low=64, high=512, power=True, why="common memory controllers have AXI4 ports of these widths"),
    "feature_words": Limit(
        low=32, high=1 << 16, power=True, why="addresses in the feature buffer have 16 bits in a command"
    ),
    "segments": Limit(
        low=16, high=1 << 14, power=True, why="the segment table is a memory, and uses all values of its address"
    ),
    "masks": Limit(low=0, high=1, why="it says whether something is built"),
    "addend_groups": Limit(
        low=8, high=256, power=True, optional=True, why="a group of an addend waits some cycles, and one comes in each"
    ),
    "modes": Limit(low=0, high=1, why="it says whether something is built"),
    "narrow_buffers": Limit(low=0, high=1, why="it says whether something is built"),
    "pool_words": Limit(
        low=8, high=1 << 14, power=True, optional=True, why="the line is a memory, and uses all values of its address"
    ),
    "joins": Limit(low=0, high=1, why="it says whether something is built"),
    "lanes": Limit(low=1, high=1024, why="every lane is an adder of its own in hardware"),
    "queries": Limit(low=1, high=2, why="the detector is built to take one or two rows per cycle"),
    "banks": Limit(low=1, high=2, why="a parity bit chooses the bank of a partial sum"),
    "weight_bits": Limit(low=2, high=8, why="memory holds each weight as one byte"),
    "max_levels": Limit(low=1, high=255, why="the model keeps each level as one byte"),
    "max_planes": Limit(low=1, high=8, why="a level has at most 8 bits, so more planes are never needed"),
    "max_timesteps": Limit(
        low=1, high=1024, why="all timesteps of an output position must fit one m tile, which has at most 1024 rows"
    ),
    "weight_banks": Limit(
        low=1, high=4, power=True, why="the lowest bits of a bit's index choose the bank of its weights"
    ),
    "one_bit_matches": Limit(low=0, high=1, why="the rule of one-bit rows is either the paper's or not"),
    "weight_tiles": Limit(low=2, high=1024, why="one weight tile is used while the next one arrives"),
    "membrane_bits": Limit(low=8, high=32, why="a readout writes its potentials to memory as 32-bit integers"),
    "psum_bits": Limit(
        low="result_bits",
        high=32,
        why="a partial sum holds at least one tile result, and has no more bits than a potential",
    ),
}
"""What each field must be by itself, in the order in which the fields are checked."""


def _rows_are_bus_words(c: HardwareConfig) -> bool:
    return c.weight_row_bits % c.bus_bits == 0 or c.bus_bits % c.weight_row_bits == 0


RELATIONS = (
    Relation(
        field="load_rows",
        rule="at most {tile_m}",
        why="a beat holds rows of one tile only",
        holds=lambda c: c.load_rows <= c.tile_m,
    ),
    Relation(
        field="weight_banks",
        rule="at most half of {tile_k}",
        why="each bank holds at least two weight rows of a K tile",
        holds=lambda c: 2 * c.weight_banks <= c.tile_k,
    ),
    Relation(
        field="lanes",
        rule="a multiple of {neuron_lanes}",
        why="the lanes are cut into whole groups",
        holds=lambda c: c.lanes % c.neuron_lanes == 0,
    ),
    Relation(
        field="narrow_buffers",
        rule="0 with {groups} of lanes, an odd number",
        why="each half of the lanes has whole groups",
        holds=lambda c: not c.narrow_buffers or c.groups % 2 == 0,
    ),
    Relation(
        field="membrane_bits",
        rule="at least {psum_bits}",
        why="a potential must be able to hold a partial sum",
        holds=lambda c: c.membrane_bits >= c.psum_bits,
    ),
    Relation(
        field="bus_bits",
        rule="a divisor or a multiple of {weight_row_bits}, the bits of a weight row",
        why="a weight row is fetched as whole bus words",
        holds=_rows_are_bus_words,
    ),
)
"""What fields must be beside each other, in the order in which they are checked."""
