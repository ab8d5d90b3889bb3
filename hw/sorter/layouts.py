"""Payloads between the blocks of the front-end, as functions of the configuration."""

from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.search import class_bits, entry_bits
from ..interface.streams import tile_info
from ..lib.fanout import COPIES

MAP_PARTS = COPIES - 2
"""Parts of a tile's maps, by class: as many as there are copies that differ from the chooser's own registers."""


def word_beats(c: HardwareConfig) -> int:
    """Beats of a word of the row memory: with two queries a word must have two rows of a class, most of the time."""
    return min(c.queries, c.tile_beats)


def words(c: HardwareConfig) -> int:
    """Words of a full tile."""
    return c.tile_beats // word_beats(c)


def ring_words(c: HardwareConfig) -> int:
    """Words of the row memory: several full tiles, and more small ones than a tile's rows have stages to pass."""
    return max(4 * words(c), 16)


def stored_row(c: HardwareConfig) -> data.StructLayout:
    """A row in the row memory, and its popcount."""
    return data.StructLayout({"row": c.tile_k, "count": range(c.tile_k + 1)})


def word_write(c: HardwareConfig) -> data.ArrayLayout:
    """Write ports of the row memory, one per beat of a word."""
    beat = data.ArrayLayout(stored_row(c), c.load_rows)
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
            "address": range(ring_words(c)),  # its address
            "cls": class_bits(c),  # popcount - 1
            "bases": data.ArrayLayout(entry_bits(c), c.queries),  # a row's TCAM entry is bases[lane] - 1 - group_index
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
