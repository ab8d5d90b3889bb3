"""The errors of a program that breaks its contract."""

from __future__ import annotations

from ...hw.arch.program import Error
from ...hw.arch.rules import ORDER_RULES

Missing = tuple[str, tuple[int, ...]]
"""What is missing, features or segments, and which words or entries."""


class ProgramError(ValueError):
    """A program breaks its contract; the message names the command's index, the rule and the value.

    Programs come from the compiler, so this is no mistake of a user and no ``RepriseError``.

    ``code`` is the error code with which the accelerator ends the job. ``missing`` names what a RUN needs and no load
    before it has brought: "features" or "segments", and the on-chip words or the entries of the segment table.
    """

    code: Error | None = None
    missing: Missing | None = None

    @classmethod
    def refused(cls, command: int, code: Error, why: str, missing: Missing | None = None) -> ProgramError:
        """Return the error of a command that the accelerator refuses with this code."""
        error = cls(f"command {command}: {why}")
        error.code, error.missing = code, missing
        return error


class OrderBroken(ProgramError):
    """A program breaks a rule of order (:data:`reprise.hw.arch.rules.ORDER_RULES`), which the accelerator leaves alone.

    What it computes then depends on time; it ends and writes inside its window all the same. ``rule`` is the rule's
    name.
    """

    rule: str

    @classmethod
    def named(cls, command: int, rule: str, value: object) -> OrderBroken:
        """Return the error of a command that breaks the rule of this name."""
        error = cls(f"command {command}: {ORDER_RULES[rule]}, not {value}")
        error.rule = rule
        return error
