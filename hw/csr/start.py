"""What the host writes into the registers before it starts a job."""

from __future__ import annotations

from ..arch.memory_image import AddressWindow, Windows
from ..arch.program import ADDRESS_BITS

EVERYTHING = AddressWindow(base=0, size=1 << ADDRESS_BITS)
"""The window that holds every address."""

OPEN = Windows(read=EVERYTHING, write=EVERYTHING)
"""Windows that allow everything, for tests of what stands in the way of an access besides them."""


def start_registers(program: int, windows: Windows) -> dict[str, int]:
    """Return the values of the registers that a job takes at its start, by their names.

    Parameters
    ----------
    program : byte address of the first command
    windows : where the accelerator may read and write
    """
    values = {"PROGRAM": program}
    for name, window in (("READ", windows.read), ("WRITE", windows.write)):
        values |= {f"{name}_BASE": window.base, f"{name}_SIZE": window.size}
    halves: dict[str, int] = {}
    for name, value in values.items():
        halves |= {f"{name}_LO": value & 0xFFFFFFFF, f"{name}_HI": value >> 32}
    return halves
