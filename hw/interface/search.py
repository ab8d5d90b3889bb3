"""What the sorter gives the detector: rows in issue order, with their TCAM entries."""

from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..lib.fanout import COPIES, parts
from .streams import tile_info


def entry_bits(c: HardwareConfig) -> int:
    """Bits of a TCAM entry's index: the TCAM has one bank of tile_m / queries entries per query."""
    return c.row_bits - (c.queries - 1)


def class_bits(c: HardwareConfig) -> int:
    """Bits of a popcount class: popcount - 1."""
    return clog2(c.tile_k)


def query_parts(c: HardwareConfig) -> list[range]:
    """The TCAM entries of a bank in parts, each with a copy of the row that it is asked for: 32 or more, as long as
    there are fewer than ``COPIES`` parts, as the last copy would be one with the row itself."""
    entries = 1 << entry_bits(c)
    return parts(entries, min(COPIES - 1, max(1, entries // 32)))


def sorted_row(c: HardwareConfig) -> data.StructLayout:
    """A non-zero row in issue order."""
    return data.StructLayout(
        {
            "row": c.tile_k,
            "query": data.ArrayLayout(c.tile_k, len(query_parts(c))),  # the same, for every part of the TCAM entries
            "index": c.row_bits,  # in the tile
            "entry": entry_bits(c),  # TCAM entry in its bank: higher is better
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
