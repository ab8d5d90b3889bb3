"""Payloads inside the detector's box: matches of the TCAM, found rows, pruned rows."""

from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.search import class_bits, entry_bits


def inserted_row(c: HardwareConfig) -> data.StructLayout:
    """A row that the detector puts into its bank, for the pruner's copy of the patterns."""
    return data.StructLayout(
        {"valid": 1, "entry": entry_bits(c), "row": c.tile_k, "cls": class_bits(c), "group_index": entry_bits(c)}
    )


def bests(c: HardwareConfig) -> data.ArrayLayout:
    """Best matching entries: of one query by bank, or of one bank by query."""
    return data.ArrayLayout(data.StructLayout({"found": 1, "entry": entry_bits(c)}), c.queries)


def found_row(c: HardwareConfig) -> data.StructLayout:
    """A row and the best matching entry of every bank."""
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
    """Rows that leave the detector in one cycle; ``last`` closes the tile."""
    return data.StructLayout({"valid": 1, "last": 1, "rows": data.ArrayLayout(found_row(c), c.queries)})


def pruned_row(c: HardwareConfig) -> data.StructLayout:
    """A row, its prefix and its residual."""
    return data.StructLayout(
        {
            "valid": 1,
            "index": c.row_bits,
            "result": c.row_bits,
            "has_prefix": 1,
            "prefix": c.row_bits,  # tile result
            "residual": c.tile_k,
            "exact": 1,  # has a prefix and no residual
        }
    )


def pruned_group(c: HardwareConfig) -> data.StructLayout:
    """Rows that leave the pruner in one cycle; ``last`` closes the tile."""
    return data.StructLayout({"valid": 1, "last": 1, "rows": data.ArrayLayout(pruned_row(c), c.queries)})
