"""The rules of a legal command, as data that the RTL, the interpreter, the compiler and docs/memory-map.md all read.

:func:`rules` lists what a command must obey by itself. :mod:`reprise.hw.interface.checker` builds a comparator of each
rule, and :func:`violations` evaluates the same list in software. A :class:`Follows` rule concerns a command and the one
of its kind before it. In hardware the job scheduler checks it and keeps in registers what it needs for that;
:func:`order_violations` is its form in software.
"""

from __future__ import annotations

from functools import cache

from .config import HardwareConfig
from .products import product_violations
from .program import (
    COMMANDS,
    DENSE,
    HEADER,
    INT_BYTES,
    LOOPS,
    MAGIC,
    MAX_POOL,
    OPCODES,
    OVERLAPPING_POOL,
    PARAMETERS,
    SEGMENT,
    STRINGS,
    Field,
    Wait,
    built,
    row_beats,
    unpack,
    unpack_fields,
)
from .rule_kinds import (
    AddressFits,
    Aligned,
    AtMostWhen,
    Bound,
    CutInto,
    Fields,
    Follows,
    NonZeroUnless,
    NonZeroWith,
    OneOf,
    OneWhen,
    OnlyWith,
    Range,
    Rule,
    SumAtMost,
)


def named_bits(fields: list[Field]) -> int:
    """Return the mask of the bits that may be set, which are those that a field names."""
    mask = 0
    for f in fields:
        mask |= ((1 << f.bits) - 1) << (32 * f.word + f.offset)
    return mask


def header_word(opcode: str) -> int:
    """Return word 0 of a command, which holds the opcode and the magic."""
    return OPCODES[opcode] | MAGIC << 16


def decode(c: HardwareConfig, command: bytes) -> tuple[str, dict[str, int]]:
    """Return the opcode's name and the fields of one command, after checking its magic, opcode and reserved bits.

    Fields that the configuration does not have are 0.

    Raises
    ------
    ValueError
        When one of the three is wrong; the message says which.
    """
    magic = unpack_fields(HEADER, command)["magic"]
    if magic != MAGIC:
        raise ValueError(f"magic must be {MAGIC:#06x}, not {magic:#06x}")
    opcode, fields = unpack(command)
    reserved = int.from_bytes(command, "little") & ~named_bits(HEADER + built(c, COMMANDS[opcode]))
    if reserved:
        raise ValueError(f"reserved bits of {opcode} must be 0, not 1 at bit {reserved.bit_length() - 1}")
    return opcode, fields


