"""Which bank of partial sums a row belongs to: one rule for the dispatcher, the processor and their benches."""

from functools import reduce
from operator import xor

from .config import HardwareConfig


def bank_of(c: HardwareConfig, row):
    """Bank of row index ``row`` (an integer or a hardware value): 0, or with two banks a bit.

    Together with ``row >> 1`` it determines the row, so that is the address in the bank. Rows of one position are
    neighbours (timesteps, planes), and neurons that fire every second timestep make even and odd rows unequal: the
    parity of all bits spreads them (recorded LeNet-5: fullest bank 17,055 of 34,104 rows instead of 17,711).
    """
    if c.banks == 1:
        return 0
    return row.bit_count() & 1 if isinstance(row, int) else reduce(xor, row)
