"""The parameters of neurons: validated integers, one per channel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...support.checks import int_array, require, require_int

MAX_LEVELS = 255
LEAK_ONE = 256  # leak is a fraction of 2**8: 256 keeps the whole membrane potential

NeuronKind = Literal["if", "lif", "readout"]
Reset = Literal["soft", "hard", "none"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Neuron:
    """The integer parameters of a multi-level neuron, one set per channel.

    The equations are in ``reprise.model.inference.neurons``.

    Parameters
    ----------
    kind : "if", "lif" or "readout"
        A readout does not fire: its membrane potential is the result.
    levels : int
        N, the largest level of an output spike: 1..255, or 0 for a readout.
    reset : "soft", "hard" or "none"
        What firing does to the membrane potential; "none" for a readout.
    threshold : int64[O]
        D, the step between levels; it is positive.
    bias : int64[O]
        c, which is added at every timestep.
    v0 : int64[O]
        The initial membrane potential.
    leak : int64[O]
        l in 0..256, the part of the membrane potential that is kept, in 1/256. It is 256 unless the kind is "lif".

    Raises
    ------
    ValueError
        A field breaks a rule; the message names the field, the rule and the value.
    """

    kind: NeuronKind
    levels: int
    reset: Reset
    threshold: np.ndarray
    bias: np.ndarray
    v0: np.ndarray
    leak: np.ndarray

    def __post_init__(self) -> None:
        require(self.kind in ("if", "lif", "readout"), "neuron.kind", "'if', 'lif' or 'readout'", self.kind)
        require(self.reset in ("soft", "hard", "none"), "neuron.reset", "'soft', 'hard' or 'none'", self.reset)
        if self.kind == "readout":
            require(self.levels == 0, "neuron.levels", "0 for a readout", self.levels, "a readout never fires")
            require(self.reset == "none", "neuron.reset", "'none' for a readout", self.reset)
        else:
            require_int("neuron.levels", self.levels, 1, MAX_LEVELS, "levels are stored in 8 bits")
        for field in ("threshold", "bias", "v0", "leak"):
            object.__setattr__(self, field, int_array(f"neuron.{field}", getattr(self, field), np.int64, 1))
            length = len(getattr(self, field))
            require(
                length == len(self.threshold),
                f"neuron.{field}",
                f"one value per channel ({len(self.threshold)})",
                length,
            )
        require(
            self.threshold.min() > 0,
            "neuron.threshold",
            "positive in every channel",
            int(self.threshold.min()),
            "levels are multiples of it",
        )
        low, high = int(self.leak.min()), int(self.leak.max())
        require(0 <= low and high <= LEAK_ONE, "neuron.leak", "in 0..256", (low, high))
        if self.kind != "lif":
            require(low == LEAK_ONE, "neuron.leak", f"256 for kind {self.kind!r}", low, "only LIF leaks")

    def __repr__(self) -> str:
        fires = "" if self.kind == "readout" else f", N={self.levels}, reset {self.reset}"
        return f"Neuron({self.kind}{fires}, {self.channels} channels)"

    @property
    def channels(self) -> int:
        """O, the number of output channels."""
        return len(self.threshold)

    @classmethod
    def uniform(
        cls,
        channels: int,
        *,
        kind: NeuronKind = "if",
        levels: int = 1,
        reset: Reset = "soft",
        threshold: int = 1,
        bias: int = 0,
        v0: int = 0,
        leak: int = LEAK_ONE,
    ) -> "Neuron":
        """Make a neuron with the same parameters in every channel."""

        def full(value: int) -> np.ndarray:
            return np.full(channels, value, dtype=np.int64)

        return cls(
            kind=kind,
            levels=levels,
            reset=reset,
            threshold=full(threshold),
            bias=full(bias),
            v0=full(v0),
            leak=full(leak),
        )

    @classmethod
    def readout(cls, channels: int, *, bias: int | np.ndarray = 0, v0: int | np.ndarray = 0) -> "Neuron":
        """Make a neuron that accumulates and does not fire."""
        return cls(
            kind="readout",
            levels=0,
            reset="none",
            threshold=np.ones(channels, dtype=np.int64),
            bias=np.broadcast_to(bias, channels),
            v0=np.broadcast_to(v0, channels),
            leak=np.full(channels, LEAK_ONE, dtype=np.int64),
        )
