"""The registers of an accelerator: who it is, how a program is started, and how a job has ended."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Callable

from .errors import BusHung, Busy, DeviceError, JobError, JobTimeout, OtherDevice, require

DESCRIPTION = Path(__file__).resolve().parent / "registers.json"


class Registers:
    """The registers of an accelerator: it starts a program, and waits for its end.

    Parameters
    ----------
    mmio : has ``read(offset)`` and ``write(offset, value)`` for 32-bit registers: an IP of a pynq overlay, a pynq.MMIO
    interrupt : a pynq.Interrupt, or anything with a coroutine ``wait()``; without it, STATUS is polled
    reset : called by :meth:`reset`: resets the accelerator and the interconnect together
    poll : seconds between two looks at STATUS
    clock : returns seconds
    """

    def __init__(
        self,
        mmio: Any,
        *,
        interrupt: Any = None,
        reset: Callable[[], None] | None = None,
        poll: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        described = json.loads(DESCRIPTION.read_text())
        self.offsets, self.fields = described["offsets"], described["fields"]
        self.counter_names, self.program_format = described["counters"], described["program"]
        self.mmio, self.interrupt, self.poll, self.clock = mmio, interrupt, poll, clock
        self._reset = reset

    def read(self, register: str, field: str | None = None) -> int:
        """Return the value of a register, or of one of its fields."""
        value = int(self.mmio.read(self.offsets[register]))
        if field is None:
            return value
        low, bits = self.fields[register][field][:2]
        return value >> low & ((1 << bits) - 1)

    def write(self, register: str, **fields: int) -> None:
        """Write a register. Fields that are not given become 0."""
        value = sum(int(given) << self.fields[register][name][0] for name, given in fields.items())
        self.mmio.write(self.offsets[register], value)  # pynq.MMIO takes int alone, and no integer of NumPy

    def probe(self, configuration_hash: int | None = None) -> None:
        """Raise OtherDevice unless an accelerator of this version, and of this configuration, answers."""
        for register, field in (("ID", "value"), ("VERSION", "major")):
            wanted, seen = self.fields[register][field][3], self.read(register, field)
            if seen != wanted:
                raise OtherDevice(f"{register}.{field} must be {wanted:#x}, not {seen:#x}: another device or version")
        seen = self.read("CONFIG_HASH")
        if configuration_hash is not None and seen != configuration_hash:
            remedy = "compile the network for the configuration of this bitstream"
            raise OtherDevice(f"CONFIG_HASH must be {configuration_hash:#010x}, not {seen:#010x}: {remedy}")

    def counters(self) -> dict[str, int]:
        """Return the cycles and the performance counters of the last job, by name."""
        cycles = self.read("CYCLES_HI") << 32 | self.read("CYCLES_LO")
        return dict({"CYCLES": cycles}, **{name: self.read(name) for name in self.counter_names})

    def start(self, program: int, windows: dict[str, tuple[int, int]]) -> None:
        """Start the program at a byte address.

        Parameters
        ----------
        program : physical address of the first command
        windows : address and size of where the accelerator may "read" and "write", in bytes

        Raises
        ------
        ArgumentError, Busy, BusHung
        """
        word, most = self.read("BUS", "word_bytes"), 1 << self.program_format["address_bits"]
        whole = f"a multiple of {word} below 2**{self.program_format['address_bits']}"
        legal = program % word == 0 and 0 <= program < most
        require(legal, "the program's address", whole, hex(program), "take it from the image")
        values = {"PROGRAM": program}
        for name, (base, size) in windows.items():
            legal = base % word == 0 and size % word == 0 and 0 <= base and 0 <= size and base + size <= most
            rule = f"multiples of {word} that end at 2**{self.program_format['address_bits']} or below"
            require(legal, f"the {name} window", rule, f"{base:#x}, {size:#x}", "take it from the image")
            values[f"{name.upper()}_BASE"], values[f"{name.upper()}_SIZE"] = base, size
        if self.read("STATUS", "busy"):
            raise Busy("STATUS.busy must be 0, not 1: a job is in progress; wait for its end, or stop it")
        self._refuse_hung()
        self.write("IRQ_STATUS", done=1)
        self.write("IRQ_ENABLE", done=int(self.interrupt is not None))
        for register, value in values.items():
            self.write(f"{register}_LO", value=value & 0xFFFFFFFF)
            self.write(f"{register}_HI", value=value >> 32)
        self.write("CONTROL", start=1)

    def wait(self, timeout: float = 10.0) -> None:
        """Wait for the end of the job, for at most ``timeout`` seconds.

        Raises
        ------
        JobError, BusHung, JobTimeout
        """
        end = self.clock() + timeout
        if self.interrupt is not None:
            self._wait_for_interrupt(timeout)
        late = False
        while self.read("STATUS", "busy"):
            if late:
                command = self.read("STATUS", "command")
                raise JobTimeout(
                    f"the job's time must be at most {timeout} s, not longer: it is still at command {command};"
                    " wait longer, or stop it"
                )
            if self.poll:
                time.sleep(self.poll)
            late = self.clock() > end
        self.write("IRQ_STATUS", done=1)
        self._refuse_hung()
        code, command = self.read("STATUS", "error"), self.read("STATUS", "command")
        if code:
            text = self.program_format["errors"].get(str(code), "unknown error")
            raise JobError(f"STATUS.error must be 0, not {code}, at command {command}: {text}", code, command)

    def stop(self) -> None:
        """End a running job with error code 6. Wait for its end afterwards."""
        self.write("CONTROL", stop=1)

    def reset(self) -> None:
        """Reset the accelerator by the function that was given, and check that it is as after power-on."""
        if self._reset is None:
            raise DeviceError("reset must be a function, not None: it resets the accelerator and the interconnect")
        self._reset()
        self.probe()
        status = self.read("STATUS")
        if status:
            raise DeviceError(f"STATUS after a reset must be 0, not {status:#x}: the reset does not reach the device")

    def _refuse_hung(self) -> None:
        if self.read("STATUS", "bus_hung"):
            raise BusHung(
                "STATUS.bus_hung must be 0, not 1: the memory port has not answered;"
                " reset the accelerator and the interconnect together (with PYNQ: load the overlay again)"
            )

    def _wait_for_interrupt(self, timeout: float) -> None:
        try:
            asyncio.get_running_loop()
            return  # in a notebook's own loop nobody can block, so that STATUS is polled
        except RuntimeError:
            pass
        try:
            loop = asyncio.get_event_loop()  # that to which pynq's events belong
        except RuntimeError:  # an asyncio.run of the program has ended, and has left none
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asyncio.wait_for(self.interrupt.wait(), timeout))
        except asyncio.TimeoutError:
            pass  # STATUS says what is the matter
