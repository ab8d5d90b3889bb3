"""Three unpackers turn bus words into feature words, segments and groups of neuron parameters."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import PARAM_BYTES, PARAMETERS, SEGMENT, SEGMENT_BYTES, built
from ..arch.rules import data_rules, named_bits
from ..interface.checker import broken, fields_view
from ..interface.streams import feature_banks, feature_write, neuron_params, segment_write


def words_per_cycle(c: HardwareConfig) -> int:
    """Return how many feature words are written per cycle: those of a bus word, if there are banks for all of them."""
    return min(c.bus_bits // c.feature_bits, feature_banks(c))


def _members(c: HardwareConfig, output: stream.Signature) -> dict:
    """Return the members that all unpackers have."""
    return {
        "start": In(1),
        "target": In(16),
        "items": In(16),
        "i": In(stream.Signature(c.bus_bits)),
        "o": Out(output),
        "busy": Out(1),
    }


class _Splitter:
    """Holds a bus word while its ``parts`` are handed out, lowest first, one in each cycle in which ``leave`` is 1."""

    def __init__(self, m: Module, i: stream.Interface, parts: int, leave: ValueLike) -> None:
        width = len(i.payload) // parts
        self.word = Signal(len(i.payload), reset_less=True)
        self.valid = Signal()
        self.part = self.word[:width]
        self.index = Signal(range(parts))
        last = self.index == parts - 1
        m.d.comb += i.ready.eq(~self.valid | (leave & last))
        with m.If(leave & self.valid):
            m.d.sync += [self.index.eq(self.index + 1), self.word.eq(self.word >> width)]
            with m.If(last):
                m.d.sync += [self.index.eq(0), self.valid.eq(0)]
        with m.If(i.valid & i.ready):
            m.d.sync += [self.word.eq(i.payload), self.valid.eq(1)]


class FeatureUnpacker(wiring.Component):
    """Turns bus words into as many feature words as the feature buffer has banks, or as a bus word has.

    Throughput: :func:`words_per_cycle` feature words per cycle.

    Members
    -------
    start, target : In, strobe, and the on-chip word at which to begin; ``items`` is not used
    last_beat : In(1), the next bus word is the last one of its chunk
    target_stride : In, words from the first word of a chunk to that of the next
    i, o : In stream of bus words, Out stream of feature_write
    busy : Out(1), a bus word is held
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        members = _members(c, stream.Signature(feature_write(c), always_ready=True))
        super().__init__(members | {"last_beat": In(1), "target_stride": In(16)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        step = words_per_cycle(c)
        splitter = _Splitter(m, self.i, c.bus_bits // (step * c.feature_bits), 1)
        chunk = Signal(16)  # on-chip word at which the chunk begins
        following = Signal(16)  # on-chip word to which the next bus word goes
        address = Signal(16)  # on-chip word of the part that is handed out now
        taken = self.i.valid & self.i.ready
        m.d.sync += address.eq(address + step)
        with m.If(taken):
            m.d.sync += [address.eq(following), following.eq(following + c.bus_bits // c.feature_bits)]
            with m.If(self.last_beat):
                m.d.sync += [chunk.eq(chunk + self.target_stride), following.eq(chunk + self.target_stride)]
        with m.If(self.start):
            m.d.sync += [chunk.eq(self.target), following.eq(self.target)]
        bits, banks = c.feature_bits, feature_banks(c)
        inside = clog2(banks)
        every = (1 << step) - 1  # a mask of the words that are written, moved to the first one's bank
        m.d.comb += [
            self.o.valid.eq(splitter.valid),
            self.o.payload.entry.eq(address[inside:]),
            self.o.payload.mask.eq(every if step == banks else every << address[:inside]),
            *(self.o.payload.words[n].eq(splitter.part.word_select(n % step, bits)) for n in range(banks)),
            self.busy.eq(splitter.valid),
        ]
        return m


class SegmentUnpacker(wiring.Component):
    """Turns bus words into segments, one per cycle and ``items`` in all; the first has the index ``target``.

    What the last bus word holds beyond ``items`` segments is dropped. ``bad`` is set a cycle after a segment that
    breaks a rule (:func:`reprise.hw.arch.rules.data_rules`) or has a bit set that no field names.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(_members(c, stream.Signature(segment_write(c), always_ready=True)) | {"bad": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        splitter = _Splitter(m, self.i, self.config.bus_bits // 64, 1)
        index = Signal(16)
        left = Signal(16)
        m.d.comb += [
            self.o.valid.eq(splitter.valid & (left != 0)),
            self.o.payload.index.eq(index),
            self.o.payload.segment.eq(splitter.part),
            self.busy.eq(splitter.valid),
        ]
        unnamed = ((1 << 8 * SEGMENT_BYTES) - 1) & ~named_bits(built(self.config, SEGMENT))
        view = fields_view(splitter.part, SEGMENT, SEGMENT_BYTES)
        wrong = [bit for rule in data_rules(self.config, "segment") for bit in broken(rule, view)]
        m.d.sync += self.bad.eq(self.o.valid & (Cat(wrong).any() | (splitter.part & unnamed).any()))
        with m.If(self.o.valid):
            m.d.sync += [index.eq(index + 1), left.eq(left - 1)]
        with m.If(self.start):
            m.d.sync += [index.eq(self.target), left.eq(self.items)]
        return m


class ParamUnpacker(wiring.Component):
    """Turns bus words into groups of parameters, each for ``neuron_lanes`` channels, and ``items`` groups in all.

    Depending on the configuration a group takes several bus words, or a bus word holds one group or more. What the last
    bus word holds beyond ``items`` groups is dropped. ``bad`` is set two cycles after a group with a channel whose
    parameters break a rule (:func:`reprise.hw.arch.rules.data_rules`).
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(_members(c, stream.Signature(neuron_params(c))) | {"bad": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        group_bits = c.neuron_lanes * PARAM_BYTES * 8
        raw = Signal(group_bits)
        valid, leave = Signal(), Signal()
        left, wanted = Signal(16), Signal()  # the groups that are left; there are some
        index = Signal(16)
        if group_bits > c.bus_bits:
            words = group_bits // c.bus_bits
            held = Signal(group_bits, reset_less=True)
            full = Signal(range(words))  # bus words of the group that has begun
            m.d.comb += [raw.eq(held), self.i.ready.eq(~valid | leave)]
            with m.If(leave):
                m.d.sync += [valid.eq(0), self.busy.eq(0)]
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += held.eq(held[c.bus_bits :] | (self.i.payload << (group_bits - c.bus_bits)))
                m.d.sync += [full.eq(full + 1), valid.eq(full == words - 1), self.busy.eq(1)]
        else:
            splitter = _Splitter(m, self.i, c.bus_bits // group_bits, leave)
            m.d.comb += [raw.eq(splitter.part), valid.eq(splitter.valid), self.busy.eq(splitter.valid)]
        m.d.comb += [
            self.o.valid.eq(valid & wanted),
            leave.eq(valid & (self.o.ready | ~wanted)),
            self.o.payload.group.eq(index),
        ]
        wrong: list[Value] = []
        for n in range(c.neuron_lanes):
            channel = fields_view(raw.word_select(n, 8 * PARAM_BYTES), PARAMETERS, PARAM_BYTES)
            m.d.comb += [self.o.payload[f.name][n].eq(channel[f.name]) for f in PARAMETERS]
            wrong += [bit for rule in data_rules(c, "parameters") for bit in broken(rule, channel)]
        found, looked = Signal(len(Cat(wrong)), reset_less=True), Signal()
        m.d.sync += [found.eq(Cat(wrong)), looked.eq(self.o.valid), self.bad.eq(looked & found.any())]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [index.eq(index + 1), left.eq(left - 1), wanted.eq(left != 1)]
        with m.If(self.start):
            m.d.sync += [index.eq(0), left.eq(self.items), wanted.eq(self.items != 0)]
        return m
