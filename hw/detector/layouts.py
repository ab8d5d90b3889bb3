"""Layouts of what travels inside the detector's box: matches of the TCAM, found rows and pruned rows."""

from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.search import class_bits, entry_bits
from ..interface.streams import taken


def inserted_row(c: HardwareConfig) -> data.StructLayout:
    """A row that the detector inserts into one of its banks; the pruner keeps a copy of its pattern."""
    return data.StructLayout(
        {"valid": 1, "entry": entry_bits(c), "row": c.tile_k, "cls": class_bits(c), "group_index": entry_bits(c)}
    )


def bests(c: HardwareConfig) -> data.ArrayLayout:
    """The best matching entries, either of one query in each bank, or of each query in one bank."""
    return data.ArrayLayout(data.StructLayout({"found": 1, "entry": entry_bits(c)}), c.queries)


def found_row(c: HardwareConfig) -> data.StructLayout:
    """A row and its best matching entry in every bank."""
    return data.StructLayout(
        {
            "valid": 1,
            "row": c.tile_k,
            "index": c.row_bits,
            "result": c.row_bits,
            "best": bests(c),
        }
    )


def found_group(c: HardwareConfig) -> data.StructLayout:
    """The rows that leave the detector in one cycle; ``last`` says that they are the last of their tile."""
    group = {"valid": 1, "last": 1, "rows": data.ArrayLayout(found_row(c), c.queries)}
    return data.StructLayout(group | (taken(c) if c.modes else {}))


def pruned_row(c: HardwareConfig) -> data.StructLayout:
    """A row with its prefix and its residual."""
    return data.StructLayout(
        {
            "valid": 1,
            "index": c.row_bits,
            "result": c.row_bits,
            "has_prefix": 1,
            "prefix": c.row_bits,  # where the tile result of the prefix is kept
            "residual": c.tile_k,
            "exact": 1,  # it is an exact match: it has a prefix and its residual is empty
            **({"slots": c.tile_k} if c.modes else {}),  # the bits that take a slot: the residual's or, if dense, all
        }
    )


def pruned_group(c: HardwareConfig) -> data.StructLayout:
    """The rows that leave the pruner in one cycle; ``last`` says that they are the last of their tile."""
    return data.StructLayout({"valid": 1, "last": 1, "rows": data.ArrayLayout(pruned_row(c), c.queries)})