@cache
def rules(c: HardwareConfig, opcode: str) -> tuple[Rule, ...]:
    """Return the rules that a command must obey by itself, in the order in which broken ones are reported."""

    def most(name: str, less: int = 0) -> Bound:
        return Bound(getattr(c, name) - less, f"{name} - {less}" if less else name)

    groups = Bound(c.groups, "lanes / neuron_lanes")
    words = Bound(max(1, c.bus_bits // c.feature_bits), "bus_bits / feature_bits")
    if opcode == "LOAD_FEATURES":
        return (
            *_ranges(("chunks", 1, 65535), ("target", 0, most("feature_words", 1)), ("bytes", 1, 2**32 - 1)),
            *_ranges(("wait", 0, max(Wait))),
            *_aligned(c, "source", "bytes", "stride"),
            *(Aligned(field=name, step=words) for name in ("target", "target_stride")),
        )
    if opcode == "LOAD_SEGMENTS":
        half = Bound(c.segments // 2, "segments / 2")
        return (
            *_ranges(("count", 1, most("segments"))),
            OneOf(field="target", values=(Bound(0, "0"), half)),
            *_aligned(c, "source"),
            SumAtMost(fields=("target", "count"), most=most("segments")),
        )
    if opcode == "LOAD_PARAMS":
        return (*_ranges(("groups", 1, groups)), *_aligned(c, "source"))
    if opcode != "RUN":
        return ()
    return (
        *_ranges(
            ("weight_beats", 1, Bound(row_beats(c), "bus words of lanes bytes")),
            ("tile_depth", 1, most("tile_k")),
            ("segment_first", 0, most("segments", 1)),
            ("k_tiles", 1, 65535),
            ("m_tiles", 1, 65535),
            ("rows", 1, most("tile_m")),
            ("rows_last", 1, most("tile_m")),
            ("reset", 0, 2),
            ("planes", 1, most("max_planes")),
            ("levels", 0, most("max_levels")),
            ("groups", 1, groups),
            ("timesteps", 1, most("max_timesteps")),
            ("channels", 1, most("lanes")),
            ("out_width", 1, 65535),
            ("out_lines", 1, 65535),
            ("images", 1, 65535),
            ("pool", 1, OVERLAPPING_POOL if c.pool_words else MAX_POOL),
            ("out_planes", 0, most("max_planes")),
            ("int_groups", 0, groups),
            *((f"loop{n}_count", 1, 65535) for n in range(LOOPS)),
        ),
        OneOf(field="int_bytes", values=tuple(Bound(n, str(n)) for n in (0, *INT_BYTES))),
        *_aligned(c, "weights", "output", "image_stride", "line_bytes", "int_t", "int_y", "int_block"),
        AtMostWhen(field="k_tiles", most=most("weight_tiles"), flag="weights_keep"),
        OnlyWith(fields=("weights_ready", "weights_hold"), flag="weights_keep"),
        NonZeroUnless(field="levels", flag="readout"),
        NonZeroUnless(field="out_planes", flag="int_bytes"),
        NonZeroWith(field="int_bytes", flag="readout"),
        NonZeroWith(field="int_groups", flag="int_bytes"),
        CutInto(field="groups", whole="channels", size=Bound(c.neuron_lanes, "neuron_lanes")),
        OneWhen(field="pool", flag="readout"),
        *(_addend_rules(c) if c.addend_groups else ()),
        *(_pool_rules() if c.pool_words else ()),
        *(_join_rules(c) if c.joins else ()),
        *(_ranges(("mode", 0, DENSE)) if c.modes else ()),
    )


def _pool_rules() -> list[Rule]:
    """Return what a RUN must obey where windows overlap: only whole windows of one image go on in another RUN."""
    return [
        OneWhen(field="images", flag="pool_ready"),
        OneWhen(field="images", flag="pool_hold"),
        SumAtMost(fields=("pool_hold", "pool_odd_y"), most=Bound(1, "1")),
    ]


def _addend_rules(c: HardwareConfig) -> list[Rule]:
    """Return what a RUN must obey where addends are built, whose order a pool would change."""
    return [
        OneOf(field="addend_bytes", values=tuple(Bound(n, str(n)) for n in (0, *INT_BYTES))),
        *_aligned(c, *(f"addend_{name}" for name in STRINGS)),
        OneWhen(field="pool", flag="addend_bytes"),
        SumAtMost(fields=("shift", "planes"), most=Bound(c.max_planes, "max_planes")),
    ]


def _join_rules(c: HardwareConfig) -> list[Rule]:
    """Return what a RUN must obey where levels are added: they are in the order of the lines that it writes."""
    return [
        *_ranges(("join_planes", 0, Bound(c.max_planes, "max_planes"))),
        *_ranges(("join_levels", 0, Bound(c.max_levels, "max_levels"))),
        NonZeroWith(field="join_levels", flag="join_planes"),
        OneWhen(field="pool", flag="join_planes"),
        AtMostWhen(field="int_bytes", most=Bound(0, "0"), flag="join_planes"),
        *_aligned(c, "join_image"),
    ]


@cache
def data_rules(c: HardwareConfig, kind: str) -> tuple[Rule, ...]:
    """Return the rules of what a load brings: a "segment", or the "parameters" of a channel."""
    if kind == "segment":
        tile_k = Bound(c.tile_k, "tile_k")
        return (*_ranges(("length", 1, tile_k)), SumAtMost(fields=("shift", "length"), most=tile_k))
    top = 1 << (c.membrane_bits - 1)
    return tuple(
        _ranges(
            ("bias", -top, Bound(top - 1, "2**(membrane_bits - 1) - 1")),
            ("threshold", 1, Bound(top - 1, "2**(membrane_bits - 1) - 1")),
            ("v0", -top, Bound(top - 1, "2**(membrane_bits - 1) - 1")),
            ("leak", 0, 256),
        )
    )


def _ranges(*ranges: tuple[str, int, Bound | int]) -> list[Rule]:
    """Return a rule for each triple of a field, its smallest value and its largest."""
    return [
        Range(field=field, low=low, high=high if isinstance(high, Bound) else Bound(high, str(high)))
        for field, low, high in ranges
    ]


def _aligned(c: HardwareConfig, *names: str) -> list[Rule]:
    """Return the rules that fields are multiples of a bus word, and that addresses among them fit the memory port."""
    addresses = {f.name for fields in COMMANDS.values() for f in fields if f.bits == 64}
    found: list[Rule] = []
    for name in names:
        found.append(Aligned(field=name, step=Bound(c.bus_bits // 8, "bus_bits / 8")))
        if name in addresses:
            found.append(AddressFits(field=name))
    return found


@cache
def follows(c: HardwareConfig, opcode: str) -> tuple[Follows, ...]:
    """Return the rules of a command and the one of its kind before it in the job.

    A RUN may use the weights that are in the weight buffer if the RUN before left them there and had as many K tiles of
    as many bits; else its slots would not fit. And it may go on below the last line that the max pool of the RUN before
    kept, if its lines are as long.
    """
    if opcode != "RUN":
        return ()
    weights = Follows(flag="weights_ready", before="weights_hold", same=("k_tiles", "tile_depth"))
    same = ("pool", "out_width", "timesteps", "groups", "pool_halo_x", "pool_odd_x")
    line = Follows(flag="pool_ready", before="pool_hold", same=same)
    return (weights, line) if c.pool_words else (weights,)


ORDER_RULES = {
    "read": "what is read from memory must have been waited for, if a RUN wrote it",
    "features": "what LOAD_FEATURES writes on chip must not be in use by the RUN before",
    "segments": "what LOAD_SEGMENTS writes on chip must not be in use by the RUN before",
}
"""The rules of order, by name. They are the compiler's duty, and the interpreter checks them. In hardware, a job that
breaks one computes something that depends on time, but it ends and stays in its windows."""


def violations(c: HardwareConfig, opcode: str, fields: Fields) -> list[str]:
    """Return a sentence with field, rule and value for each broken rule of a command; a legal command has none."""
    return [
        f"{opcode}.{rule.subject} must be {rule.limit()}, not {rule.value(fields)}"
        for rule in rules(c, opcode)
        if not rule.holds(fields)
    ]


def data_violations(c: HardwareConfig, kind: str, raw: bytes) -> list[str]:
    """Return a sentence for each broken rule of a loaded "segment", or of the "parameters" of a channel."""
    fields = built(c, SEGMENT) if kind == "segment" else PARAMETERS
    values = unpack_fields(fields, raw)
    reserved = int.from_bytes(raw, "little") & ~named_bits(fields)
    found = [f"reserved bits must be 0, not 1 at bit {reserved.bit_length() - 1}"] if reserved else []
    for rule in data_rules(c, kind):
        if not rule.holds(values):
            found.append(f"{rule.subject} must be {rule.limit()}, not {rule.value(values)}")
    return found


def order_violations(c: HardwareConfig, opcode: str, fields: Fields, before: Fields | None) -> list[str]:
    """Return a sentence for each broken rule of a command and the one before it.

    ``before`` holds the fields of the last command with the same opcode in the job, or is None if there was none.
    """
    found = []
    for rule in follows(c, opcode):
        if not rule.holds(fields, before):
            values = f"{fields[rule.flag]} ({', '.join(f'{name} {fields[name]}' for name in rule.same)})"
            found.append(f"{opcode}.{rule.flag} must be {rule.limit(opcode)}, not {values}")
    return found


class ProgramRules:
    """Checks all rules over the commands of one job, which are given in order."""

    def __init__(self, config: HardwareConfig) -> None:
        self._config = config
        self._before: dict[str, Fields] = {}

    def violations(self, opcode: str, fields: Fields) -> list[str]:
        """Return a sentence for each broken rule of the job's next command."""
        broken = violations(self._config, opcode, fields) or product_violations(self._config, opcode, fields)
        broken += order_violations(self._config, opcode, fields, self._before.get(opcode))
        self._before[opcode] = fields
        return broken
