"""What a person asked of a co-simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..estimate.report.head import mode_field
from ..estimate.report.speed import area_of
from ..hw.arch.config import HardwareConfig
from ..model.prosparsity.modes import Mode
from ..support.checks import require, require_int
from .bench.system import Traffic


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asked for, as ``reprise cosim --help`` describes it.

    Parameters
    ----------
    config, config_name : HardwareConfig, and how the report names it
    preset : the values that the preset or file has for the fields of ``config`` that were changed
    images : how many images the batch has
    seed : chooses the images (with 0 the first ones), the random stalls and random weights
    waves : record waveforms of the whole run
    trace : write what every block does in every cycle
    latency, gap : of the memory, in cycles
    stall : probability of a stalled cycle
    clock_mhz : clock frequency at which times are stated, or None for that of a routed record, or else an assumed one
    mode : what RUNs leave out (:mod:`reprise.model.prosparsity.modes`)
    engine : "rtl", or "interpreter" for the golden interpreter of programs
    limits : find out what limits each layer
    one_program : run the layers of a capture as one program, and not each as a job of its own
    helps : try which change of the configuration would help
    data : folder of the data set's files, for a network that must be trained
    out : folder of the report
    """

    config: HardwareConfig
    config_name: str
    preset: dict[str, int] = field(default_factory=dict)
    images: int = 8
    seed: int = 0
    waves: bool = False
    trace: bool = False
    latency: int = 20
    stall: float = 0.0
    gap: int = 0
    clock_mhz: float | None = None
    mode: Mode = "product"
    engine: str = "rtl"
    limits: bool = True
    one_program: bool = False
    helps: bool = False
    data: Path | None = None
    out: Path = Path("build/cosim")

    def __post_init__(self) -> None:
        require_int("images", self.images, 1)
        require_int("seed", self.seed, 0)
        require(self.clock_mhz is None or self.clock_mhz > 0, "clock_mhz", "above 0", self.clock_mhz)
        require(self.engine in ("rtl", "interpreter"), "engine", "rtl or interpreter", self.engine)
        _ = self.traffic  # its rules are checked now, before minutes of work

    @property
    def traffic(self) -> Traffic:
        """How the simulated memory behaves."""
        return Traffic(latency=self.latency, stall=self.stall, gap=self.gap, seed=self.seed + 1)

    def settings(self) -> dict[str, Any]:
        """Return the fields of the report that say what was run."""
        memory = {"latency_cycles": self.latency, "gap_cycles": self.gap, "stall_probability": self.stall}
        named: dict[str, Any] = {"configuration_name": self.config_name, "configuration_preset": self.preset}
        named |= {"area": area_of(self.config)}
        named |= mode_field(self.mode)
        return named | {"engine": self.engine, "seed": self.seed, "memory": memory}
