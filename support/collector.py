"""Python's garbage collector, kept from looking again and again at millions of objects that stay.

Amaranth's netlists and Numba's intermediate code are such objects. Reference counts free nearly everything here; the
collector only finds circles, and its searches took half the time of generating the Verilog of ``paper`` (20.1 s of a
core against 9.4 s without; the process grows from 283 to 452 MB) and a sixth of compiling the cycle model.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 1_000_000
"""New objects between two searches; Python's own number is 700."""


def collect_rarely() -> None:
    """Search seldom, for the rest of this process: for programs, not for libraries in somebody else's process."""
    gc.set_threshold(OBJECTS, 20, 100)


@contextmanager
def paused() -> Iterator[None]:
    """Search not at all while the context is open."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
