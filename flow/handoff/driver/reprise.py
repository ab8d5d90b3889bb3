"""The Python driver of the Reprise accelerator, in the style of PYNQ. It imports nothing but the standard library.

With PYNQ::

    overlay = pynq.Overlay("reprise.bit")
    device = Reprise(overlay.reprise_0.mmio, map_path="memory.json", registers_path="registers.json")
    memory = pynq.allocate(device.map["size"], dtype="u1")     # its physical address must be the image's base
    memory[: len(constant)] = constant; memory.flush()
    device.probe(); device.run(); memory.invalidate()

``mmio`` is anything with ``read(offset)`` and ``write(offset, value)`` of 32-bit registers.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

ERRORS = {
    1: "bad magic, opcode or reserved bits in a command",
    2: "command field out of range",
    3: "AXI read answered with an error",
    4: "AXI write answered with an error",
    5: "watchdog: no progress",
    6: "stopped by the host",
    7: "a read would have left the host's read window",
    8: "a write would have left the host's write window",
    9: "the program's address or a window is not whole bus words, or a window ends beyond the address space",
    10: "a loaded segment or a channel's parameters break a rule",
    11: "a RUN needs feature words, segments or parameters that no load of its job has brought",
}


class DeviceError(RuntimeError):
    """The device is another one, or a job ended with an error; docs/memory-map.md explains ``code`` and ``command``."""

    def __init__(self, message: str, code: int | None = None, command: int | None = None) -> None:
        super().__init__(message)
        self.code, self.command = code, command


class Reprise:
    """One accelerator.

    Parameters
    ----------
    mmio : object with ``read(offset)`` and ``write(offset, value)``.
    registers_path : ``registers.json`` of the hand-off folder.
    map_path : ``memory.json`` of the compiled network; None when programs are given by address.
    """

    def __init__(self, mmio: Any, *, registers_path: str | Path, map_path: str | Path | None = None) -> None:
        self.mmio = mmio
        registers = json.loads(Path(registers_path).read_text())
        self.offsets, self.fields, self.counter_names = (registers[k] for k in ("offsets", "fields", "counters"))
        self.hash = registers["configuration_hash"]
        self.map = json.loads(Path(map_path).read_text()) if map_path else None

    def read(self, register: str, field: str | None = None) -> int:
        """Return the value of a register, or of one of its fields."""
        value = int(self.mmio.read(self.offsets[register]))
        if field is None:
            return value
        low, bits = self.fields[register][field][:2]
        return value >> low & ((1 << bits) - 1)

    def write(self, register: str, **fields: int) -> None:
        """Write a register. Fields that are not given become 0."""
        value = sum(given << self.fields[register][name][0] for name, given in fields.items())
        self.mmio.write(self.offsets[register], value)

    def probe(self) -> None:
        """Check that the device is the right one: its identification, version and configuration.

        Raises
        ------
        DeviceError
        """
        for register, field in (("ID", "value"), ("VERSION", "major")):
            wanted, seen = self.fields[register][field][3], self.read(register, field)
            if seen != wanted:
                raise DeviceError(f"{register}.{field} must be 0x{wanted:x}, not 0x{seen:x}: another device or version")
        seen = self.read("CONFIG_HASH")
        if seen != self.hash:
            raise DeviceError(f"CONFIG_HASH must be 0x{self.hash:08x}, not 0x{seen:08x}: another configuration")

    def start(
        self,
        program: int | None = None,
        *,
        windows: dict[str, dict[str, int]] | None = None,
        interrupt: bool = False,
    ) -> None:
        """Start the program at a byte address.

        Parameters
        ----------
        program : by default that of the compiled network
        windows : where the accelerator may read and write, by default those of the compiled network:
            ``{"read": {"base": 0, "size": 4096}, "write": ...}`` in bytes
        interrupt : whether the end of the job raises the interrupt

        Raises
        ------
        DeviceError
            A job is in progress.
        """
        if program is None:
            if self.map is None:
                raise ValueError("program must be a byte address, not None: no map_path names the network's")
            program = int(self.map["program"])
        if windows is None:
            if self.map is None:
                raise ValueError("windows must be given, not None: no map_path names the network's")
            windows = self.map["windows"]
        if self.read("STATUS", "busy"):
            raise DeviceError("start: a job is in progress")
        self.write("IRQ_STATUS", done=1)
        self.write("IRQ_ENABLE", done=int(interrupt))
        values = {"PROGRAM": program}
        for name in ("read", "write"):
            values.update({f"{name}_{what}".upper(): windows[name][what] for what in ("base", "size")})
        for register, value in values.items():
            self.write(f"{register}_LO", value=value & 0xFFFFFFFF)
            self.write(f"{register}_HI", value=value >> 32)
        self.write("CONTROL", start=1)

    def wait(self, timeout: float = 10.0, poll: float = 0.0) -> None:
        """Wait for the end of the job. ``timeout`` and ``poll`` (the time between reads of STATUS) are in seconds.

        Raises
        ------
        DeviceError
            The job ended with an error.
        TimeoutError
        """
        end = time.monotonic() + timeout
        while not self.read("STATUS", "done"):
            if time.monotonic() > end:
                raise TimeoutError(f"job still in progress after {timeout} s, command {self.read('STATUS', 'command')}")
            if poll:
                time.sleep(poll)
        self.write("IRQ_STATUS", done=1)
        code, command = self.read("STATUS", "error"), self.read("STATUS", "command")
        if code:
            raise DeviceError(f"command {command}: {ERRORS.get(code, 'unknown error')} ({code})", code, command)

    def run(self, program: int | None = None, timeout: float = 10.0) -> dict[str, int]:
        """Start a job, wait for its end, and give the counters."""
        self.start(program)
        self.wait(timeout)
        return self.counters()

    def stop(self) -> None:
        """End a running job with error 6."""
        self.write("CONTROL", stop=1)

    def counters(self) -> dict[str, int]:
        """Return the cycles and the performance counters of the last job, by name."""
        cycles = self.read("CYCLES_HI") << 32 | self.read("CYCLES_LO")
        return {"CYCLES": cycles, **{name: self.read(name) for name in self.counter_names}}
