"""Counts what energy goes with: accesses to the memories of the accelerator, RUN by RUN.

Memories take most of what changes from network to network. A memory is charged for a read where its address is another
one than before (:mod:`reprise.flow.energy.replay`), so reads that repeat themselves count once: an image that is shown
in equal timesteps is read once for all of them.
"""

from __future__ import annotations

import numpy as np

from ...compiler.golden.arithmetic import places
from ...compiler.golden.trace import RunTrace
from ...hw.arch.config import clog2
from ...hw.interface.streams import feature_banks
from ...model.prosparsity.tiles import TileBlock
from ...support.kernels import kernel

NOWHERE = -(1 << 40)


@kernel()
def _feature_reads(
    at: np.ndarray, starts: np.ndarray, cuts: np.ndarray, ends: np.ndarray, load_rows: int, word_bits: int, banks: int
) -> int:
    """Return how often a bank of the feature buffer is read at another entry than before."""
    before = np.full((load_rows, banks), NOWHERE, np.int64)
    count = 0
    for m in range(len(starts) - 1):
        for k in range(len(ends)):
            for word in range(starts[m], starts[m + 1], load_rows):
                for n in range(ends[k - 1] if k else 0, ends[k]):
                    address, bit, _, _, shift, source, _ = cuts[n]
                    for r in range(load_rows):
                        place = at[min(word + r, starts[m + 1] - 1), source]
                        first = place[0] + address + ((place[1] + bit - shift) >> word_bits)
                        for bank in range(banks):
                            entry = first // banks + (bank == 0 and first % banks == banks - 1)
                            count += entry != before[r, bank]
                            before[r, bank] = entry
    return count


@kernel()
def _result_reads(
    order: np.ndarray, prefix: np.ndarray, residual: np.ndarray, starts: np.ndarray, nonzero: np.ndarray
) -> int:
    """Return how many tile results are read: as bases, if they are not at hand, and by exact matches."""
    count = 0
    for m in range(len(starts) - 1):
        for k in range(residual.shape[1]):
            computed = base = reused = -1
            for s in range(nonzero[m, k]):
                i = order[starts[m] + s, k]
                p = prefix[starts[m] + i, k]
                if residual[starts[m] + i, k]:
                    if p >= 0 and p != computed and p != base:
                        count += 1
                        base = p
                    computed = i
                elif p != reused:
                    count += 1
                    reused = p
    return count


def of_run(trace: RunTrace, block: TileBlock, outputs: int) -> dict[str, int]:
    """Return the accesses of a RUN (:class:`reprise.estimate.report.fields.Accesses`).

    Parameters
    ----------
    trace : what the interpreter knows of the RUN
    block : its analysed tiles
    outputs : groups of channels that its neurons give out
    """
    c, f, counts = trace.config, trace.fields, block.counts
    at = places(f, len(trace.packed))
    ends = np.cumsum(trace.segments)
    shape = c.load_rows, clog2(c.feature_bits), feature_banks(c)
    groups, dirty = f["groups"], int(np.count_nonzero(block.rows.any(axis=1)))
    reads = _result_reads(block.order, block.prefix, block.residual, trace.starts, counts.nonzero)
    return {
        "feature_reads": _feature_reads(at, trace.starts, trace.cuts, ends, *shape),
        "weight_rows": int(np.bitwise_count(trace.weight_rows).sum()),
        "updates": groups * int(counts.nonzero.sum()),
        "drained": groups * dirty,
        "results": groups * int((counts.nonzero - counts.exact).sum()),
        "result_reads": groups * reads,
        "outputs": outputs,
    }
