"""The issue stage of the processor, which issues bits of a residual, and a row for each partial-sum bank, per cycle."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import bank_of
from ..interface.streams import compute_row, reuse_row
from ..lib.logic import encode, precompute
from . import bases
from . import lookahead as ahead
from .layouts import added, bank_bits, held_result, issue_events, lowest, psum_slot, walked, weight_read, without_lowest
from .pe_array import finish_control, load_control, read_control
from .scoreboard import tile_step, tile_view

STEAL_AFTER = 63
"""A compute row that finds the accumulators idle waits this many cycles for a free port, then takes a reuse row's."""


class Issue(wiring.Component):
    """Issues compute rows bit by bit, and reuse rows beside them. In a cycle a bit of each bank of weights is issued.

    A compute row goes from the stream into ``stage``, and from there into ``active`` in the cycle of the active row's
    last bits. Then it issues bits in every cycle, whatever happens. Its last ones claim the update slot of the row's
    bank; a reuse row takes a slot that none claims. The bank's read port reads the prefix's result for the reuse row
    or, in the cycle of a claim, for the compute row that is loaded then. A reuse row needs no read if the operand
    register still holds its prefix's result, because the row before it in its bank had the same prefix. Then a
    compute row that finds the accumulators idle has the port.

    A row is loaded only if its partial sum is not in flight. An update (read, add, write) takes three slots, so the
    same row may be updated again three slots later. Only rows of different tiles can collide.

    Latency: two cycles from the stream to the first bit. Throughput: a bit of each bank of weights per cycle, without
    bubbles between rows or tiles. (Prosperity, HPCA 2025, arXiv 2503.03379, section "PPU".)

    Members
    -------
    i_compute, i_reuse : streams of rows in issue order; one for each bank for reuse rows
    tiles : the two tiles in the processor, by the parity of their tags
    hold : for each bank: no reuse row may be issued in this cycle
    claim, take : the compute row that ends in this cycle, and for each bank the reuse row that is issued (stage 0)
    weight : the weight rows of this cycle's bits (:func:`reprise.hw.processor.layouts.weight_read`, stage 0)
    next_slot : for each bank: the partial sum that is updated next, if any (stage 0)
    read : for each bank: what is read in the result memory (stage 0), perhaps in vain
    load, finish, slot : the control of the PE array, and for each bank the update (stage 1)
    fetch : for each bank: the operand comes from the read port (stage 1)
    events : what happens in this cycle
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "i_compute": In(stream.Signature(compute_row(c))),
                "i_reuse": In(stream.Signature(reuse_row(c))).array(c.banks),
                "tiles": In(data.ArrayLayout(tile_view(c), 2)),
                "hold": In(c.banks),
                "claim": Out(tile_step(c)),
                "take": Out(data.ArrayLayout(tile_step(c), c.banks)),
                "weight": Out(weight_read(c)),
                "load": Out(load_control(c)),
                "finish": Out(finish_control(c)),
                "read": Out(data.ArrayLayout(read_control(c), c.banks)),
                "fetch": Out(c.banks),
                "next_slot": Out(data.ArrayLayout(psum_slot(c), c.banks)),
                "slot": Out(data.ArrayLayout(psum_slot(c), c.banks)),
                "events": Out(issue_events(c)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        self._declare()
        for b in range(c.banks):
            self._reuse_stage(m, b)
        self._compute_stage(m)
        active, slots = ahead.staged_rows(m, self)
        m.d.sync += [self.recent.eq(ahead.recent_prefix(m, self)), self.in_active.eq(active), self.in_slot.eq(slots)]
        self._load(m)
        self._active(m)
        for b in range(c.banks):
            self._slots(m, b)
        bases.take_base(m, self)
        self._events(m)
        return m

    def _declare(self) -> None:
        """Declare the signals that the parts of the stage share."""
        c = self.config
        self.stage = Signal(compute_row(c), reset_less=True)
        self.stage_valid, self.stage_buffer = Signal(), Signal(c.buffer_bits)
        self.stage_usable = Signal()  # its tile and the tile's weights are here, so `stage_buffer` is right
        self.active = Signal(compute_row(c), reset_less=True)  # its slots, or residual, are those after `bits`
        self.bits = Signal(c.tile_k, reset_less=True)
        self.active_valid, self.active_last = Signal(), Signal()
        self.active_buffer = Signal(c.buffer_bits, reset_less=True)
        self.claiming = Signal(c.banks)  # made of registered flags only, so it is known early in the cycle
        self.loading, self.steal_left = Signal(), Signal(range(STEAL_AFTER + 1), init=STEAL_AFTER)
        self.steal_due = Signal()  # the staged row has waited long enough for a read port
        self.steal_idle = Signal(c.banks)  # a row that starts while the accumulators are idle uses the read port
        self.steal_port = Signal(c.banks)  # if no last bit claims, the read port belongs to the staged row
        self.recent = Signal()  # the result of the staged row's prefix need not be read
        self.held = Signal(data.ArrayLayout(held_result(c), c.banks))
        self.same = Signal(c.banks)  # the operand register holds the result of the reuse row's prefix
        self.reuse = [Signal(reuse_row(c), name=f"reuse{b}", reset_less=True) for b in range(c.banks)]
        self.reuse_valid, self.reuse_ok = Signal(c.banks), Signal(c.banks)
        self.reuse_buffer = Signal(data.ArrayLayout(c.buffer_bits, c.banks))
        self.eligible = Signal(c.banks)  # a reuse row is there, its prefix finished, its partial sum not in flight
        # The staged row has the same index as the bank's reuse row, as the row in the bank's slot, as the active row.
        self.same_row, self.in_slot, self.in_active = Signal(c.banks), Signal(c.banks), Signal()

    def _bank(self, row: Value) -> ValueLike:
        """Return the bank of a row index, one-hot."""
        bank = bank_of(self.config, row)
        return Cat(~bank, bank) if self.config.banks == 2 else 1

    def buffer(self, tag: Value) -> Value:
        """Return the buffer of partial sums that belongs to the tile with this tag, if that is in the processor."""
        return self.tiles[tag[0]].buffer

    def _known(self, tag: Value) -> Value:
        """Return one bit: the tile with this tag is in the processor."""
        tile = self.tiles[tag[0]]
        return tile.valid & (tile.tag == tag)

    def _reuse_stage(self, m: Module, b: int) -> None:
        """Hold the head of the reuse stream. Whether its prefix is finished and its row free is known a cycle ahead."""
        i, row = self.i_reuse[b], self.reuse[b]
        rows = row, i.payload  # the row that stays, and the row that comes
        known = [self._known(one.tag) & (one.after <= self.tiles[one.tag[0]].issued) for one in rows]
        m.d.comb += i.ready.eq(~self.reuse_valid[b] | self.take[b].valid)
        m.d.sync += [
            self.reuse_ok[b].eq(ahead.next_reuse(m, self, b, *known)),
            self.reuse_buffer[b].eq(ahead.next_reuse(m, self, b, *(self.buffer(one.tag) for one in rows))),
            self.eligible[b].eq(ahead.eligible_reuse(m, self, b, known)),
            self.same_row[b].eq(ahead.reuse_same_row(m, self, b)),
            self.same[b].eq(ahead.held_prefix(m, self, b)),
        ]
        with m.If(i.ready):
            m.d.sync += [row.eq(i.payload), self.reuse_valid[b].eq(i.valid)]

    def _compute_stage(self, m: Module) -> None:
        """Hold the head of the compute stream. Its first bits and the rest are found on the way in.

        Its tile can be looked up a cycle ahead, because one that enters has no weights yet, and none leaves before its
        rows are issued.
        """
        i = self.i_compute
        usable = [self._known(tag) & self.tiles[tag[0]].next_weights for tag in (self.stage.tag, i.payload.tag)]
        m.d.sync += [
            self.stage_usable.eq(ahead.next_staged(m, self, *usable)),
            self.stage_buffer.eq(ahead.next_staged(m, self, self.buffer(self.stage.tag), self.buffer(i.payload.tag))),
        ]
        m.d.comb += i.ready.eq(~self.stage_valid | self.loading)
        self.stage_bits = Signal.like(self.bits, reset_less=True)
        self.stage_single = Signal(reset_less=True)
        with m.If(i.ready):
            banks, slots = self.config.weight_banks, walked(self.config, i.payload)
            m.d.sync += [
                self.stage.eq(i.payload),
                walked(self.config, self.stage).eq(rest := without_lowest(slots, banks)),
                self.stage_bits.eq(lowest(slots, banks)),
                self.stage_single.eq(rest == 0),
                self.stage_valid.eq(i.valid),
            ]

    def _load(self, m: Module) -> None:
        """Decide whether the staged row becomes the active one in this cycle."""
        c = self.config
        buffer = self.stage_buffer
        self.hazard = Signal()
        conflicts = [self.active_valid & self.in_active & (self.active_buffer == buffer)]
        for b in range(c.banks):
            slot = self.slot[b]
            conflicts.append(slot.valid & self.in_slot[b] & (slot.buffer == buffer))
            conflicts.append(self.eligible[b] & self.same_row[b] & (self.reuse_buffer[b] == buffer))
        ready, needs_port, order, busy = Signal(), Signal(), Signal(), Signal(c.banks)
        m.d.comb += [
            self.hazard.eq(Cat(conflicts).any()),
            self.claiming.eq(self._bank(self.active.row) & (self.active_valid & self.active_last).replicate(c.banks)),
            # Reuse rows of the m tile before go first. There are few of them unless partial sums are the bottleneck;
            # then the first updates of the new m tile should come after its end, as their read slots feed the drain.
            order.eq(Cat(self.eligible[b] & (self.reuse_buffer[b] != buffer) for b in range(c.banks)).any()),
            ready.eq(self.stage_valid & self.stage_usable & ~self.hazard & ~order),
            # In the cycle of a claim a read port is free. An idle start needs a port that no reuse row uses.
            needs_port.eq(self.stage.has_prefix & ~self.recent),
            busy.eq(self.eligible & ~self.same),
            self.loading.eq(
                ready & Mux(self.active_valid, self.active_last, ~needs_port | ~busy.all() | self.steal_due)
            ),
        ]
        with m.If(~self.active_valid & needs_port & self.loading):
            m.d.comb += self.steal_idle.eq(Mux(busy[0], 1 << (c.banks - 1), 1))
        # This selects the read's address, which may be wrong if no row uses it: only a steal has to wait for ``ready``.
        steals = precompute(m, ~self.active_valid & needs_port & self.steal_due & busy.all(), name="steals")
        m.d.comb += self.steal_port.eq(Cat(~busy[:-1], ~busy[-1] | (steals & ready)))
        waiting = ready & ~self.active_valid & ~self.loading
        self.yielding = waiting | order
        with m.If(self.loading):
            m.d.sync += [self.steal_left.eq(STEAL_AFTER), self.steal_due.eq(0)]
        with m.Elif(waiting):
            m.d.sync += [self.steal_left.eq(self.steal_left - 1), self.steal_due.eq(self.steal_left == 1)]

    def given_anew(self, b: int) -> Value:
        """Return one bit: the tile of the result in bank ``b``'s operand register has left its place to another."""
        held = self.held[b]
        return self.tiles[held.tag[0]].tag != held.tag

    def _active(self, m: Module) -> None:
        """Register of the active row the bits that are issued, those after them, and that there are none of these."""
        rest = without_lowest(slots := walked(c := self.config, self.active), banks := c.weight_banks)
        with m.If(self.loading):
            tile = self.tiles[self.stage.tag[0]]
            m.d.sync += [
                self.active.eq(self.stage),
                self.active_buffer.eq(self.stage_buffer),
                self.weight.weight_slot.eq(tile.weight_slot),
                self.bits.eq(self.stage_bits),
                self.active_last.eq(self.stage_single),
                self.active_valid.eq(1),
            ]
        with m.Else():
            m.d.sync += [
                slots.eq(rest),
                self.bits.eq(lowest(slots, banks)),
                self.active_last.eq(rest == 0),
                self.active_valid.eq(self.active_valid & ~self.active_last),
            ]
        for bank, read in enumerate(self.weight.banks):
            mine = bank_bits(self.bits, bank, banks)
            m.d.comb += [read.wanted.eq(added(c, mine, self.active, bank)), read.row.eq(encode(mine))]
        m.d.comb += [
            self.claim.valid.eq(self.active_valid & self.active_last),
            self.claim.parity.eq(self.active.tag[0]),
        ]

    def _slots(self, m: Module, b: int) -> None:
        """Decide which row gets bank ``b``'s partial-sum slot and which its read port."""
        reuse, active = self.reuse[b], self.active
        take = self.take[b]
        m.d.comb += [
            take.valid.eq(self.eligible[b] & ~self.claiming[b] & (~self.steal_idle[b] | self.same[b]) & ~self.hold[b]),
            take.parity.eq(reuse.tag[0]),
        ]
        held = self.held[b]
        with m.If(self.given_anew(b)):
            m.d.sync += held.valid.eq(0)
        with m.If(take.valid):
            m.d.sync += [held.valid.eq(1), held.tag.eq(reuse.tag), held.result.eq(reuse.prefix)]
        with m.If(self.claiming[b]):
            m.d.sync += [held.valid.eq(1), held.tag.eq(active.tag), held.result.eq(active.result)]
        following = self.next_slot[b]
        m.d.comb += [
            following.valid.eq(self.claiming[b] | take.valid),
            following.buffer.eq(Mux(self.claiming[b], self.active_buffer, self.reuse_buffer[b])),
            following.row.eq(Mux(self.claiming[b], active.row, reuse.row)),
        ]
        m.d.sync += [self.slot[b].eq(following), self.fetch[b].eq(take.valid & ~self.same[b])]
        bases.read_result(m, self, b)

    def _events(self, m: Module) -> None:
        """Report what happens in this cycle and, if no bit is issued, why."""
        e = self.events
        idle = ~self.active_valid
        known = self._known(self.stage.tag)
        usable = self.stage_valid & self.stage_usable
        took = Cat(t.valid for t in self.take)
        m.d.comb += [
            e.residual_bit.eq(self.active_valid),
            e.compute_row.eq(self.claim.valid),
            e.reuse_rows.eq(sum(took[b] for b in range(len(took)))),
            e.no_row.eq(idle & (~self.stage_valid | self.loading)),  # it came too late for this cycle
            e.lead.eq(idle & self.stage_valid & ~known),
            e.weights.eq(idle & self.stage_valid & known & ~self.stage_usable),
            e.hazard.eq(idle & usable & self.hazard),
            e.reuse.eq(idle & usable & ~self.hazard & self.yielding),
            e.prefix.eq((self.reuse_valid & ~self.reuse_ok & ~took).any()),
        ]
