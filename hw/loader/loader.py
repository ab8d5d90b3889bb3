"""The loader brings features, segments and neuron parameters from memory to where they are kept on chip."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import ADDRESS_BITS, Wait
from ..interface.commands import LOAD_JOB, Kind
from ..interface.memory import read_request
from ..interface.streams import feature_write, neuron_params, segment_write
from ..lib.fifo import StreamFifo
from .unpack import FeatureUnpacker, ParamUnpacker, SegmentUnpacker

JOBS = 4
"""Loads that may be under way beside the one whose data is coming."""


class Loader(wiring.Component):
    """Carries out loads in order: each brings chunks of memory to places on chip.

    A chunk lies together in memory and on chip. From one chunk to the next, the strides of the job are added to both
    places. A job may wait for what runs write; the jobs behind it wait with it.

    Throughput: in each cycle a bus word of features (or as many words as the feature buffer has banks, if these are
    fewer), or one segment, or one bus word of parameters.

    Parameters
    ----------
    config : the hardware configuration

    Members
    -------
    i_job : In stream of LOAD_JOB; a job is taken when all requests of the job before have been made
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    o_features, o_segments, o_params : Out streams to the feature buffer, the segment table and the neuron array
    written : In(2), all writes have been answered of the runs before the last one; of all runs, and none is in progress
    busy, rows_busy : Out(1), a load is under way; one that is not of parameters, or is followed by another
    waiting : Out(1), the load whose requests are next waits for writes
    bad_data : Out(1), strobe: a segment or a channel's parameters break a rule
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_job": In(stream.Signature(LOAD_JOB)),
                "o_request": Out(stream.Signature(read_request())),
                "i": In(stream.Signature(c.bus_bits)),
                "o_features": Out(stream.Signature(feature_write(c), always_ready=True)),
                "o_segments": Out(stream.Signature(segment_write(c), always_ready=True)),
                "o_params": Out(stream.Signature(neuron_params(c))),
                "written": In(2),
                "busy": Out(1),
                "rows_busy": Out(1),
                "waiting": Out(1),
                "bad_data": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.features = features = FeatureUnpacker(c)
        m.submodules.segments = segments = SegmentUnpacker(c)
        m.submodules.params = params = ParamUnpacker(c)
        wiring.connect(m, wiring.flipped(self.o_features), features.o)
        wiring.connect(m, wiring.flipped(self.o_segments), segments.o)
        wiring.connect(m, wiring.flipped(self.o_params), params.o)
        m.d.comb += self.bad_data.eq(segments.bad | params.bad)

        # The requests of a job go out while the data of the jobs before it is still coming.
        m.submodules.jobs = jobs = StreamFifo(shape=LOAD_JOB, depth=JOBS)
        asking = self._ask(m, jobs.i)
        job = Signal(LOAD_JOB)
        last_beat, taken, start, only_params = Signal(), Signal(), Signal(), Signal()
        bringing = self._bring(m, job, jobs.o, start, taken, last_beat)
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        unpackers: dict[Kind, FeatureUnpacker | SegmentUnpacker | ParamUnpacker]
        unpackers = {Kind.FEATURES: features, Kind.SEGMENTS: segments, Kind.PARAMS: params}
        with m.Switch(job.kind):
            for kind, unpacker in unpackers.items():
                with m.Case(kind):
                    m.d.comb += [
                        unpacker.i.payload.eq(self.i.payload),
                        unpacker.i.valid.eq(self.i.valid & bringing),
                        self.i.ready.eq(unpacker.i.ready & bringing),
                    ]
        for unpacker in unpackers.values():
            m.d.comb += [
                unpacker.start.eq(start),
                unpacker.target.eq(jobs.o.payload.target),
                unpacker.items.eq(jobs.o.payload.items),
            ]
        m.d.comb += [
            features.last_beat.eq(last_beat),
            features.target_stride.eq(job.target_stride),
            start.eq(jobs.o.valid & ~bringing & ~features.busy & ~segments.busy & ~params.busy),
            jobs.o.ready.eq(start),
            self.busy.eq(asking | (jobs.level != 0) | bringing | features.busy | segments.busy | params.busy),
            only_params.eq(bringing & (job.kind == Kind.PARAMS)),
            self.rows_busy.eq((jobs.level != 0) | features.busy | segments.busy | ((asking | bringing) & ~only_params)),
        ]
        return m

    def _ask(self, m: Module, jobs: stream.Interface) -> Value:
        """Make one request for each chunk; return whether requests of the current job are left, which is a register."""
        left, some = Signal(16), Signal()
        job = Signal(LOAD_JOB)
        start = Signal()
        m.d.comb += [
            start.eq(self.i_job.valid & self.i_job.ready),
            self.i_job.ready.eq(~some & jobs.ready),
            jobs.valid.eq(start),
            jobs.payload.eq(self.i_job.payload),
        ]
        address = Signal(ADDRESS_BITS)
        m.d.comb += [
            self.o_request.valid.eq(some & ~self.waiting),
            self.o_request.payload.address.eq(address),
            self.o_request.payload.beats.eq(job.beats),
        ]
        m.d.sync += self.waiting.eq(self.waiting & ~Mux(job.wait == Wait.ALL, self.written[1], self.written[0]))
        with m.If(self.o_request.valid & self.o_request.ready):
            m.d.sync += [left.eq(left - 1), some.eq(left != 1), address.eq(address + job.stride)]
        with m.If(start):
            m.d.sync += [
                job.eq(self.i_job.payload),
                left.eq(self.i_job.payload.chunks),
                some.eq(self.i_job.payload.chunks != 0),
                self.waiting.eq(self.i_job.payload.wait != Wait.NOTHING),
                address.eq(self.i_job.payload.source),
            ]
        return some

    def _bring(
        self, m: Module, job: data.View, jobs: stream.Interface, start: Value, taken: Value, last_beat: Signal
    ) -> Value:
        """Count the bus words that come, and say which is a chunk's last; return whether chunks of the job are left.

        Both are registers, because they decide about the bus word that is there.
        """
        left, some = Signal(16), Signal()
        beats, single = Signal(32), Signal()  # a chunk of the job is a single word
        with m.If(taken):
            m.d.sync += [
                beats.eq(Mux(last_beat, job.beats, beats - 1)),
                last_beat.eq(Mux(last_beat, single, beats == 2)),
            ]
            with m.If(last_beat):
                m.d.sync += [left.eq(left - 1), some.eq(left != 1)]
        with m.If(start):
            load, one = jobs.payload, jobs.payload.beats == 1
            m.d.sync += [job.eq(load), left.eq(load.chunks), some.eq(load.chunks != 0)]
            m.d.sync += [beats.eq(load.beats), single.eq(one), last_beat.eq(one)]
        return some
