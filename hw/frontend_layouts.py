"""Payloads between the blocks of the front-end, as functions of the configuration."""

from amaranth.lib import data

from .config import HardwareConfig, clog2
from .layouts import tile_info


def place_bits(c: HardwareConfig) -> int:
    """Bits of a TCAM entry's index: the TCAM has one bank of tile_m / queries entries per query."""
    return c.row_bits - (c.queries - 1)


def class_bits(c: HardwareConfig) -> int:
    """Bits of a popcount class: popcount - 1."""
    return clog2(c.tile_k)


def loaded_word(c: HardwareConfig) -> data.StructLayout:
    """An input beat with at least one non-zero row."""
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(c.tile_k, c.load_rows),
            "nonzero": c.load_rows,
            "index": range(c.words),  # of the beat in its tile
            "last": 1,  # of the tile's beats that have a non-zero row
        }
    )


def loaded_tile(c: HardwareConfig) -> data.StructLayout:
    """The cumulative popcount histogram of a tile."""
    return data.StructLayout(
        {
            "upto": data.ArrayLayout(c.count_bits, c.tile_k),  # [p]: non-zero rows of popcount <= p + 1
            "empty": 1,  # no non-zero row
            "tile": tile_info(c),
        }
    )


def picked_rows(c: HardwareConfig) -> data.ArrayLayout:
    """``queries`` rows in index order; lane 1 is valid only beside lane 0."""
    row = data.StructLayout({"valid": 1, "row": c.tile_k, "index": c.row_bits})
    return data.ArrayLayout(row, c.queries)


def counted_row(c: HardwareConfig) -> data.StructLayout:
    """A row with what its turn and its TCAM entry follow from."""
    return data.StructLayout(
        {
            "valid": 1,
            "row": c.tile_k,
            "index": c.row_bits,
            "cls": class_bits(c),
            "low": c.row_bits,  # first turn of its class
            "high": c.row_bits,  # first turn after its class
            "number": c.row_bits,  # rows of its class before it (without its pair's other row)
            "same": 1,  # the row before it in its pair is of its class
        }
    )


def sorted_tile(c: HardwareConfig) -> data.StructLayout:
    """A tile whose rows stand in the ring."""
    return data.StructLayout({"count": c.count_bits, "tile": tile_info(c)})


def sorted_row(c: HardwareConfig) -> data.StructLayout:
    """A non-zero row in issue order."""
    return data.StructLayout(
        {
            "row": c.tile_k,
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
