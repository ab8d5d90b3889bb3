"""Performance counters with snapshots."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.events import events_layout
from .register_map import COUNTERS


class Counters(wiring.Component):
    """Counts the cycles of a job and the events of the register map's counters.

    ``snapshot`` copies all of them in one cycle, so that a host reads values of the same moment.

    Members
    -------
    events : In, see :func:`reprise.hw.interface.events.events_layout`
    clear : In(1), a job begins
    run : In(1), a job is in progress
    snapshot : In(1)
    cycles : Out(64), value : Out(32) x counters, in the order of ``COUNTERS``
    """

    def __init__(self, config: HardwareConfig) -> None:
        super().__init__(
            {
                "events": In(events_layout(config)),
                "clear": In(1),
                "run": In(1),
                "snapshot": In(1),
                "cycles": Out(64),
                "value": Out(32).array(len(COUNTERS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycles = Signal(64)
        with m.If(self.run):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(self.clear):
            m.d.sync += cycles.eq(0)
        with m.If(self.snapshot):
            m.d.sync += self.cycles.eq(cycles)
        for n, event in enumerate(COUNTERS.values()):
            count = Signal(32, name=f"count_{event}")
            step = Signal.like(self.events[event], name=f"step_{event}")  # blocks' events end here: short paths
            m.d.sync += [step.eq(self.events[event]), count.eq(count + step)]
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.If(self.snapshot):
                m.d.sync += self.value[n].eq(count)
        return m
