"""The performance counters, which a host reads by way of snapshots."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.events import events_layout
from .register_map import COUNTERS


class Counters(wiring.Component):
    """Counts the cycles of a job, and the events that the counters of the register map are for.

    A snapshot copies all counters in one cycle, so that a host reads values of the same moment.

    Members
    -------
    events : In(events_layout)
        How often each event happens in this cycle (:func:`reprise.hw.interface.events.events_layout`).
    clear : In(1)
        A job begins: all counters return to 0.
    run : In(1)
        A job is in progress, so its cycles are counted.
    snapshot : In(1)
        Copy all counters to the outputs.
    cycles : Out(64)
        The cycles of the job at the last snapshot.
    value : Out(32) x counters
        The counters at the last snapshot, in the order of ``COUNTERS``.
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
            # The events are registered first, which keeps their paths from the blocks short.
            step = Signal.like(self.events[event], name=f"step_{event}")
            m.d.sync += step.eq(self.events[event])
            with m.If(step != 0):
                m.d.sync += count.eq(count + step)
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.If(self.snapshot):
                m.d.sync += self.value[n].eq(count)
        return m
