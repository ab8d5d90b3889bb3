"""The error of a program that breaks its contract."""

from __future__ import annotations

from ...hw.arch.program import Error
from ...support.errors import RepriseError


class ProgramError(RepriseError):
    """A program breaks its contract; the message names the command's index, the rule and the value.

    ``code`` is the error code with which the sequencer refuses the command, and None where it would not.
    """

    code: Error | None = None

    @classmethod
    def refused(cls, command: int, code: Error, why: str) -> ProgramError:
        """Return the error of a command that the sequencer refuses with this code."""
        error = cls(f"command {command}: {why}")
        error.code = code
        return error
