"""The cycle model: the accelerator's blocks, register by register where time passes, without its data.

One function per block and cycle. A cycle's functions run in an order in which everyone still sees what the registers
held when the cycle began (:mod:`estimate.cycles.machine`), so what they say is when things happen in the RTL; what the
rows, weights and sums are worth is left out, but for what time depends on: residual bits, prefixes, places of rows.
"""

from .machine import Machine

__all__ = ["Machine"]
