"""The error of a program that breaks its contract."""

from __future__ import annotations

from ...hw.arch.program import Error


class ProgramError(ValueError):
    """A program breaks its contract; the message names the command's index, the rule and the value.

    Programs come from the compiler, so this is no mistake of a user and no ``RepriseError``.

    ``code`` is the error code with which the sequencer refuses the command, and None where it would not.
    """

    code: Error | None = None

    @classmethod
    def refused(cls, command: int, code: Error, why: str) -> ProgramError:
        """Return the error of a command that the sequencer refuses with this code."""
        error = cls(f"command {command}: {why}")
        error.code = code
        return error
