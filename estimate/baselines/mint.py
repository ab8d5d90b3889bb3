"""MINT (Yin et al., ASP-DAC 2024): 128 adders that skip bits which are zero."""

import numpy as np

from .accelerator import Accelerator, ceiling
from .ptb import neuron_cycles
from .workload import Workload

ADDERS = 128


def matrix_cycles(layer: Workload) -> int:
    """Return set bits x ceil(O / 128)."""
    return int(np.bitwise_count(layer.packed).sum(dtype=np.int64)) * ceiling(layer.outputs, ADDERS)


MINT = Accelerator(
    name="MINT",
    what="128 adders, bit sparsity (Yin et al., ASP-DAC 2024)",
    matrix=matrix_cycles,
    neurons=neuron_cycles,
    chip_milliwatt=396.3,
    dram_ratio=3.12,
)
