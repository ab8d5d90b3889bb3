"""Makes levels of the lines of bit planes that a stored map has."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ...arch.config import HardwareConfig, clog2
from ...interface.commands import run_layout
from .layouts import chunk_place, join_group
from .places import ChunkPlaces


class JoinLevels(wiring.Component):
    """Cuts chunks out of the bus words of lines, and puts the planes of a group together to its levels.

    A line's chunks are needed one after the other, and those of the other planes and timesteps of their position
    between them. So a memory keeps the word in which each line is, as the line packer does when it writes lines. A word
    is taken with the first chunk that has bits of it. Lanes beyond the last channel have any level.

    Latency: 2 cycles from the word that completes a group to that group. Throughput: a plane of a group per cycle.

    Members
    -------
    run : In, fields of the RUN in progress
    i_start : In(1), strobe: a run begins, whose fields are there
    i : In stream of bus words
    o : Out stream of join_group
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(c)),
                "i_start": In(1),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(join_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.places = places = ChunkPlaces(c)
        m.submodules.words = words = memory.Memory(shape=c.bus_bits, depth=1 << len(places.o.q), init=[])
        read, write = words.read_port(), words.write_port()
        valid, cut = Signal(), Signal()  # a chunk whose line's word has been read; one that has been cut out of words
        held, pair = Signal(chunk_place(c), reset_less=True), Signal(2 * c.neuron_lanes, reset_less=True)
        last = Signal(chunk_place(c), reset_less=True)
        accept, leave, fresh, free = Signal(), Signal(), Signal(), Signal()
        recent, forward = Signal(c.bus_bits, reset_less=True), Signal(reset_less=True)
        before = Mux(forward, recent, read.data)
        m.d.comb += [
            places.run.eq(self.run),
            places.i_start.eq(self.i_start),
            places.i_step.eq(accept),
            accept.eq(places.o_busy & (~valid | leave)),
            read.en.eq(accept),
            read.addr.eq(places.o.q),
            fresh.eq(held.begins | held.spills),
            leave.eq(valid & free & (~fresh | self.i.valid)),
            self.i.ready.eq(valid & free & fresh),
            write.en.eq(leave),
            write.addr.eq(held.q),
            write.data.eq(Mux(fresh, self.i.payload, before)),
        ]
        with m.If(accept):
            m.d.sync += [held.eq(places.o), recent.eq(write.data), forward.eq(valid & (read.addr == write.addr))]
        m.d.sync += valid.eq(accept | (valid & ~leave))
        with m.If(leave):
            m.d.sync += [pair.eq(self._slots(held, before)), last.eq(held)]
        self._give(m, last, pair, cut, leave, free)
        return m

    def _slots(self, held: data.View, before: Value) -> Value:
        """Return the two slots of ``neuron_lanes`` bits in which a chunk lies, of its line's word and of the next."""
        c = self.config
        n, count = c.neuron_lanes, c.bus_bits // c.neuron_lanes
        word = Cat(Mux(held.begins, self.i.payload, before), self.i.payload[:n])
        slot = held.fill[clog2(n) if n > 1 else 0 :]
        pairs = [word[n * at : n * (at + 2)] for at in range(count)]
        return Cat(pairs).word_select(slot, 2 * n) if count > 1 else pairs[0]

    def _give(self, m: Module, last: data.View, pair: Value, cut: Signal, leave: Value, free: Value) -> None:
        """Build the second half of the shift, and the levels, which gather one plane after the other."""
        c = self.config
        n, step = c.neuron_lanes, Signal()
        inside = last.fill[: clog2(n)] if n > 1 else 0
        bits = Signal(n)
        m.d.comb += [step.eq(cut & (~self.o.valid | self.o.ready)), free.eq(~cut | step), bits.eq(pair >> inside)]
        m.d.sync += cut.eq(leave | (cut & ~step))
        with m.If(step | self.o.ready):
            m.d.sync += self.o.valid.eq(step & last.last_plane)
        with m.If(step):
            for level, bit in zip(self.o.payload, bits, strict=True):
                with m.If(last.plane == 0):
                    m.d.sync += level.eq(bit)
                for p in range(1, c.level_bits):
                    with m.If(last.plane == p):
                        m.d.sync += level[p].eq(bit)
