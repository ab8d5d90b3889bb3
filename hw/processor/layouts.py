"""The layouts of the issue stage, and how it finds the bits of a residual that are added next."""

from amaranth import Cat, Value
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.streams import TAG_BITS


def bank_bits(x: Value, bank: int, banks: int) -> Value:
    """Return the bits of ``x`` whose weights lie in a bank, that is, those with ``k mod banks == bank``."""
    return Cat(x[k] for k in range(bank, len(x), banks))


def _of_each(banks: int, x: Value, parts: list[Value]) -> Value:
    return Cat(parts[k % banks][k // banks] for k in range(len(x)))


def lowest(x: Value, banks: int) -> Value:
    """Return the lowest set bit of each of the ``banks`` banks in ``x``, and nothing else of it."""
    parts = [bank_bits(x, bank, banks) for bank in range(banks)]
    return _of_each(banks, x, [(part & (~part + 1))[: len(part)] for part in parts])


def without_lowest(x: Value, banks: int) -> Value:
    """Return ``x`` without the lowest set bit of each of its ``banks`` banks."""
    parts = [bank_bits(x, bank, banks) for bank in range(banks)]
    return _of_each(banks, x, [(part & (part - 1))[: len(part)] for part in parts])


def walked(c: HardwareConfig, row: data.View) -> Value:
    """Return the bits of a compute row that take a slot: those of its residual, but where a RUN has a mode."""
    return row.slots if c.modes else row.residual


def added(c: HardwareConfig, mine: Value, row: data.View, bank: int) -> Value:
    """Return one bit: of the bits ``mine`` that a bank of weights issues, one is of the residual, so it is added."""
    return (mine & bank_bits(row.residual, bank, c.weight_banks) if c.modes else mine).any()


def weight_read(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what is read of a weight slot: of each bank a weight row or, if none is wanted, zeros."""
    bank = data.StructLayout({"wanted": 1, "row": range(c.tile_k // c.weight_banks)})
    return data.StructLayout({"banks": data.ArrayLayout(bank, c.weight_banks), "weight_slot": c.weight_slot_bits})


def held_result(c: HardwareConfig) -> data.StructLayout:
    """Return the layout that names the tile result which a bank's operand register holds."""
    return data.StructLayout({"valid": 1, "tag": TAG_BITS, "result": c.row_bits})


def psum_slot(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of an update of one row's partial sum in one bank."""
    return data.StructLayout({"valid": 1, "buffer": c.buffer_bits, "row": c.row_bits})


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
