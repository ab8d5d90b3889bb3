"""Runs simulations side by side, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items that are handed out for each process, so that none of them waits for the next."""


def side_by_side(work: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """Yield ``work(item)`` for each item as it comes, in any order; ``items`` may be without end.

    Processes are spawned, because Numba's threads do not survive a fork. With one process the work is done here.
    """
    left = iter(items)
    if processes == 1:
        yield from map(work, left)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(work, item) for item in islice(left, AHEAD * processes)}
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            waiting |= {pool.submit(work, item) for item in islice(left, 1)}
            yield done.result()
