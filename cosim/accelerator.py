"""The host's side of the accelerator in RTL: steps that start a job, wait for its end and read the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .system import Mark


class JobFailed(RuntimeError):
    """A job that ended in an error code."""


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One job: memory afterwards, cycles from start to interrupt, the profile."""

    memory: np.ndarray
    start: int
    end: int
    seconds: float
    marks: list[Mark]
    runs: dict[int, tuple[Mark, Mark]]

    @property
    def cycles(self) -> int:
        return self.end - self.start
