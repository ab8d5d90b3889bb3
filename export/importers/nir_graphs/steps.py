"""How a leaky neuron of a NIR graph goes through a timestep: what it loses of its potential, and takes of its input.

NIR's LIF is ``tau v' = (v_leak - v) + R I``. Of a timestep dt, in which I is constant, a step makes

    v <- v + lost (v_leak - v) + taken R I

``euler`` is one forward Euler step, lost = taken = dt/tau. ``exact`` is the solution, lost = taken = 1 - exp(-dt/tau),
which sinabs' LIF computes with ``norm_input=True``, its default. ``decay`` has lost = 1 - exp(-dt/tau) and taken = 1:
sinabs' LIF with ``norm_input=False``. A file holds the same numbers in all three cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ...qat.specs import WEIGHT_MAX
from ...trace.graph import UnsupportedError

LeakStep = Literal["euler", "exact", "decay"]
STEPS = get_args(LeakStep)
ROUNDED = 1e-6
"""A time constant that is this close to a timestep, relatively, is equal to it but for float32."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How long a timestep is, and how a LIF goes through it.

    Members
    -------
    dt : length of a timestep, in the unit of the time constants
    leak : one of :data:`STEPS`
    per_step : time constants are in timesteps, and dt is 1
    """

    dt: float
    leak: LeakStep = "euler"
    per_step: bool = False

    def lost(self, name: str, tau: Any) -> np.ndarray:
        """Return the part of a potential that leaks in a timestep.

        Raises
        ------
        UnsupportedError
            A time constant is no positive number, or is shorter than a timestep, where Euler's method is not stable.
        """
        times = np.asarray(tau, dtype=np.float64)
        if not np.all(np.isfinite(times) & (times > 0)):
            raise UnsupportedError(name, "tau must be above 0 and finite", "use IF for a neuron without a leak")
        if self.leak != "euler":
            return -np.expm1(-self.dt / times)
        lost = self.dt / times
        lost = np.where(np.abs(lost - 1) < ROUNDED, 1.0, lost)
        if np.any(lost > 1):
            least = float(times.min())
            unit, step = ("timesteps", "one timestep") if self.per_step else ("s", f"a timestep of {self.dt} s")
            raise UnsupportedError(
                name,
                f"tau {least} {unit} is shorter than {step}",
                "use a smaller dt, or leak_step='exact' (--leak-step exact)",
            )
        return lost

    def taken(self, lost: np.ndarray) -> np.ndarray:
        """Return the factor of R I, from what is lost."""
        return np.ones_like(lost) if self.leak == "decay" else lost

    @property
    def length(self) -> str:
        """The length of a timestep in words."""
        return "one timestep" if self.per_step else f"{self.dt} s"

    def told(self, name: str, tau: Any) -> Iterator[str]:
        """Yield what a step means for a LIF, and where another one would make a difference."""
        if self.leak == "exact":
            yield f"{name}: time is cut in steps of {self.length} (exact for a constant input: exp(-dt/tau) is kept)"
        elif self.leak == "decay":
            yield f"{name}: time is cut in steps of {self.length} (exp(-dt/tau) is kept, the input is added whole)"
        else:
            yield f"{name}: time is cut in steps of {self.length} (forward Euler)"
            euler = self.lost(name, tau).max()
            exact = -np.expm1(-euler)
            if (euler - exact) / euler > 0.5 / WEIGHT_MAX:  # a difference that the largest weight does not hide
                yield (
                    f"{name}: forward Euler keeps {1 - euler:.6f} of a potential in a timestep; the exact step, "
                    f"which sinabs computes, would keep {1 - exact:.6f} (leak_step='exact', --leak-step exact): a NIR "
                    "file does not say which one was meant"
                )
