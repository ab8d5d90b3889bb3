"""Layouts of what travels between the blocks of the sorter, as functions of the configuration."""

from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.search import class_bits, entry_bits
from ..interface.streams import tile_info
from ..lib.fanout import COPIES

MAP_PARTS = COPIES - 2
"""Parts, by class, into which a tile's maps are cut. Each part has a copy of the chooser's ready signal to itself.
There are as many parts as copies that synthesis does not merge with the chooser's own two registers."""


def word_beats(c: HardwareConfig) -> int:
    """Return the beats of a word of the row memory.

    With two queries a word has two beats, so that most of the time it holds two rows of the class that is visited.
    """
    return min(c.queries, c.tile_beats)


def words(c: HardwareConfig) -> int:
    """Return the number of row-memory words of a full tile."""
    return c.tile_beats // word_beats(c)


def ring_words(c: HardwareConfig) -> int:
    """Return the number of words of the row memory, which is used as a ring.

    It holds several full tiles. It also holds more tiles of one word than there are pipeline stages, so that small
    tiles follow each other without a gap.
    """
    return max(4 * words(c), 16)


def stored_row(c: HardwareConfig) -> data.StructLayout:
    """A row as the row memory keeps it, with its popcount."""
    return data.StructLayout({"row": c.tile_k, "count": range(c.tile_k + 1)})


def word_write(c: HardwareConfig) -> data.ArrayLayout:
    """The write ports of the row memory, one for each beat of a word."""
    beat = data.ArrayLayout(stored_row(c), c.load_rows)
    return data.ArrayLayout(data.StructLayout({"en": 1, "addr": range(ring_words(c)), "data": beat}), word_beats(c))


def loaded_tile(c: HardwareConfig) -> data.StructLayout:
    """A tile that is complete in the row memory, and where its rows of each popcount class are."""
    return data.StructLayout(
        {
            "words": data.ArrayLayout(words(c), c.tile_k),  # [p]: a bit for each word with a row of popcount p + 1
            "classes": c.tile_k,  # [p]: the tile has a row of popcount p + 1
            "upto": data.ArrayLayout(c.count_bits, c.tile_k),  # [p]: number of non-zero rows of popcount <= p + 1
            "base": range(ring_words(c)),  # address of the tile's first word
            "count": range(words(c) + 1),  # words of the tile
            "tile": tile_info(c),
        }
    )


def class_visit(c: HardwareConfig) -> data.StructLayout:
    """A word of a tile to be read for its rows of one class."""
    return data.StructLayout(
        {
            "word": range(words(c)),  # index of the word in its tile
            "address": range(ring_words(c)),  # address of the word in the row memory
            "cls": class_bits(c),  # popcount of the class, less 1
            "bases": data.ArrayLayout(entry_bits(c), c.queries),  # a row's TCAM entry is bases[lane] - 1 - group_index
            "first": 1,  # this is the first visit of the tile
            "last": 1,  # this is the last visit of the tile
            "count": range(words(c) + 1),  # words of the tile
            "tile": tile_info(c),
        }
    )


def class_word(c: HardwareConfig) -> data.StructLayout:
    """The word that was read for a visit, and which of its rows belong to the visited class."""
    size = word_beats(c) * c.load_rows
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(c.tile_k, size),
            "mine": size,  # a bit for each row that is of the visit's class
            "visit": class_visit(c),
        }
    )
