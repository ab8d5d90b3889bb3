"""How many cores a compiled kernel takes: one for short work, all for long."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba as nb

LONG_WORK = 10_000_000  # simple steps, about 10 ms of one core


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """All cores if ``work`` (simple steps, about a nanosecond each) is long, one if it is short.

    Waking threads costs more than short work takes, and on a busy machine a barrier waits for the slowest one:
    measured here at load 8 on two cores, the analysis of the LeNet-5 capture took 0.15 s on two threads, 0.012 s on
    one.
    """
    before = nb.get_num_threads()
    nb.set_num_threads(before if work > LONG_WORK else 1)
    try:
        yield
    finally:
        nb.set_num_threads(before)
