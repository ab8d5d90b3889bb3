"""Host steps for the whole accelerator in RTL, by register names."""

from __future__ import annotations

from reprise.hw.arch.memory_image import Windows
from reprise.hw.csr.register_map import COUNTERS, FIELDS, OFFSETS
from reprise.hw.csr.start import OPEN, start_registers


def read(register: str) -> list:
    return ["read", OFFSETS[register]]


def write(register: str, value: int) -> list:
    return ["write", OFFSETS[register], value]


def start(program: int, *, windows: Windows = OPEN, watchdog: int | None = None) -> list[list]:
    """Enable the interrupt, set the program and the windows, start."""
    steps = [write("IRQ_ENABLE", 1)]
    steps += [write(register, value) for register, value in start_registers(program, windows).items()]
    if watchdog is not None:
        steps.append(write("WATCHDOG", watchdog))
    return [*steps, write("CONTROL", 1)]


def finish(cycles: int = 2_000_000) -> list[list]:
    """Wait for the interrupt, acknowledge it."""
    return [["irq", cycles], write("IRQ_STATUS", 1), ["no_irq"]]


def status(value: int) -> dict[str, int]:
    """The fields of STATUS."""
    return {name: value >> low & ((1 << bits) - 1) for name, (low, bits, _, _) in FIELDS["STATUS"].items()}


COUNTER_READS = [read(name) for name in ("CYCLES_LO", *COUNTERS)]
