"""Reads the log of events that a bench of the whole accelerator writes, in the form in which the cycle model keeps its.

A log is a pair of int64 arrays, (cycles, events): from each cycle on until the next one, the bits of
:data:`reprise.estimate.cycles.state.EVENTS` are set. Cycles count from the host's start. Both logs say the same cycle
by cycle, unless the memory stalls at random.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ...estimate.cycles.state import EVENTS

Log = tuple[np.ndarray, np.ndarray]

LATE = tuple(name for name in EVENTS if name in ("residual_bit", "compute_row") or name.startswith("stall_"))
"""The events that go through a register of the processor before the profile shows them, a cycle late."""


def joined(parts: Iterable[Log]) -> Log:
    """Return one log of several that follow each other."""
    cycles, events = ([*column] for column in zip(*parts, strict=True))
    return np.concatenate(cycles), np.concatenate(events)


def _level(log: Log, at: np.ndarray) -> np.ndarray:
    """Return what a log says of each cycle ``at``; before its first cycle nothing happens."""
    cycles, events = log
    found = np.searchsorted(cycles, at, "right") - 1
    return np.where(found >= 0, events[np.maximum(found, 0)], 0)


def read_log(path: Path, bits: Mapping[int, str], start: int) -> Log:
    """Return the log of a bench's file.

    Parameters
    ----------
    path : of the file, which holds three uint32 for each cycle in which a bit changed: the cycle, and 64 bits
    bits : the name of every bit (:attr:`reprise.cosim.bench.system.SystemBench.event_bits`)
    start : cycle of the host's start
    """
    lines = np.fromfile(path, np.uint32).reshape(-1, 3).astype(np.int64)
    cycles, seen = lines[:, 0] - start, lines[:, 1] | lines[:, 2] << 32
    parts = []
    for late in (False, True):
        found = np.zeros(len(seen), np.int64)
        for bit, name in bits.items():
            if name in EVENTS and (name in LATE) == late:
                found |= (seen >> bit & 1) << EVENTS.index(name)
        parts.append((cycles - late, found))
    at = np.union1d(parts[0][0], parts[1][0])
    return at, _level(parts[0], at) | _level(parts[1], at)


def times(log: Log, event: str, end: int) -> np.ndarray:
    """Return int64[n], the cycles before ``end`` in which an event happens, in their order."""
    cycles, events = log
    begin = np.flatnonzero(events >> EVENTS.index(event) & 1)
    until = np.minimum(np.append(cycles[1:], end)[begin], end) if len(cycles) else begin
    lengths = np.maximum(until - cycles[begin], 0)
    first = np.repeat(cycles[begin] - np.cumsum(lengths) + lengths, lengths)
    return first + np.arange(len(first))


def stretches(log: Log, event: str, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each stretch of cycles begins in which an event happens, and where it ends, before ``end``."""
    cycles, events = log
    on = np.concatenate([[0], events >> EVENTS.index(event) & 1, [0]])
    begin, until = np.flatnonzero(np.diff(on) == 1), np.flatnonzero(np.diff(on) == -1)
    at = np.minimum(np.append(cycles, end), end)
    inside = at[begin] < end
    return at[begin][inside], at[until][inside]
