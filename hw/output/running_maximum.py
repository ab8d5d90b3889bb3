"""Keeps the largest levels so far of many places."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from .layouts import level_group, pooled_item


class RunningMaximum(wiring.Component):
    """Compares each item with the largest levels that its place has kept, keeps the result, and hands it on if asked.

    Latency: 2 cycles; block RAM is slow, so the word that was read is registered before it is compared. Throughput: one
    item per cycle, also if all are of the same place, because words that were just written are forwarded.

    Parameters
    ----------
    config : HardwareConfig
    depth : number of places

    Members
    -------
    i : In(stream of pooled_item)
        A group of levels, its place, and what is to be done with it.
    o : Out(stream of level_group)
        The largest levels, of each item whose ``last`` is set.
    """

    def __init__(self, config: HardwareConfig, depth: int) -> None:
        self.config, self.depth = config, depth
        super().__init__(
            {
                "i": In(stream.Signature(pooled_item(config, depth))),
                "o": Out(stream.Signature(level_group(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, item = self.config, self.i.payload
        levels = data.ArrayLayout(c.level_bits, c.neuron_lanes)
        m.submodules.state = state = memory.Memory(shape=levels, depth=self.depth, init=[])
        read, write = state.read_port(), state.write_port()

        # Stage 1 reads the word; stage 2 compares it and writes it back. ``recent`` is the last word that was written.
        valid = [Signal(name=f"valid{n}") for n in (1, 2)]
        held = [Signal(pooled_item(c, self.depth), name=f"held{n}", reset_less=True) for n in (1, 2)]
        collides = Signal(reset_less=True)  # the word read in stage 1 was being written
        forward = Signal(reset_less=True)  # stage 2 had the same word as stage 1
        old, recent = Signal(levels, reset_less=True), Signal(levels, reset_less=True)
        accept, step, leave = Signal(), Signal(), Signal()
        largest, kept = Signal(levels), Signal(levels)
        m.d.comb += [
            leave.eq(valid[1] & (~held[1].last | self.o.ready)),
            step.eq(valid[0] & (~valid[1] | leave)),
            self.i.ready.eq(~valid[0] | step),
            accept.eq(self.i.ready & self.i.valid),
            read.en.eq(accept),
            read.addr.eq(item.address),
            write.en.eq(leave),
            write.addr.eq(held[1].address),
            write.data.eq(kept),
            self.o.valid.eq(valid[1] & held[1].last),
            self.o.payload.eq(held[1].item),
            self.o.payload.level.eq(largest),
            kept.eq(Mux(held[1].fresh, held[1].item.level, largest) if c.pool_words else largest),
        ]
        for n in range(c.neuron_lanes):
            known = Signal(c.level_bits, name=f"known{n}")
            m.d.comb += known.eq(Mux(forward, recent[n], old[n]))
            level = held[1].item.level[n]
            m.d.comb += largest[n].eq(Mux(held[1].first | (level > known), level, known))
        with m.If(accept):
            m.d.sync += [held[0].eq(item), collides.eq(leave & (held[1].address == item.address))]
        with m.If(step):
            m.d.sync += [
                held[1].eq(held[0]),
                old.eq(Mux(collides, recent, read.data)),
                forward.eq(valid[1] & (held[1].address == held[0].address)),
            ]
        with m.If(leave):
            m.d.sync += recent.eq(kept)
        m.d.sync += [valid[0].eq(accept | (valid[0] & ~step)), valid[1].eq(step | (valid[1] & ~leave))]
        return m
