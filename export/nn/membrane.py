"""Membrane shortcuts as modules: a stream of currents that run past neurons, and to which branches add theirs."""

import torch
from torch import nn

from ...model.network.neuron import SUM_BITS, SumBits
from ...support.checks import require


class MembraneStream(nn.Module):
    """``x + branch``: a current that is stored, and the current of a branch that begins with a neuron on x.

    It is an addition, which tells how x is stored. A plain ``x + branch`` is stored with 16 bits where a sum has more
    than two parts.

    Parameters
    ----------
    bits : 8, 16 or 32
        Of the integers that hold the stream. What they cannot hold is clipped; with 32 bits that is proven not to
        happen in most networks, at twice the traffic of 16 bits.

    Raises
    ------
    ValueError
        There are no integers of so many bits.
    """

    def __init__(self, bits: SumBits = 16) -> None:
        super().__init__()
        require(bits in SUM_BITS, "bits", f"one of {SUM_BITS}", bits)
        self.bits = bits

    def forward(self, x: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
        return x + branch

    def extra_repr(self) -> str:
        return f"bits={self.bits}"
