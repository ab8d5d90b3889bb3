"""Benches in Verilator, each made once in a test process: emitting the RTL anew takes longer than most tests."""

from functools import cache

from reprise.cosim.bench.core import CoreBench
from reprise.cosim.bench.system import SystemBench
from reprise.hw.arch.config import HardwareConfig

TINY = HardwareConfig.load("tiny")
_core, _system = cache(CoreBench), cache(SystemBench)


def core_bench(config: HardwareConfig = TINY) -> CoreBench:
    """The core alone, without waveforms."""
    return _core(config)


def system_bench(config: HardwareConfig = TINY) -> SystemBench:
    """The whole accelerator beside a memory, without waveforms."""
    return _system(config)
