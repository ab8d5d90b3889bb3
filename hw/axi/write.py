"""The AXI4 write master gathers single words into bursts, and counts the answers to these."""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS
from ..interface.memory import BURST_BEATS, window, write_word
from ..lib.fifo import SmallFifo, StreamFifo
from .ports import constant_address_signals, write_members
from .window import inside

QUEUE_WORDS = 32
"""The number of bus words that are buffered: those of two full bursts, which is as many as LUT RAM holds cheaply."""

QUEUE_LATENCY = 2
"""The cycles that a word or a closed burst takes from one side of its queue to the other."""

OUTSTANDING = 16
"""The most bursts whose answers have not come."""

CLOSE_AFTER = 15
"""A burst that has been open for this many cycles without a new word is closed in the next cycle."""


class WriteMaster(wiring.Component):
    """Gathers words with addresses into INCR bursts of up to BURST_BEATS words.

    A word joins the open burst if its address follows that of the word before and is not a multiple of BURST_BEATS
    words, so no burst spans a 4 KiB boundary. A burst closes when the next word does not fit, with a run's last word,
    or when no word has come for more than ``CLOSE_AFTER`` cycles. Only closed bursts go out, so all their data is
    there, and the bus never waits for it. A burst that leaves the host's window never goes out.

    Members
    -------
    i : In stream of write_word
        The words to write and their addresses.
    halt : In(1)
        No burst begins; the address and data of bursts that have begun are still sent. The words of all other bursts
        stay inside and are lost with the reset that follows.
    window : In
        Where bursts may write (:func:`reprise.hw.interface.memory.window`).
    outside : Out(1)
        A burst would have left the window. It was dropped, and no burst begins any more.
    i_start : In(1)
        Strobe: a run starts, whose words come later.
    idle : Out(1)
        No word is stored, and every burst has been answered.
    older_idle : Out(1)
        Every burst of the runs before the one that started last has been answered.
    quiet : Out(1)
        Every burst that has begun has been answered.
    error : Out(1)
        Set for one cycle when a burst is answered with an error.
    beat : Out(1)
        Set for one cycle per beat sent.

    The write channels of AXI4 (:func:`reprise.hw.axi.ports.write_members`) are members too.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(write_word(config))),
                "halt": In(1),
                "window": In(window(config)),
                "outside": Out(1),
                "i_start": In(1),
                "idle": Out(1),
                "older_idle": Out(1, init=1),
                "quiet": Out(1),
                "error": Out(1),
                "beat": Out(1),
                **write_members(config.bus_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        beat_layout = data.StructLayout({"data": c.bus_bits, "strobe": c.bus_bits // 8})
        burst_layout = data.StructLayout({"word": ADDRESS_BITS - clog2(c.bus_bits // 8), "length": 8, "last": 1})
        m.submodules.words = words = StreamFifo(shape=beat_layout, depth=QUEUE_WORDS, latency=QUEUE_LATENCY)
        m.submodules.bursts = bursts = StreamFifo(shape=burst_layout, depth=OUTSTANDING, latency=QUEUE_LATENCY)
        m.submodules.lengths = lengths = StreamFifo(shape=8, depth=OUTSTANDING, latency=QUEUE_LATENCY)
        open_burst = self._collect(m, words.i, bursts.i)
        ends = self._send(m, words.o, bursts.o, lengths)
        m.d.comb += self.idle.eq(self.quiet & ~open_burst & (bursts.level == 0))
        self._count_runs(m, ends)
        return m

    def _count_runs(self, m: Module, ends: Value) -> None:
        """Count the runs of which something is not answered; ``ends``: the burst with a run's last word is answered."""
        runs = Signal(range(4 * OUTSTANDING))  # more than there can be words and bursts under way
        m.d.sync += runs.eq(runs + self.i_start - ends)
        m.d.comb += self.older_idle.eq(runs[1:] == 0)

    def _collect(self, m: Module, words: stream.Interface, bursts: stream.Interface) -> Value:
        """Put words into the queue of data and closed bursts into the queue of bursts; return whether one is open."""
        c = self.config
        shift = clog2(c.bus_bits // 8)
        item = self.i.payload
        word, following = (Signal(ADDRESS_BITS - shift, name=name) for name in ("word", "following"))
        burst = Signal(bursts.payload.shape())
        count = Signal(range(BURST_BEATS + 1))
        finished = Signal()  # the open burst has the run's last word
        some = Signal()  # a burst is open: its count is not 0
        age = Signal(range(CLOSE_AFTER + 1))
        fits, close, take = Signal(), Signal(), Signal()
        aligned = word[: clog2(BURST_BEATS)] == 0
        m.d.comb += [
            word.eq(item.address >> shift),
            fits.eq(~some | ((word == following) & ~aligned & ~finished)),
            close.eq(some & (finished | (age == CLOSE_AFTER) | (self.i.valid & ~fits))),
            # A word that fits could do without room for another burst. But ``ready`` would wait for the comparison.
            self.i.ready.eq(bursts.ready & words.ready),
            take.eq(self.i.valid & self.i.ready),
            words.valid.eq(take),
            words.payload.data.eq(item.data),
            words.payload.strobe.eq(item.strobe),
            bursts.valid.eq(close),
            bursts.payload.word.eq(burst.word),
            bursts.payload.length.eq(count - 1),
            bursts.payload.last.eq(finished),
        ]
        m.d.sync += age.eq(age + (age != CLOSE_AFTER))
        with m.If(bursts.valid & bursts.ready):
            m.d.sync += [count.eq(0), some.eq(0), finished.eq(0)]
        with m.If(take):
            m.d.sync += [age.eq(0), some.eq(1), finished.eq(item.last), following.eq(word + 1)]
            with m.If(~some | (bursts.valid & bursts.ready)):
                m.d.sync += [burst.word.eq(word), count.eq(1)]
            with m.Else():
                m.d.sync += count.eq(count + 1)
        return some

    def _send(self, m: Module, words: stream.Interface, bursts: stream.Interface, lengths: StreamFifo) -> Value:
        """Drive the channels of addresses, data and answers; return whether a run's last burst is answered."""
        c = self.config
        shift = clog2(c.bus_bits // 8)
        m.submodules.lasts = lasts = SmallFifo(shape=1, depth=OUTSTANDING)  # of these: they hold a run's last word
        # The bursts that have begun and have not been answered; whether there are none.
        waiting, quiet = Signal(range(OUTSTANDING + 1)), Signal(init=1)
        take, allowed, begin, answered = Signal(), Signal(), Signal(), Signal()
        left = Signal(8)  # the beats of the burst after this one
        sending = Signal()
        free = Signal()
        m.d.comb += [
            *constant_address_signals(self, "aw", c.bus_bits),
            allowed.eq(inside(self.window, bursts.payload.word, bursts.payload.length)),
            take.eq(
                bursts.valid
                & lengths.i.ready
                & (waiting != OUTSTANDING)
                & ~self.halt
                & ~self.outside
                & (~self.awvalid | self.awready)
            ),
            begin.eq(take & allowed),
            bursts.ready.eq(take),
            lengths.i.valid.eq(begin),
            lasts.i.valid.eq(begin),
            lasts.i.payload.eq(bursts.payload.last),
            lasts.o.ready.eq(answered),
            lengths.i.payload.eq(bursts.payload.length),
            self.bready.eq(1),
            answered.eq(self.bvalid),
            self.error.eq(self.bvalid & self.bresp[1]),
            # The data of the bursts goes out for one burst after the other.
            self.wvalid.eq(sending & words.valid),
            self.wdata.eq(words.payload.data),
            self.wstrb.eq(words.payload.strobe),
            self.wlast.eq(left == 0),
            self.beat.eq(self.wvalid & self.wready),
            words.ready.eq(sending & self.wready),
            free.eq(~sending | (self.beat & self.wlast)),
            lengths.o.ready.eq(free),
        ]
        m.d.sync += waiting.eq(waiting + begin - answered)
        m.d.comb += self.quiet.eq(quiet)
        with m.If(begin ^ answered):
            m.d.sync += quiet.eq(answered & (waiting == 1))
        with m.If(self.awready):
            m.d.sync += self.awvalid.eq(0)
        with m.If(take):
            m.d.sync += [self.awvalid.eq(allowed), self.outside.eq(~allowed)]
            m.d.sync += [self.awaddr.eq(bursts.payload.word << shift), self.awlen.eq(bursts.payload.length)]
        with m.If(self.beat):
            m.d.sync += left.eq(left - 1)
        with m.If(free):
            m.d.sync += [sending.eq(lengths.o.valid), left.eq(lengths.o.payload)]
        return answered & lasts.o.payload
