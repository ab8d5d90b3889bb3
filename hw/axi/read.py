"""The AXI4 read master: several readers share the read channels, and their data never waits on the bus."""

from __future__ import annotations

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS
from ..interface.memory import BURST_BEATS, LENGTH_BITS, read_request, window
from ..lib.fifo import StreamFifo
from .ports import constant_address_signals, read_members
from .window import inside

OUTSTANDING = 16
"""The most bursts that may be under way at a time."""

BURST = data.StructLayout({"address": ADDRESS_BITS, "beats": range(BURST_BEATS + 1), "inside": 1})
"""A burst: its byte address, its bus words, and whether it lies in the host's window."""


class BurstReader(wiring.Component):
    """Cuts requests into bursts, and buffers the data that they bring.

    A burst is asked for only when the buffer has room for all of it, so its data is always taken at once, and a reader
    that waits never blocks another on the bus. Bursts end at multiples of BURST_BEATS bus words, so none spans a 4 KiB
    boundary.

    Latency: 2 cycles from a request to its first burst. Throughput: one bus word per cycle.

    Parameters
    ----------
    config : the hardware configuration
    depth : the number of bus words buffered, a power of two; at least 2 * BURST_BEATS keep the bus busy

    Members
    -------
    i : In stream of requests; a request of 0 ``beats`` reads nothing
    o_burst : Out stream of bursts to ask for
    i_data : In stream of the bus words that the bursts bring, always ready
    o : Out stream of bus words
    busy : Out(1), some bursts of the request are still to be asked for
    window : In, where bursts may read (:func:`reprise.hw.interface.memory.window`), constant while some are asked for

    Raises
    ------
    ValueError : ``depth`` is too small for a whole burst.
    """

    def __init__(self, config: HardwareConfig, *, depth: int) -> None:
        if depth < BURST_BEATS:
            raise ValueError(f"depth must be at least {BURST_BEATS}, not {depth}: a whole burst is buffered")
        self.config, self.depth = config, depth
        word = stream.Signature(config.bus_bits)
        super().__init__(
            {
                "i": In(stream.Signature(read_request())),
                "o_burst": Out(stream.Signature(BURST)),
                "i_data": In(stream.Signature(config.bus_bits, always_ready=True)),
                "o": Out(word),
                "busy": Out(1),
                "window": In(window(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        shift = clog2(c.bus_bits // 8)
        m.submodules.buffer = buffer = StreamFifo(shape=c.bus_bits, depth=self.depth)
        wiring.connect(m, wiring.flipped(self.o), buffer.o)
        m.d.comb += [buffer.i.payload.eq(self.i_data.payload), buffer.i.valid.eq(self.i_data.valid)]

        word = Signal(ADDRESS_BITS - shift)
        left = Signal(LENGTH_BITS)
        beats = Signal(range(BURST_BEATS + 1))  # those of the next burst, which are some as long as words are left
        free = Signal(range(self.depth + 1), init=self.depth)  # words of the buffer for which no burst was asked
        rest, less = Signal(LENGTH_BITS), Signal.like(free)
        asked, begin = self.i.payload, self.i.payload.address[shift:]
        room = Signal.like(beats)  # the words from there up to the next multiple of BURST_BEATS words
        offer, leaves, some = Signal(), Signal(), Signal()  # ``some``: words are left
        m.d.comb += [
            offer.eq(some & (free >= beats) & (~self.o_burst.valid | self.o_burst.ready)),
            leaves.eq(self.o.valid & self.o.ready),
            rest.eq(left - beats),
            room.eq(BURST_BEATS - begin[: clog2(BURST_BEATS)]),
            less.eq(Mux(offer, free - beats, free)),
            self.i.ready.eq(~some),
            self.busy.eq(some | self.o_burst.valid),
        ]
        m.d.sync += free.eq(Mux(leaves, less + 1, less))
        with m.If(self.o_burst.ready):
            m.d.sync += self.o_burst.valid.eq(0)
        with m.If(offer):
            m.d.sync += [
                self.o_burst.valid.eq(1),
                self.o_burst.payload.address.eq(word << shift),
                self.o_burst.payload.beats.eq(beats),
                # It is compared here, and not when it is granted, so that the arbiter needs no comparison.
                self.o_burst.payload.inside.eq(inside(self.window, word, beats - 1)),
                word.eq(word + beats),
                left.eq(rest),
                beats.eq(_at_most(rest, Const(BURST_BEATS))),
                some.eq(rest != 0),
            ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [word.eq(begin), left.eq(asked.beats), beats.eq(_at_most(asked.beats, room))]
            m.d.sync += some.eq(asked.beats != 0)
        return m


def _at_most(length: Value, most: Value) -> Value:
    """Return the smaller one of a length and a number of at most BURST_BEATS, without a comparison of all bits."""
    low = clog2(BURST_BEATS) + 1
    return Mux(length[low:].any() | (length[:low] > most), most, length[:low])


class ReadArbiter(wiring.Component):
    """Gives the read channels to the first of its readers that wants a burst; data comes back in that order.

    A burst that leaves the host's window is never issued.

    Members
    -------
    i_burst : In streams of bursts, one for each reader; the reader with the lowest index has priority
    hold : In, one bit for each reader, which says that none of its bursts may begin
    o : Out streams of bus words, one for each reader's ``i_data``
    halt : In(1), no burst may begin; one whose address is on the bus stays there
    outside : Out, one bit for each reader: it wanted a burst outside of the window, which was dropped; none of its
        bursts begins any more
    idle : Out(1), nothing is under way
    error : Out(1), set for one cycle per beat that was answered with an error
    beat : Out(1), set for one cycle per beat
    and the read channels of AXI4 (:func:`reprise.hw.axi.ports.read_members`).
    """

    def __init__(self, config: HardwareConfig, readers: int) -> None:
        self.config, self.readers = config, readers
        super().__init__(
            {
                "i_burst": In(stream.Signature(BURST)).array(readers),
                "o": Out(stream.Signature(config.bus_bits, always_ready=True)).array(readers),
                "hold": In(readers),
                "halt": In(1),
                "outside": Out(readers),
                "idle": Out(1),
                "error": Out(1),
                "beat": Out(1),
                **read_members(config.bus_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.owners = owners = StreamFifo(shape=range(self.readers), depth=OUTSTANDING)
        free = Signal()
        chosen = Signal(BURST)  # the burst of the first reader that wants one
        m.d.comb += [
            *constant_address_signals(self, "ar", self.config.bus_bits),
            free.eq(~self.halt & owners.i.ready & (~self.arvalid | self.arready)),
            self.rready.eq(owners.o.valid),
            self.beat.eq(self.rvalid & self.rready),
            self.error.eq(self.beat & self.rresp[1]),
            owners.o.ready.eq(self.beat & self.rlast),
            self.idle.eq(~self.arvalid & (owners.level == 0)),
        ]
        with m.If(self.arready):
            m.d.sync += self.arvalid.eq(0)
        earlier = Const(0)
        for n in range(self.readers):
            request = self.i_burst[n]
            held = self.hold[n] | self.outside[n]
            wanted = request.valid & ~held
            m.d.comb += request.ready.eq(free & ~earlier & ~held)
            with m.If(wanted & ~earlier):
                m.d.comb += [chosen.eq(request.payload), owners.i.payload.eq(n)]
            earlier = earlier | wanted
            m.d.comb += [
                self.o[n].payload.eq(self.rdata),
                self.o[n].valid.eq(self.beat & (owners.o.payload == n)),
            ]
        begin = free & earlier
        m.d.comb += owners.i.valid.eq(begin & chosen.inside)
        with m.If(begin):
            m.d.sync += self.arvalid.eq(chosen.inside)
            with m.If(~chosen.inside):
                m.d.sync += self.outside.eq(self.outside | (1 << owners.i.payload))
            m.d.sync += [self.araddr.eq(chosen.address), self.arlen.eq(chosen.beats - 1)]
        return m
