"""Decides how many cores a compiled kernel takes: one for short work, and all of them for long work."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba as nb

LONG_WORK = 10_000_000  # in simple steps; they take one core about 10 ms


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """Let kernels use all cores within this context if ``work`` is long, and one core if it is short.

    ``work`` counts simple steps of about a nanosecond each. Waking threads costs more than short work takes, and on a
    busy machine a barrier waits for the slowest thread. Measured at load 8 on two cores, the analysis of the LeNet-5
    capture took 0.15 s on two threads and 0.012 s on one.
    """
    before = nb.get_num_threads()
    nb.set_num_threads(before if work > LONG_WORK else 1)
    try:
        yield
    finally:
        nb.set_num_threads(before)
