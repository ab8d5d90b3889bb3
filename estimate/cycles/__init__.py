"""The cycle model: the blocks of the accelerator with every register that time depends on, but without the data.

A function does what one block does in one cycle. In each cycle the functions run in an order in which all of them still
see what the registers held when the cycle began (:mod:`reprise.estimate.cycles.machine`). So whatever happens in the
RTL happens here in the same cycle. The values of rows, weights and sums are left out, except for what time depends on:
residual bits, prefixes, and where rows lie.
"""

from .machine import Machine

__all__ = ["Machine"]
