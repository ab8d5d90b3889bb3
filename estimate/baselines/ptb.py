"""PTB (Parallel Time Batching, Lee et al., HPCA 2022): a systolic array of 16 x 8 that works on windows of 4 timesteps.

The published simulator sums 4 consecutive timesteps to a window; T is padded to a power of two. The axis (window,
position), window outermost, is cut into 8 equal consecutive parts, of which part j is column j of the array. This gives
matrices of K rows and 8 columns. A row of zeros costs nothing, and a row without zeros takes a slot. Each other row, in
order, takes the first later row that is unpaired and shares no non-zero column with it: a pair takes one slot, and so
does a row that finds none. A fully connected layer on one vector pairs nothing: each input with a non-zero window takes
a slot.

The published simulator can only run what fills windows and columns. Here fewer than 4 steps are padded to a window, and
(window, position) with empty columns to a multiple of 8, which it would refuse.
"""

import numpy as np

from ...support.kernels import kernel
from .accelerator import Accelerator, ceiling
from .workload import WORD, Workload

HEIGHT, COLUMNS, WINDOW = 16, 8, 4
FULL = (1 << COLUMNS) - 1
FIRST_BITS = HEIGHT * COLUMNS * (8 + 4)
"""Bits that are loaded before the first cycle: weights of 8 bits, and sums of 4 windows, for each element."""
DRAM_BITS = 1024
"""Bits that move between DRAM and the chip in a cycle."""


@kernel()
def _columns(packed: np.ndarray, positions: int, steps: int, windows: int, word: int) -> np.ndarray:
    """Return the non-zero columns of every row, uint8[matrices, words * word]."""
    total = windows * positions
    matrices = -(-total // COLUMNS)
    found = np.zeros((matrices, packed.shape[1] * word), np.uint8)
    for index in range(total):
        window, position = index // positions, index % positions
        column = np.uint8(1 << (index // matrices))
        first, last = position * steps + window * WINDOW, position * steps + min(steps, (window + 1) * WINDOW)
        for w in range(packed.shape[1]):
            bits = np.uint64(0)
            for row in range(first, last):
                bits |= packed[row, w]
            for bit in range(word):
                if bits >> np.uint64(bit) & np.uint64(1):
                    found[index % matrices, w * word + bit] |= column
    return found


@kernel()
def _slots(columns: np.ndarray) -> int:
    """Return the slots that all matrices take. Rows with the same columns wait in a queue, in order."""
    total, rows = 0, columns.shape[1]
    following = np.empty(rows, np.int64)
    head = np.empty(FULL + 1, np.int64)
    taken = np.empty(rows, np.bool_)
    for matrix in columns:
        head[:] = -1
        for row in range(rows - 1, -1, -1):
            following[row] = head[matrix[row]]
            head[matrix[row]] = row
        taken[:] = False
        for row in range(rows):
            mine = int(matrix[row])
            if mine == 0 or taken[row]:
                continue
            total += 1
            best, others = -1, FULL & ~mine
            candidate = others
            while candidate > 0:  # all non-empty subsets of the columns that are zero here
                while head[candidate] != -1 and head[candidate] <= row:
                    head[candidate] = following[head[candidate]]
                if head[candidate] != -1 and (best == -1 or head[candidate] < best):
                    best = head[candidate]
                candidate = (candidate - 1) & others
            if best != -1:
                taken[best] = True
                head[matrix[best]] = following[best]
    return total


def slots(layer: Workload) -> int:
    """Return how many slots a layer takes for one group of 16 output channels."""
    if layer.linear:
        return int(np.bitwise_count(np.bitwise_or.reduce(layer.packed, axis=0)).sum())
    padded = max(WINDOW, 1 << (layer.steps - 1).bit_length())
    return int(_slots(_columns(layer.packed, layer.positions, layer.steps, padded // WINDOW, WORD)))


def matrix_cycles(layer: Workload) -> int:
    """Return the cycles of computation, or those of the DRAM if they are more, and those of the first load."""
    compute = slots(layer) * ceiling(layer.outputs, HEIGHT) * WINDOW + layer.positions * HEIGHT * 2
    inputs, weights = layer.steps * layer.positions * layer.depth, 8 * layer.depth * layer.outputs
    moved = inputs + weights + layer.timesteps * layer.positions * layer.outputs - FIRST_BITS
    return compute + FIRST_BITS // DRAM_BITS + max(0, moved // DRAM_BITS - compute)


def neuron_cycles(layer: Workload) -> int:
    """Return floor(3 n T / 16)."""
    return layer.neurons * layer.timesteps * 3 // HEIGHT


PTB = Accelerator(
    name="PTB",
    what="systolic array of 16 x 8, windows of 4 timesteps (Lee et al., HPCA 2022)",
    matrix=matrix_cycles,
    neurons=neuron_cycles,
    chip_milliwatt=982.0,
    dram_ratio=2.53,
)
