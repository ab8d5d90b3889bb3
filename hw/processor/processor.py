"""The processor, which makes finished partial sums of rows and weights and connects the blocks that do so."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import HardwareConfig
from ..interface.events import processor_events
from ..interface.row_order import to_channels, to_lanes
from ..interface.streams import compute_row, layer_config, psum_row, reuse_row, tile_begin, tile_end, weight_row
from ..psum.bank import PsumBank, sweep_words
from ..psum.dirty import Sweep
from ..psum.drain import PsumDrain
from .issue import Issue
from .pe_array import PEArray
from .scoreboard import Scoreboard
from .weight_buffer import WeightBuffer


def _inside(port: data.View, slot: data.View, banks: int) -> list:
    """Return the assignments that give an update to its bank.

    With two banks, the address in the bank is the row's index without the lowest bit.
    """
    return [port.valid.eq(slot.valid), port.buffer.eq(slot.buffer), port.row.eq(slot.row[banks - 1 :])]


class Processor(wiring.Component):
    """Computes the partial sums of m tiles, exactly, and reuses the results of prefixes on the way.

    The partial sum of a row is ``psum[row] = sum over K tiles of sum over k of row[k] * W[k]``, in each of the
    ``lanes``. A compute row costs one cycle for each residual bit or, with several banks of weights, as many cycles as
    its residual has bits of one bank at most: its add steps. An exact match costs none, because its partial sum is
    updated beside. So a stream of tiles takes ``max(add steps, non-zero rows / banks)`` cycles, and some to fill the
    pipeline, which docs/processor.md shows. Rows beyond ``rows`` of the m tile must be zero. (Prosperity, HPCA
    2025, arXiv 2503.03379, section "PPU".)

    Latency: 4 cycles from a last bit or a reuse row until its partial sum is in memory; 8 cycles from the last row of
    an m tile to its first ``o_psum``. Throughput: one residual bit of each bank of weights, and one row for
    each bank of partial sums, per cycle.

    Members
    -------
    i_begin, i_end : streams that announce and close a tile
        (:func:`reprise.hw.interface.streams.tile_begin`, ``tile_end``)
    i_compute : stream of :func:`reprise.hw.interface.streams.compute_row`
    i_reuse : for each bank: stream of :func:`reprise.hw.interface.streams.reuse_row`
    i_weights : stream of :func:`reprise.hw.interface.streams.weight_row`
    i_layer : the layer (:func:`reprise.hw.interface.streams.layer_config`), which determines the order of the partial
        sums; constant from ``i_start`` until the last row of the run has been given out
    i_start, i_m_tiles : strobe: the m tiles of the next run may be drained; their number, constant as the layer is
    o_psum : stream of :func:`reprise.hw.interface.streams.psum_row`, whose order of rows is that of
        hw/interface/row_order.py
    counters : what happens in this cycle (:func:`reprise.hw.interface.events.processor_events`)
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "i_begin": In(stream.Signature(tile_begin(c))),
                "i_end": In(stream.Signature(tile_end(c))),
                "i_compute": In(stream.Signature(compute_row(c))),
                "i_reuse": In(stream.Signature(reuse_row(c))).array(c.banks),
                "i_weights": In(stream.Signature(weight_row(c))),
                "i_layer": In(layer_config(c)),
                "i_start": In(1),
                "i_m_tiles": In(16),
                "o_psum": Out(stream.Signature(psum_row(c))),
                "counters": Out(processor_events(c)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        m.submodules.issue = issue = Issue(c)
        m.submodules.scoreboard = scoreboard = Scoreboard(c)
        m.submodules.weights = weights = WeightBuffer(c)
        m.submodules.pe_array = pe_array = PEArray(c)
        m.submodules.sweep = sweep = Sweep(sweep_words(c))
        m.submodules.drain = drain = PsumDrain(c)
        connect(m, flipped(self.i_begin), scoreboard.i_begin)
        connect(m, flipped(self.i_end), scoreboard.i_end)
        connect(m, flipped(self.i_compute), issue.i_compute)
        connect(m, flipped(self.i_weights), weights.i)
        connect(m, drain.o, flipped(self.o_psum))
        # Inside the processor the lanes that one neuron serves are neighbours, which keeps wires short
        # (hw/interface/row_order.py).
        m.d.comb += [
            weights.i.payload.data.eq(Cat(to_lanes(c, self.i_weights.payload.data))),
            self.o_psum.payload.psum.eq(Cat(to_channels(c, drain.o.payload.psum))),
        ]
        m.d.comb += [
            scoreboard.enable.eq(sweep.done),
            scoreboard.filled.eq(weights.filled),
            scoreboard.claim.eq(issue.claim),
            scoreboard.take.eq(issue.take),
            scoreboard.drained.eq(drain.done),
            issue.tiles.eq(scoreboard.tiles),
            issue.hold.eq(drain.hold),
            weights.read.eq(issue.weight),
            weights.release.eq(scoreboard.release),
            pe_array.weight.eq(weights.o),
            pe_array.load.eq(issue.load),
            pe_array.finish.eq(issue.finish),
            pe_array.read.eq(issue.read),
            pe_array.fetch.eq(issue.fetch),
            pe_array.groups.eq(scoreboard.groups),
            drain.full.eq(scoreboard.full),
            drain.rows.eq(scoreboard.rows),
            drain.i_layer.eq(self.i_layer),
            drain.i_start.eq(self.i_start),
            drain.i_m_tiles.eq(self.i_m_tiles),
        ]
        for b in range(c.banks):
            connect(m, flipped(self.i_reuse[b]), issue.i_reuse[b])
            m.submodules[f"bank{b}"] = bank = PsumBank(c)
            m.d.comb += [
                *_inside(bank.next_slot, issue.next_slot[b], c.banks),
                *_inside(bank.slot, issue.slot[b], c.banks),
                bank.groups.eq(scoreboard.groups),
                *(bank.operand.eq(pe_array.o[b]), pe_array.buffer[b].eq(issue.slot[b].buffer)),
                bank.look.eq(drain.look[b]),
                bank.drain.eq(drain.ask[b]),
                bank.clear.eq(drain.clear[b]),
                bank.sweep.eq(sweep.o),
                drain.grant[b].eq(bank.grant),
                drain.marks[b].eq(bank.marks),
                drain.data[b].eq(bank.o),
            ]
        self._count(m, issue, scoreboard)
        return m

    def _count(self, m: Module, issue: Issue, scoreboard: Scoreboard) -> None:
        event, busy = issue.events, Signal()
        count = self.counters
        m.d.comb += busy.eq(scoreboard.busy | self.o_psum.valid)
        m.d.sync += [
            count.busy.eq(busy),
            count.residual_bit.eq(event.residual_bit),
            count.compute_row.eq(event.compute_row),
            count.reuse_rows.eq(event.reuse_rows),
            count.stall_row.eq(event.no_row & busy),
            count.stall_lead.eq(event.lead & ~scoreboard.wait_drain),
            count.stall_drain.eq(event.lead & scoreboard.wait_drain),
            count.stall_weights.eq(event.weights),
            count.stall_hazard.eq(event.hazard),
            count.stall_reuse.eq(event.reuse),
            count.wait_prefix.eq(event.prefix),
            count.wait_output.eq(self.o_psum.valid & ~self.o_psum.ready),
        ]
