"""The layouts of the issue stage, and how it finds the lowest set bit of a residual."""

from amaranth import Value
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.streams import TAG_BITS


def lowest(x: Value) -> Value:
    """Return the lowest set bit of ``x``, one-hot and as wide as ``x``."""
    return (x & (~x + 1))[: len(x)]


def without_lowest(x: Value) -> Value:
    """Return ``x`` without its lowest set bit."""
    return (x & (x - 1))[: len(x)]


def held_result(c: HardwareConfig) -> data.StructLayout:
    """Return the layout that names the tile result which a bank's operand register holds."""
    return data.StructLayout({"valid": 1, "tag": TAG_BITS, "result": c.row_bits})


def psum_slot(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of an update of one row's partial sum in one bank."""
    return data.StructLayout({"valid": 1, "buffer": 1, "row": c.row_bits})


def issue_events(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what happens in the issue stage in a cycle.

    :class:`reprise.hw.processor.processor.Processor` makes of it what is counted, under the names of
    :func:`reprise.hw.interface.events.processor_events`, which says what they mean.
    """
    return data.StructLayout(
        {
            "residual_bit": 1,
            "compute_row": 1,
            "reuse_rows": range(c.banks + 1),
            "no_row": 1,
            "weights": 1,
            "lead": 1,
            "hazard": 1,
            "reuse": 1,
            "prefix": 1,
        }
    )
