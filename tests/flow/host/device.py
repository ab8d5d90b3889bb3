"""The Verilated accelerator behind the interfaces of pynq, with the checks that pynq makes."""

from __future__ import annotations

import asyncio
import ctypes
import weakref

import numpy as np

from reprise.hw.arch.config import HardwareConfig
from tests.flow.host.rtl import accelerator_library


class Simulation:
    """The library's device, of which there is one in a process; its memory is a host's array at a physical address."""

    def __init__(self, config: HardwareConfig, base: int, size: int = 1 << 20) -> None:
        self.library = library = ctypes.CDLL(str(accelerator_library(config)))
        library.shim_memory.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
        library.shim_fault.argtypes = (ctypes.c_uint64, ctypes.c_uint64)
        for name in ("shim_cycles", "shim_stray"):
            getattr(library, name).restype = ctypes.c_uint64
        for name in ("shim_read", "shim_refused", "shim_irq"):
            getattr(library, name).restype = ctypes.c_uint32
        self.base, self.size = base, size
        self.memory = np.full(size, 0xA5, np.uint8)
        library.shim_memory(self.memory.ctypes.data, base, size)
        library.shim_hang(0)
        library.shim_fault(1, 0)
        library.shim_reset()
        self.used = 0

    def reset(self) -> None:
        self.library.shim_hang(0)
        self.library.shim_reset()


class Mmio:
    """``pynq.MMIO``: offsets are multiples of 4, data is an ``int`` and nothing else, a word is 32 bits."""

    def __init__(self, simulation: Simulation) -> None:
        self.library = simulation.library
        self.flip: dict[int, int] = {}

    def read(self, offset=0):
        if offset < 0:
            raise ValueError("Offset cannot be negative.")
        if offset % 4:
            raise MemoryError("Unaligned read: offset must be multiple of 4.")
        return self.library.shim_read(offset) ^ self.flip.get(offset, 0)

    def write(self, offset, data):
        if offset < 0:
            raise ValueError("Offset cannot be negative.")
        if offset % 4:
            raise MemoryError("Unaligned write: offset must be multiple of 4.")
        if type(data) is not int:
            raise ValueError("Data type must be int or bytes.")
        if not 0 <= data < 1 << 32:
            raise OverflowError(f"{data} is no uint32")
        self.library.shim_write(offset, data)


class Buffer(np.ndarray):
    """``pynq.buffer.PynqBuffer``: views know their physical address.

    What the CPU writes is in memory after ``flush``, and what the device writes is seen after ``invalidate``: the array
    is the cache, and the simulation's memory is the memory.
    """

    simulation: Simulation

    @classmethod
    def make(cls, simulation: Simulation, shape, dtype, address: int) -> Buffer:
        made = np.zeros(shape, dtype).view(cls)
        made.simulation, made.device_address, made.freed = simulation, address, False
        return made

    def __array_finalize__(self, source):
        if isinstance(source, Buffer) and getattr(source, "device_address", None) is not None:
            self.simulation, self.freed = source.simulation, False
            self.device_address = source.device_address + self.virtual_address - source.virtual_address
        else:
            self.device_address = None

    @property
    def virtual_address(self):
        return self.__array_interface__["data"][0]

    def _memory(self):
        assert self.dtype == np.uint8 and self.flags.c_contiguous and not self.freed
        first = self.device_address - self.simulation.base
        return self.simulation.memory[first : first + self.nbytes]

    def flush(self):
        self._memory()[:] = self

    def invalidate(self):
        self[:] = self._memory()

    def freebuffer(self):
        self.freed = True
        self.simulation.used = 0


class Allocator:
    """``pynq.allocate`` with so many bytes; ``skew`` bytes off a page."""

    def __init__(self, simulation: Simulation, *, most: int = 1 << 20, skew: int = 0) -> None:
        self.simulation, self.most, self.skew = simulation, most, skew
        self.made: list = []

    def __call__(self, shape, dtype="u4"):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size + self.skew > min(self.most, self.simulation.size):
            raise RuntimeError("Failed to allocate Memory!")
        made = Buffer.make(self.simulation, shape, dtype, self.simulation.base + self.skew)
        self.made.append(weakref.ref(made))
        return made


class Interrupt:
    """``pynq.Interrupt``: a coroutine that ends when the line is high."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self.waited = simulation, 0

    async def wait(self):
        self.waited += 1
        while not self.simulation.library.shim_irq():
            self.simulation.library.shim_step(100)
            await asyncio.sleep(0)


class Core:
    """An IP of an overlay (``pynq.DefaultIP``), with its interrupt."""

    def __init__(self, simulation: Simulation) -> None:
        self.mmio, self.irq = Mmio(simulation), Interrupt(simulation)
        self.read, self.write = self.mmio.read, self.mmio.write


class Pynq:
    """The module ``pynq`` as a program sees it, whose overlays are the simulation."""

    def __init__(self, simulation: Simulation, **options: int) -> None:
        self.simulation, self.allocate = simulation, Allocator(simulation, **options)

    def Overlay(self, bitstream):
        self.reprise_0, self.download = Core(self.simulation), self.simulation.reset
        return self
