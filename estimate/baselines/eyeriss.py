"""Eyeriss (Chen et al., JSSC 2017): a dense array of 14 x 12 multipliers, which skips nothing."""

from .accelerator import Accelerator, ceiling
from .workload import Workload

ROWS, COLUMNS = 14, 12


def matrix_cycles(layer: Workload) -> int:
    """Return ceil(O / 12) x floor(K T S / 14). It multiplies, so the planes of a level take one cycle together."""
    operations = layer.depth * layer.timesteps * layer.positions
    return ceiling(layer.outputs, COLUMNS) * (operations // ROWS)


def neuron_cycles(layer: Workload) -> int:
    """Return floor(floor(T / 12) n / 14)."""
    return layer.timesteps // COLUMNS * layer.neurons // ROWS


EYERISS = Accelerator(
    name="Eyeriss",
    what="dense array of 14 x 12 (Chen et al., JSSC 2017)",
    matrix=matrix_cycles,
    neurons=neuron_cycles,
    chip_milliwatt=1410.5,
    dram_ratio=5.47,
)
