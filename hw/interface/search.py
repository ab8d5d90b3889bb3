"""What the sorter gives to the detector: the rows of a tile in issue order, each with its TCAM entry."""

from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..lib.fanout import COPIES, parts
from .streams import tile_info


def entry_bits(c: HardwareConfig) -> int:
    """Return the width of a TCAM entry's index, in bits.

    The TCAM has a bank for each of the ``queries`` rows that come in a cycle; a bank has ``tile_m / queries`` entries.
    """
    return c.row_bits - (c.queries - 1)


def class_bits(c: HardwareConfig) -> int:
    """Return the width of a popcount class in bits. A class is numbered by its popcount minus 1."""
    return clog2(c.tile_k)


def query_parts(c: HardwareConfig) -> list[range]:
    """Return the TCAM entries of a bank, cut into parts that each have a copy of the row that is searched for.

    A part has 32 entries or more. There are fewer than ``COPIES`` parts, because synthesis would merge the last copy
    with the register of the row itself (:mod:`reprise.hw.lib.fanout`).
    """
    entries = 1 << entry_bits(c)
    return parts(entries, min(COPIES - 1, max(1, entries // 32)))


def sorted_row(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a non-zero row on its way to the detector."""
    return data.StructLayout(
        {
            "row": c.tile_k,
            "query": data.ArrayLayout(c.tile_k, len(query_parts(c))),  # copies of ``row``, one for each query part
            "index": c.row_bits,  # index of the row in the tile
            "entry": entry_bits(c),  # the row's TCAM entry in its bank; of two matches the higher entry is better
            "cls": class_bits(c),  # class of the row: popcount - 1
        }
    )


def sorted_group(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a group of ``queries`` rows that follow each other in a tile's issue order."""
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(sorted_row(c), c.queries),
            "valid": c.queries,  # a bit for each row: it is there; none is in the only group of an empty tile
            "first": 1,  # the first group of its tile
            "last": 1,  # the last group of its tile
            "tile": tile_info(c),
        }
    )
