"""Payloads of the issue stage, and its bit tricks."""

from amaranth import Value
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.streams import TAG_BITS


def lowest(x: Value) -> Value:
    """The lowest set bit of ``x``, one-hot."""
    return (x & (~x + 1))[: len(x)]


def without_lowest(x: Value) -> Value:
    return (x & (x - 1))[: len(x)]


def held_result(c: HardwareConfig) -> data.StructLayout:
    """The tile result in a bank's operand register."""
    return data.StructLayout({"valid": 1, "tag": TAG_BITS, "result": c.row_bits})


def psum_slot(c: HardwareConfig) -> data.StructLayout:
    """An update of one row's partial sum in one bank."""
    return data.StructLayout({"valid": 1, "buffer": 1, "row": c.row_bits})


def issue_events(c: HardwareConfig) -> data.StructLayout:
    """Single-cycle events of the issue stage; see :func:`reprise.hw.interface.events.processor_events`."""
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
