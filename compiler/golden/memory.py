"""The memory as the golden interpreter sees it: the host's windows, and which RUN wrote what may not be read yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ...hw.arch.memory_image import MemoryImage, Windows
from ...hw.arch.program import ADDRESS_BITS, Error, Wait
from .errors import OrderBroken, ProgramError

PAGE = 4096


def _pages(address: int, count: int) -> Iterator[tuple[int, slice]]:
    """Yield the pages that some bytes lie in, by their numbers, each with the bytes in it."""
    for page in range(address // PAGE, -(-(address + count) // PAGE)):
        yield page, slice(max(address - page * PAGE, 0), min(address + count - page * PAGE, PAGE))


class Memory:
    """Reads and writes bytes on behalf of commands, and refuses what the accelerator would refuse.

    Parameters
    ----------
    image : gives base and bus width
    data : uint8[size], the bytes ``base .. base+size-1``, which are changed in place
    windows : where the host lets the accelerator read and write

    Members
    -------
    read_by, written_by : bytes that each command, by its index, moved
    """

    def __init__(self, image: MemoryImage, data: np.ndarray, windows: Windows) -> None:
        self.data, self.windows = data, windows
        self.read_by: Counter[int] = Counter()
        self.written_by: Counter[int] = Counter()
        self._base, self._bus = image.base, image.config.bus_bits // 8
        self._written: dict[int, np.ndarray] = {}  # of a page, for each byte the last RUN that wrote it, or 0
        self._runs = 0
        self._answered = self._early = 0  # the RUNs all of whose writes loads, or weights and commands, may read

    def barrier(self) -> None:
        """Forget what runs have written: from now on it may be read."""
        self._written.clear()
        self._answered = self._early = self._runs

    def wait(self, wait: Wait) -> None:
        """Let the loads from here on read what they have waited for."""
        if wait is not Wait.NOTHING:
            self._answered = max(self._answered, self._runs - (wait is Wait.OLDER))

    def run(self) -> None:
        """Begin to write on behalf of another RUN, of which the weights have been read."""
        self._runs += 1

    def run_ends(self) -> None:
        """Let what follows read what the loads in front of the RUN have waited for, since it started behind them."""
        self._early = self._answered

    def within(self, command: int, address: int, count: int) -> None:
        """Require that bytes, as whole bus words, lie in the read window.

        Raises
        ------
        ProgramError
            They leave it.
        """
        whole = -(-count // self._bus) * self._bus
        if not self.windows.read.holds(address % (1 << ADDRESS_BITS), whole):
            raise self._refused(command, Error.READ_WINDOW, "a read must stay in the read window", address, count)

    def read(self, command: int, address: int, count: int, *, early: bool = False) -> np.ndarray:
        """Return bytes, as whole bus words are read.

        ``early``: they may be read before the loads in front have begun, which weights and commands are.

        Raises
        ------
        ProgramError
            They leave the read window or the memory.
        OrderBroken
            A RUN has written some of them for which nothing has waited.
        """
        self.within(command, address, count)
        address %= 1 << ADDRESS_BITS
        at = address - self._base
        if not (0 <= at and at + count <= len(self.data)):
            raise self._refused(command, Error.READ, "a read must stay in the memory", address, count)
        pages, answered = self._written, self._early if early else self._answered
        if any(pages[page][part].max() > answered for page, part in _pages(address, count) if page in pages):
            raise OrderBroken.named(command, "read", f"{address:#x}")
        self.read_by[command] += -(-count // self._bus) * self._bus
        return self.data[at : at + count]

    def write(self, command: int, address: int, data: np.ndarray) -> None:
        """Write bytes, which are whole bus words.

        Raises
        ------
        ProgramError
            They leave the write window or the memory.
        """
        address %= 1 << ADDRESS_BITS
        count = len(data)
        if not self.windows.write.holds(address, count):
            raise self._refused(command, Error.WRITE_WINDOW, "a write must stay in the write window", address, count)
        at = address - self._base
        if not (0 <= at and at + count <= len(self.data)):
            raise self._refused(command, Error.WRITE, "a write must stay in the memory", address, count)
        self.data[at : at + count] = data
        self.written_by[command] += count
        for page, part in _pages(address, count):
            self._written.setdefault(page, np.zeros(PAGE, np.int32))[part] = self._runs

    @staticmethod
    def _refused(command: int, code: Error, rule: str, address: int, count: int) -> ProgramError:
        return ProgramError.refused(command, code, f"{rule}, not {count} bytes at {address:#x}")
