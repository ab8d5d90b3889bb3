"""SATO (Liu et al., DAC 2022): 128 adders that skip bits which are zero; each takes whole rows, balanced greedily."""

import math

import numpy as np

from ...support.kernels import kernel
from .accelerator import Accelerator
from .workload import Workload

ADDERS = 128


@kernel()
def _longest(bits: np.ndarray, adders: int) -> int:
    """Give each row to the adder with the fewest bits so far, the lowest if several have; return the largest sum."""
    sums = np.zeros(adders, np.int64)
    for row in bits:
        least = 0
        for adder in range(1, adders):
            if sums[adder] < sums[least]:
                least = adder
        sums[least] += row
    return int(sums.max())


def matrix_cycles(layer: Workload) -> int:
    """Return the set bits of the busiest adder x O; rows come by step and then by position."""
    bits = np.bitwise_count(layer.packed).sum(axis=1, dtype=np.int64)
    in_order = np.ascontiguousarray(bits.reshape(layer.positions, layer.steps).T).reshape(-1)
    return int(_longest(in_order, ADDERS)) * layer.outputs


def neuron_cycles(layer: Workload) -> float:
    """Return n x (log2 T + 1): a tree over the timesteps, and a comparator; the logarithm is one of float32."""
    logarithm = math.log2(layer.timesteps)
    if not logarithm.is_integer():
        logarithm = float(np.log2(np.float32(layer.timesteps)))
    cycles = layer.neurons * (logarithm + 1)
    return int(cycles) if cycles.is_integer() else cycles


SATO = Accelerator(
    name="SATO",
    what="128 adders, bit sparsity, rows balanced greedily (Liu et al., DAC 2022)",
    matrix=matrix_cycles,
    neurons=neuron_cycles,
    chip_milliwatt=319.5,
    dram_ratio=4.85,
)
