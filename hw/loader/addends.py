"""The addend loader brings the integers of a stored map, group by group, in the order in which neurons need them."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS, INT_BYTES
from ..interface.commands import run_layout
from ..interface.memory import read_request
from ..interface.streams import addend_group

WIDEST = 8 * INT_BYTES[-1]
"""Bits of the largest integers of an addend."""


class AddendWalk(wiring.Component):
    """Requests the strings of an addend in the order of images, image rows, positions and timesteps.

    A string holds the integers of a position and timestep. Addresses are sums: each level keeps the address where it
    began, and a step of a level begins all levels inside it there.

    Throughput: a string per cycle.

    Members
    -------
    run : In, fields of the RUN in progress
    start : In(1), strobe: a run begins, whose fields are there
    o : Out stream of requests
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__({"run": In(run_layout(config)), "start": In(1), "o": Out(stream.Signature(read_request()))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        run = self.run
        shift = clog2(self.config.bus_bits // 8)
        size = (run.channels << run.addend_bytes[1:])[:18]  # bytes of a string: times 1, 2 or 4
        levels = ("t", "x", "y", "image")
        counts = (run.timesteps, run.out_width, run.out_lines, run.images)
        number = {name: Signal(16, name=f"number_{name}") for name in levels}
        began = {name: Signal(ADDRESS_BITS, name=f"began_{name}") for name in levels}
        after = {name: Signal(ADDRESS_BITS, name=f"after_{name}") for name in levels}
        last = {name: Signal(name=f"last_{name}") for name in levels}
        m.d.comb += [
            *(last[name].eq(number[name] + 1 == count) for name, count in zip(levels, counts, strict=True)),
            *(after[name].eq(began[name] + run[f"addend_{name}"]) for name in levels),
            self.o.payload.address.eq(began["t"]),
            self.o.payload.beats.eq((size + (1 << shift) - 1) >> shift),
        ]
        with m.If(self.o.valid & self.o.ready):
            ended: Value = Cat(1)
            for n, name in enumerate(levels):
                with m.If(ended):
                    m.d.sync += number[name].eq(Mux(last[name], 0, number[name] + 1))
                with m.If(ended & ~last[name]):
                    m.d.sync += [began[inner].eq(after[name]) for inner in levels[: n + 1]]
                ended = ended & last[name]
            with m.If(ended):
                m.d.sync += self.o.valid.eq(0)
        with m.If(self.start):
            m.d.sync += self.o.valid.eq(run.addend_bytes != 0)
            m.d.sync += [began[name].eq(run.output + (run.addend << shift)) for name in levels]
        return m


class AddendUnpacker(wiring.Component):
    """Cuts strings of integers into groups of channels, and sign-extends them.

    A string has the integers of ``run.groups`` groups, the last of which may be short. What the last bus word holds
    beyond them is dropped, and lanes that it does not hold are zero.

    Latency: a cycle from the bus word that completes a group to that group. Throughput: a group per cycle, or a bus
    word per cycle where the integers of a group are more than one.

    Members
    -------
    run : In, fields of the RUN in progress
    i : In stream of bus words
    o : Out stream of addend_group
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(c)),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(addend_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run = self.config, self.run
        held = Signal(max(c.bus_bits, c.neuron_lanes * WIDEST))
        words = len(held) // c.bus_bits
        word, part, group = Signal(range(max(2, words))), Signal(range(c.bus_bits)), Signal(range(max(2, c.groups)))
        rest = Signal(len(held))  # what is held behind the group that is given out
        last_word, last_part = Signal(), Signal()  # of a group; of a bus word
        taken, leave, last_group, full = Signal(), Signal(), Signal(), Signal()
        with m.Switch(run.addend_bytes):
            for size in INT_BYTES:
                with m.Case(size):
                    bits = 8 * size * c.neuron_lanes
                    m.d.comb += [
                        last_word.eq(word + 1 == max(1, bits // c.bus_bits)),
                        last_part.eq(part + 1 == max(1, c.bus_bits // bits)),
                        rest.eq(held >> bits),
                        *(
                            self.o.payload[n].eq(held.word_select(n, 8 * size).as_signed())
                            for n in range(c.neuron_lanes)
                        ),
                    ]
        ends = self._last_of_string(m, taken)
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            leave.eq(self.o.valid & self.o.ready),
            last_group.eq(group + 1 == run.groups),
            full.eq(last_word | ends),
            self.i.ready.eq(~self.o.valid | (leave & (last_part | last_group))),
        ]
        with m.If(leave):
            m.d.sync += [
                held.eq(rest),
                part.eq(Mux(last_part | last_group, 0, part + 1)),
                group.eq(Mux(last_group, 0, group + 1)),
                self.o.valid.eq(~(last_part | last_group)),
            ]
        with m.If(taken):
            with m.If(word == 0):
                m.d.sync += held.eq(self.i.payload)
            with m.Else():
                m.d.sync += held.word_select(word, c.bus_bits).eq(self.i.payload)
            m.d.sync += [self.o.valid.eq(full), word.eq(Mux(full, 0, word + 1))]
        return m

    def _last_of_string(self, m: Module, taken: Value) -> Signal:
        """Count the bytes of a string that have come, and return whether the next word is its last one."""
        run, step = self.run, self.config.bus_bits // 8
        before, last = Signal(18), Signal()
        size = (run.channels << run.addend_bytes[1:])[:18]
        m.d.comb += last.eq(before + step >= size)
        with m.If(taken):
            m.d.sync += before.eq(Mux(last, 0, before + step))
        return last


class AddendLoader(wiring.Component):
    """Brings the addend of a run: for each image, image row, position and timestep a string of integers, as groups.

    Members
    -------
    run, start : In, fields of the RUN in progress; strobe at its start, in whose cycle the fields are there
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    o : Out stream of :func:`reprise.hw.interface.streams.addend_group`
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(c)),
                "start": In(1),
                "o_request": Out(stream.Signature(read_request())),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(addend_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = AddendWalk(self.config)
        m.submodules.unpacker = unpacker = AddendUnpacker(self.config)
        m.d.comb += [walk.run.eq(self.run), unpacker.run.eq(self.run), walk.start.eq(self.start)]
        wiring.connect(m, walk.o, wiring.flipped(self.o_request))
        wiring.connect(m, wiring.flipped(self.i), unpacker.i)
        wiring.connect(m, unpacker.o, wiring.flipped(self.o))
        return m
