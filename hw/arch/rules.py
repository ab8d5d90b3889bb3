"""What the sequencer refuses: the bits and field values a command must not have."""

from __future__ import annotations

from .config import HardwareConfig
from .program import COMMANDS, HEADER, LOOPS, MAGIC, OPCODES, row_beats

FIELD_POOL = 15
"""Largest value of RUN.pool that its field holds; the output side checks no more."""


Range = tuple[str, int, int]


def named_bits(opcode: str) -> int:
    """Mask of the bits that may be set in a command."""
    mask = 0
    for f in HEADER + COMMANDS[opcode]:
        mask |= ((1 << f.bits) - 1) << (32 * f.word + f.offset)
    return mask


def header_word(opcode: str) -> int:
    """Word 0 of a command."""
    return OPCODES[opcode] | MAGIC << 16


def ranges(c: HardwareConfig, opcode: str) -> list[Range]:
    """Fields with a smallest and a largest value, both included."""
    if opcode == "LOAD_FEATURES":
        return [("chunks", 1, 65535), ("target", 0, c.feature_words - 1), ("bytes", 1, 2**32 - 1)]
    if opcode == "LOAD_SEGMENTS":
        return [("count", 1, c.segments), ("target", 0, c.segments - 1)]
    if opcode == "LOAD_PARAMS":
        return [("groups", 1, c.groups)]
    if opcode != "RUN":
        return []
    return [
        ("weight_beats", 1, row_beats(c)),
        ("segment_first", 0, c.segments - 1),
        ("k_tiles", 1, 65535),
        ("m_tiles", 1, 65535),
        ("rows", 1, c.tile_m),
        ("rows_last", 1, c.tile_m),
        ("reset", 0, 2),
        ("planes", 1, c.max_planes),
        ("levels", 0, c.max_levels),
        ("groups", 1, c.groups),
        ("timesteps", 1, c.max_timesteps),
        ("channels", 1, c.lanes),
        ("out_width", 1, 65535),
        ("out_lines", 1, 65535),
        ("images", 1, 65535),
        ("pool", 1, FIELD_POOL),
        ("out_planes", 0, c.max_planes),
    ] + [(f"loop{n}_count", 1, 65535) for n in range(LOOPS)]


def aligned(opcode: str) -> list[str]:
    """Fields that are whole bus words; those of 64 bits must also fit ADDRESS_BITS."""
    return {
        "LOAD_FEATURES": ["source", "bytes", "stride"],
        "LOAD_SEGMENTS": ["source"],
        "LOAD_PARAMS": ["source"],
        "RUN": ["weights", "output", "image_stride", "line_bytes"],
    }.get(opcode, [])
