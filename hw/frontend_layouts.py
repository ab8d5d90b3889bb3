"""Payloads between the blocks of the front-end, as functions of the configuration."""

from amaranth.lib import data

from .config import HardwareConfig, clog2
from .fanout import COPIES, parts
from .layouts import tile_info

MAP_PARTS = COPIES - 2
"""Parts of a tile's maps, by class: as many as there are copies that differ from the chooser's own registers."""


def place_bits(c: HardwareConfig) -> int:
    """Bits of a TCAM entry's index: the TCAM has one bank of tile_m / queries entries per query."""
    return c.row_bits - (c.queries - 1)


def class_bits(c: HardwareConfig) -> int:
    """Bits of a popcount class: popcount - 1."""
    return clog2(c.tile_k)


def word_beats(c: HardwareConfig) -> int:
    """Beats of a word of the row memory: with two queries a word must have two rows of a class, most of the time."""
    return min(c.queries, c.words)


def words(c: HardwareConfig) -> int:
    """Words of a full tile."""
    return c.words // word_beats(c)


def ring_words(c: HardwareConfig) -> int:
    """Words of the row memory: several full tiles, and more small ones than a tile's rows have stages to pass."""
    return max(4 * words(c), 16)


def kept_row(c: HardwareConfig) -> data.StructLayout:
    """A row in the row memory, and its popcount."""
    return data.StructLayout({"row": c.tile_k, "count": range(c.tile_k + 1)})


def word_write(c: HardwareConfig) -> data.ArrayLayout:
    """Write ports of the row memory, one per beat of a word."""
    beat = data.ArrayLayout(kept_row(c), c.load_rows)
    return data.ArrayLayout(data.StructLayout({"en": 1, "addr": range(ring_words(c)), "data": beat}), word_beats(c))


def loaded_tile(c: HardwareConfig) -> data.StructLayout:
    """A tile in the row memory: where its rows are, by popcount class."""
    return data.StructLayout(
        {
            "words": data.ArrayLayout(words(c), c.tile_k),  # [p]: its words that have a row of popcount p + 1
            "classes": c.tile_k,  # [p]: it has a row of popcount p + 1
            "upto": data.ArrayLayout(c.count_bits, c.tile_k),  # [p]: non-zero rows of popcount <= p + 1
            "base": range(ring_words(c)),  # address of its first word
            "count": range(words(c) + 1),  # words
            "tile": tile_info(c),
        }
    )


def class_visit(c: HardwareConfig) -> data.StructLayout:
    """A word of a tile to be read for its rows of one class."""
    return data.StructLayout(
        {
            "word": range(words(c)),  # in its tile
            "place": range(ring_words(c)),  # its address
            "cls": class_bits(c),  # popcount - 1
            "bases": data.ArrayLayout(place_bits(c), c.queries),  # a row's TCAM entry is bases[lane] - 1 - turn
            "first": 1,  # visit of the tile
            "last": 1,
            "count": range(words(c) + 1),  # words of the tile
            "tile": tile_info(c),
        }
    )


def class_word(c: HardwareConfig) -> data.StructLayout:
    """The word of a visit."""
    size = word_beats(c) * c.load_rows
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(c.tile_k, size),
            "mine": size,  # rows of the visit's class
            "visit": class_visit(c),
        }
    )


def query_parts(c: HardwareConfig) -> list[range]:
    """The TCAM entries of a bank in parts, each with a copy of the row that it is asked for: 32 or more, as long as
    there are fewer than ``COPIES`` parts, as the last copy would be one with the row itself."""
    entries = 1 << place_bits(c)
    return parts(entries, min(COPIES - 1, max(1, entries // 32)))


def sorted_row(c: HardwareConfig) -> data.StructLayout:
    """A non-zero row in issue order."""
    return data.StructLayout(
        {
            "row": c.tile_k,
            "query": data.ArrayLayout(c.tile_k, len(query_parts(c))),  # the same, for every part of the TCAM entries
            "index": c.row_bits,  # in the tile
            "place": place_bits(c),  # TCAM entry in its bank: higher is better
            "cls": class_bits(c),  # popcount - 1
        }
    )


def sorted_group(c: HardwareConfig) -> data.StructLayout:
    """``queries`` consecutive rows of a tile in issue order."""
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(sorted_row(c), c.queries),
            "valid": c.queries,  # by row; none in the only group of an empty tile
            "first": 1,
            "last": 1,
            "tile": tile_info(c),
        }
    )


def inserted_row(c: HardwareConfig) -> data.StructLayout:
    """A row that the detector puts into its bank, for the pruner's copy of the patterns."""
    return data.StructLayout(
        {"valid": 1, "place": place_bits(c), "row": c.tile_k, "cls": class_bits(c), "turn": place_bits(c)}
    )


def bests(c: HardwareConfig) -> data.ArrayLayout:
    """Best matching entries: of one query by bank, or of one bank by query."""
    return data.ArrayLayout(data.StructLayout({"found": 1, "place": place_bits(c)}), c.queries)


def found_row(c: HardwareConfig) -> data.StructLayout:
    """A row and the best matching entry of every bank."""
    return data.StructLayout(
        {
            "valid": 1,
            "row": c.tile_k,
            "index": c.row_bits,
            "slot": c.row_bits,
            "best": bests(c),
        }
    )


def found_group(c: HardwareConfig) -> data.StructLayout:
    """Rows that leave the detector in one cycle; ``last`` closes the tile."""
    return data.StructLayout({"valid": 1, "last": 1, "rows": data.ArrayLayout(found_row(c), c.queries)})


def pruned_row(c: HardwareConfig) -> data.StructLayout:
    """A row, its prefix and its residual."""
    return data.StructLayout(
        {
            "valid": 1,
            "index": c.row_bits,
            "slot": c.row_bits,
            "has_prefix": 1,
            "prefix": c.row_bits,  # slot
            "residual": c.tile_k,
            "exact": 1,  # has a prefix and no residual
        }
    )


def pruned_group(c: HardwareConfig) -> data.StructLayout:
    """Rows that leave the pruner in one cycle; ``last`` closes the tile."""
    return data.StructLayout({"valid": 1, "last": 1, "rows": data.ArrayLayout(pruned_row(c), c.queries)})
