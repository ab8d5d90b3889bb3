"""The parameters of neurons: validated integers, one per channel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...support.checks import int_array, require, require_int

MAX_LEVELS = 255
LEAK_ONE = 256  # leak is a fraction of 2**8: 256 keeps the whole membrane potential

NeuronKind = Literal["if", "lif", "readout", "sum"]
Reset = Literal["soft", "hard", "none"]
SumBits = Literal[8, 16, 32]

SUM_BITS: tuple[SumBits, ...] = (8, 16, 32)
SUM_SHIFT = 31


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Neuron:
    """The integer parameters of a multi-level neuron, one set per channel.

    The equations are in ``reprise.model.inference.neurons``.

    Parameters
    ----------
    kind : "if", "lif", "readout" or "sum"
        Neither of the last two fires. A readout's membrane potential is the result. A sum keeps nothing from timestep
        to timestep: what it computes of each timestep is an *integer map*, which products take as their operand.
    levels : int
        N, the largest level of an output spike: 1..255, or 0 for kinds that do not fire.
    reset : "soft", "hard" or "none"
        What firing does to the membrane potential; "none" for kinds that do not fire.
    threshold : int64[O]
        D, the step between levels; it is positive.
    bias : int64[O]
        c, which is added at every timestep.
    v0 : int64[O]
        The initial membrane potential.
    leak : int64[O]
        l in 0..256, the part of the membrane potential that is kept, in 1/256. It is 256 unless the kind is "lif", and
        0 for a sum.
    bits : 8, 16 or 32
        Bits of a sum's integers, in two's complement; what does not fit is clipped. Other kinds have 32.
    shift : int
        How far a sum's integers are shifted to the right before they are clipped, 0..31: a division by 2**shift that
        rounds down. Other kinds have 0.

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
    bits: SumBits = 32
    shift: int = 0

    def __post_init__(self) -> None:
        kinds = ("if", "lif", "readout", "sum")
        require(self.kind in kinds, "neuron.kind", "'if', 'lif', 'readout' or 'sum'", self.kind)
        require(self.reset in ("soft", "hard", "none"), "neuron.reset", "'soft', 'hard' or 'none'", self.reset)
        if self.fires:
            require_int("neuron.levels", self.levels, 1, MAX_LEVELS, "levels are stored in 8 bits")
        else:
            require(
                self.levels == 0, "neuron.levels", f"0 for a {self.kind}", self.levels, f"a {self.kind} never fires"
            )
            require(self.reset == "none", "neuron.reset", f"'none' for a {self.kind}", self.reset)
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
        if self.kind == "sum":
            self._check_sum(high)
        elif self.kind != "lif":
            require(low == LEAK_ONE, "neuron.leak", f"256 for kind {self.kind!r}", low, "only LIF leaks")
        if self.kind != "sum":
            why = "only a sum is shifted and clipped"
            require(self.bits == 32, "neuron.bits", f"32 for kind {self.kind!r}", self.bits, why)
            require(self.shift == 0, "neuron.shift", f"0 for kind {self.kind!r}", self.shift, why)

    def _check_sum(self, most_leak: int) -> None:
        require(self.bits in SUM_BITS, "neuron.bits", f"one of {SUM_BITS}", self.bits, "maps have whole bytes")
        require_int("neuron.shift", self.shift, 0, SUM_SHIFT, "sums have 32 bits")
        why = "a sum keeps nothing from timestep to timestep"
        require(most_leak == 0, "neuron.leak", "0 for a sum", most_leak, why)
        require(not self.v0.any(), "neuron.v0", "0 for a sum", int(np.abs(self.v0).max()), why)
        most = int(self.threshold.max())
        require(most == 1, "neuron.threshold", "1 for a sum", most, "a sum is divided by a power of two, its shift")

    def __repr__(self) -> str:
        fires = f", N={self.levels}, reset {self.reset}" if self.fires else ""
        ints = f", int{self.bits}, shift {self.shift}" if self.kind == "sum" else ""
        return f"Neuron({self.kind}{fires}{ints}, {self.channels} channels)"

    @property
    def fires(self) -> bool:
        """Whether the neuron writes levels."""
        return self.kind in ("if", "lif")

    @property
    def integers(self) -> tuple[int, int]:
        """The smallest and the largest integer that a sum can write."""
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

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

    @classmethod
    def sum(cls, channels: int, *, bits: SumBits = 32, shift: int = 0, bias: int | np.ndarray = 0) -> "Neuron":
        """Make a neuron that writes the sums of each timestep as integers of ``bits``, shifted to the right."""
        return cls(
            kind="sum",
            levels=0,
            reset="none",
            threshold=np.ones(channels, dtype=np.int64),
            bias=np.broadcast_to(bias, channels),
            v0=np.zeros(channels, dtype=np.int64),
            leak=np.zeros(channels, dtype=np.int64),
            bits=bits,
            shift=shift,
        )
