"""What can go wrong, one exception for each cause."""

from __future__ import annotations


class ArgumentError(ValueError):
    """An argument breaks a rule; the message names the argument, the rule, the value and the remedy."""


def require(holds: bool, field: str, rule: str, value: object, remedy: str) -> None:
    """Raise ArgumentError unless a rule holds."""
    if not holds:
        raise ArgumentError(f"{field} must be {rule}, not {value}: {remedy}")


class DeviceError(RuntimeError):
    """The accelerator did not do what it was asked to do; one of the kinds below."""


class OtherDevice(DeviceError):
    """There is no accelerator at the registers, or one of another version or configuration."""


class Busy(DeviceError):
    """A job is in progress."""


class JobTimeout(DeviceError, TimeoutError):
    """A job took longer than it was given."""


class BusHung(DeviceError):
    """The memory does not answer (STATUS.bus_hung): the accelerator and the interconnect must be reset together."""


class JobError(DeviceError):
    """A job ended with an error.

    ``code`` is the error code of docs/memory-map.md, and ``command`` the index of the command in the program.
    """

    def __init__(self, message: str, code: int, command: int) -> None:
        super().__init__(message)
        self.code, self.command = code, command
