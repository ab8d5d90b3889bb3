"""The product-sparse processing unit: weights, accumulators, tile results, partial sums."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .accumulators import Accumulators
from .config import HardwareConfig
from .issue import Issue
from .lane_order import to_channels, to_lanes
from .layouts import compute_row, layer_config, psum_row, reuse_row, tile_begin, tile_end, weight_row
from .psum_bank import PsumBank
from .psum_drain import PsumDrain
from .psum_touched import Sweep
from .scoreboard import Scoreboard
from .weight_buffer import WeightBuffer


def processor_events(c: HardwareConfig) -> data.StructLayout:
    """What happens in a cycle; a counter per field gives usage and the causes of stalls.

    The ``stall`` fields up to ``stall_reuse`` say why the accumulators add nothing while the processor is busy: at most
    one of them is set, and then ``residual_bit`` isn't. The others are about the partial sums and the output.
    """
    return data.StructLayout(
        {
            "busy": 1,  # a tile or a partial sum is inside
            "residual_bit": 1,  # a weight row is added
            "compute_row": 1,  # a compute row is finished
            "reuse_rows": range(c.banks + 1),  # exact matches accumulated
            "stall_row": 1,  # no compute row has come
            "stall_lead": 1,  # its tile must wait for the result buffer of the tile two before it
            "stall_drain": 1,  # the same, because the partial sums of an earlier m tile are still being drained
            "stall_weights": 1,  # its tile's weights have not come
            "stall_hazard": 1,  # its row's partial sum is being updated for another tile
            "stall_reuse": 1,  # it lets reuse rows go first: they have the read port, or belong to the m tile before
            "wait_prefix": 1,  # a reuse row waits for its prefix or its tile
            "wait_output": 1,  # a finished row of partial sums isn't taken
        }
    )


def _inside(port, slot, banks: int):
    """Assignments of an update to its bank, which has every second row where there are two."""
    return [port.valid.eq(slot.valid), port.half.eq(slot.half), port.row.eq(slot.row[banks - 1 :])]


class Processor(wiring.Component):
    """``psum[row] = sum over K tiles of sum over k of row[k] * W[k]``, exactly, reusing prefixes' results.

    A compute row costs a cycle per residual bit; an exact match costs none, its partial sum is updated beside. A
    stream of tiles takes ``max(residual bits, non-zero rows / banks)`` cycles plus a fill; docs/processor.md
    has the pipeline. Rows beyond ``rows`` of the m tile must be zero. Section "PPU" of the paper (HPCA 2025).

    Latency: last bit or reuse row to its partial sum in memory, 4 cycles; last row of an m tile to its first
    ``o_psum``, 7 cycles.

    Members
    -------
    i_begin, i_end : streams that announce and close a tile (:func:`hw.layouts.tile_begin`, ``tile_end``)
    i_compute, i_reuse : streams of rows; reuse per bank
    i_weights : stream of :func:`hw.layouts.weight_row`
    i_layer : :func:`hw.layouts.layer_config`, constant while a row is inside: the order of the partial sums
    o_psum : stream of :func:`hw.layouts.psum_row`; the order of rows is that of hw/interleave.py
    counters : single-cycle events, :func:`processor_events`
    """

    def __init__(self, config: HardwareConfig):
        c = self.config = config
        super().__init__(
            {
                "i_begin": In(stream.Signature(tile_begin(c))),
                "i_end": In(stream.Signature(tile_end(c))),
                "i_compute": In(stream.Signature(compute_row(c))),
                "i_reuse": In(stream.Signature(reuse_row(c))).array(c.banks),
                "i_weights": In(stream.Signature(weight_row(c))),
                "i_layer": In(layer_config(c)),
                "o_psum": Out(stream.Signature(psum_row(c))),
                "counters": Out(processor_events(c)),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        m.submodules.issue = issue = Issue(c)
        m.submodules.scoreboard = scoreboard = Scoreboard(c)
        m.submodules.weights = weights = WeightBuffer(c)
        m.submodules.accumulators = accumulators = Accumulators(c)
        m.submodules.sweep = sweep = Sweep(c.tile_m // c.banks)
        m.submodules.drain = drain = PsumDrain(c)
        connect(m, flipped(self.i_begin), scoreboard.i_begin)
        connect(m, flipped(self.i_end), scoreboard.i_end)
        connect(m, flipped(self.i_compute), issue.i_compute)
        connect(m, flipped(self.i_weights), weights.i)
        connect(m, drain.o, flipped(self.o_psum))
        # Inside, lanes of one neuron are neighbours, for short wires (hw/lane_order.py).
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
            accumulators.weight.eq(weights.o),
            accumulators.load.eq(issue.load),
            accumulators.finish.eq(issue.finish),
            accumulators.read.eq(issue.read),
            accumulators.fetch.eq(issue.fetch),
            drain.full.eq(scoreboard.full),
            drain.rows.eq(scoreboard.rows),
            drain.i_layer.eq(self.i_layer),
        ]
        for b in range(c.banks):
            connect(m, flipped(self.i_reuse[b]), issue.i_reuse[b])
            m.submodules[f"bank{b}"] = bank = PsumBank(c)
            m.d.comb += [
                *_inside(bank.soon, issue.soon[b], c.banks),
                *_inside(bank.slot, issue.slot[b], c.banks),
                bank.operand.eq(accumulators.o[b]),
                bank.look.eq(drain.look[b]),
                bank.drain.eq(drain.ask[b]),
                bank.clear.eq(drain.clear[b]),
                bank.sweep.eq(sweep.o),
                drain.grant[b].eq(bank.grant),
                drain.touched[b].eq(bank.touched),
                drain.data[b].eq(bank.o),
            ]
        self._count(m, issue, scoreboard)
        return m

    def _count(self, m: Module, issue: Issue, scoreboard: Scoreboard):
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
