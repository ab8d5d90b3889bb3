"""The issue stage of the processor: one residual bit, and per partial-sum bank one row, per cycle."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import bank_of
from ..interface.streams import compute_row, reuse_row
from ..lib.logic import precompute
from . import lookahead as ahead
from .layouts import held_result, issue_events, lowest, psum_slot, without_lowest
from .pe_array import finish_control, load_control
from .scoreboard import tile_step, tile_view

STEAL_AFTER = 63
"""Cycles a compute row that found the accumulators idle waits for a free read port before it takes a reuse row's."""


class Issue(wiring.Component):
    """Issues compute rows bit by bit and reuse rows beside them.

    A compute row goes from the stream into ``stage`` (its lowest bit is found there), from there, in the cycle of the
    active row's last bit, into ``active``, and then issues one bit per cycle unconditionally. The last bit claims
    the slot of the row's bank; a reuse row takes the slot when no last bit does. The bank's read port reads the reuse
    row's prefix, or, in the cycle of a claim, the prefix of the row that is loaded in that cycle. A reuse row with the
    prefix of the row before it in its bank needs no read: the operand register still holds it. Then a compute row that
    finds the accumulators idle has the port.

    A row is loaded only if its partial sum can't be in flight: read-modify-write takes three slots, so the same
    row may be updated again three slots later (only rows of different tiles collide).

    Latency: stream to first bit, two cycles. Throughput: a bit per cycle without bubbles between rows or tiles.

    Members
    -------
    i_compute, i_reuse : rows, in issue order; per bank for reuse
    tiles : contexts by parity
    hold : per bank: no reuse row may be issued in this cycle
    claim, take : rows issued in this cycle (stage 0)
    weight : weight row of this cycle's bit (stage 0)
    next_slot : per bank: the partial sum that is updated next, if any (stage 0)
    read : per bank: address in the result memory (stage 0); anything where no row uses what is read
    load, finish, slot : control of the datapath (stage 1)
    fetch : per bank: the operand comes from the read port (stage 1)
    events : single-cycle events
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
                "weight": Out(data.StructLayout({"row": range(c.tile_k), "weight_slot": c.weight_slot_bits})),
                "load": Out(load_control(c)),
                "finish": Out(finish_control(c)),
                "read": Out(data.ArrayLayout(c.row_bits + 1, c.banks)),
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
        self._base(m)
        self._events(m)
        return m

    def _declare(self) -> None:
        c = self.config
        self.stage = Signal(compute_row(c), reset_less=True)
        self.stage_valid, self.stage_buffer = Signal(), Signal()
        self.stage_usable = Signal()  # its tile is in the processor, the tile's weights too: then the buffer is right
        self.active = Signal(compute_row(c), reset_less=True)  # residual: the bits after `bit`
        self.bit = Signal(c.tile_k, reset_less=True)
        self.active_valid, self.active_last = Signal(), Signal()
        self.active_buffer = Signal(reset_less=True)
        self.claiming = Signal(c.banks)  # registered flags only: known early in the cycle
        self.loading, self.steal_left = Signal(), Signal(range(STEAL_AFTER + 1), init=STEAL_AFTER)
        self.steal_due = Signal()  # it has waited long enough
        self.steal_idle = Signal(c.banks)  # an idle start uses the read port
        self.steal_port = Signal(c.banks)  # where no last bit claims: the read port is the staged row's
        self.recent = Signal()  # the staged row's prefix needs no read
        self.held = Signal(data.ArrayLayout(held_result(c), c.banks))
        self.same = Signal(c.banks)  # the reuse row's prefix is held
        self.reuse = [Signal(reuse_row(c), name=f"reuse{b}", reset_less=True) for b in range(c.banks)]
        self.reuse_valid, self.reuse_ok, self.reuse_buffer = (Signal(c.banks) for _ in range(3))
        self.eligible = Signal(c.banks)  # there is a reuse row, its prefix finished, its partial sum not in flight
        # The staged row has the same index as ...
        self.same_row, self.in_slot, self.in_active = Signal(c.banks), Signal(c.banks), Signal()

    def _bank(self, row: Value) -> ValueLike:
        """One-hot bank of a row index."""
        bank = bank_of(self.config, row)
        return Cat(~bank, bank) if self.config.banks == 2 else 1

    def buffer(self, tag: Value) -> Value:
        return self.tiles[tag[0]].buffer

    def _known(self, tag: Value) -> Value:
        """The tile of this tag is in the processor."""
        tile = self.tiles[tag[0]]
        return tile.valid & (tile.tag == tag)

    def _reuse_stage(self, m: Module, b: int) -> None:
        """Hold the head of the reuse stream; whether its prefix is finished and its row free is found a cycle ahead."""
        i, row = self.i_reuse[b], self.reuse[b]
        rows = row, i.payload  # the one that stays, the one that comes
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
        """Hold the head of the compute stream: its lowest bit and the rest are found on the way in.

        Its tile is looked up a cycle ahead: one that enters has no weights yet, and none goes before its rows.
        """
        i = self.i_compute
        usable = [self._known(tag) & self.tiles[tag[0]].next_weights for tag in (self.stage.tag, i.payload.tag)]
        m.d.sync += [
            self.stage_usable.eq(ahead.next_staged(m, self, *usable)),
            self.stage_buffer.eq(ahead.next_staged(m, self, self.buffer(self.stage.tag), self.buffer(i.payload.tag))),
        ]
        m.d.comb += i.ready.eq(~self.stage_valid | self.loading)
        self.stage_bit = Signal.like(self.bit, reset_less=True)
        self.stage_single = Signal(reset_less=True)
        with m.If(i.ready):
            rest = without_lowest(i.payload.residual)
            m.d.sync += [
                self.stage.eq(i.payload),
                self.stage.residual.eq(rest),
                self.stage_bit.eq(lowest(i.payload.residual)),
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
            # Reuse rows of the m tile before go first. They aren't many unless partial sums are the bottleneck, and
            # then the first updates of the new m tile, whose read slots feed the drain, should come after its end.
            order.eq(Cat(self.eligible[b] & (self.reuse_buffer[b] != buffer) for b in range(c.banks)).any()),
            ready.eq(self.stage_valid & self.stage_usable & ~self.hazard & ~order),
            # In the cycle of a claim a read port is free; an idle start needs one that no reuse row uses.
            needs_port.eq(self.stage.has_prefix & ~self.recent),
            busy.eq(self.eligible & ~self.same),
            self.loading.eq(
                ready & Mux(self.active_valid, self.active_last, ~needs_port | ~busy.all() | self.steal_due)
            ),
        ]
        with m.If(~self.active_valid & needs_port & self.loading):
            m.d.comb += self.steal_idle.eq(Mux(busy[0], 1 << (c.banks - 1), 1))
        # Where a read goes; what no row uses may be wrong. It waits for ``ready`` only where it steals.
        steals = precompute(m, ~self.active_valid & needs_port & self.steal_due & busy.all(), name="steals")
        m.d.comb += self.steal_port.eq(Cat(~busy[:-1], ~busy[-1] | (steals & ready)))
        waiting = ready & ~self.active_valid & ~self.loading
        self.yielding = waiting | order
        with m.If(self.loading):
            m.d.sync += [self.steal_left.eq(STEAL_AFTER), self.steal_due.eq(0)]
        with m.Elif(waiting):
            m.d.sync += [self.steal_left.eq(self.steal_left - 1), self.steal_due.eq(self.steal_left == 1)]

    def given_anew(self, b: int) -> Value:
        """The tile of the result in bank ``b``'s operand register has gone: its slots belong to another."""
        held = self.held[b]
        return self.tiles[held.tag[0]].tag != held.tag

    def _active(self, m: Module) -> None:
        """The active row: one-hot bit, the bits after it, and whether it is the last, all registered."""
        rest = without_lowest(self.active.residual)
        with m.If(self.loading):
            tile = self.tiles[self.stage.tag[0]]
            m.d.sync += [
                self.active.eq(self.stage),
                self.active_buffer.eq(self.stage_buffer),
                self.weight.weight_slot.eq(tile.weight_slot),
                self.bit.eq(self.stage_bit),
                self.active_last.eq(self.stage_single),
                self.active_valid.eq(1),
            ]
        with m.Else():
            m.d.sync += [
                self.active.residual.eq(rest),
                self.bit.eq(lowest(self.active.residual)),
                self.active_last.eq(rest == 0),
                self.active_valid.eq(self.active_valid & ~self.active_last),
            ]
        for j in range(len(self.weight.row)):
            m.d.comb += self.weight.row[j].eq(Cat(self.bit[k] for k in range(len(self.bit)) if k >> j & 1).any())
        m.d.comb += [
            self.claim.valid.eq(self.active_valid & self.active_last),
            self.claim.parity.eq(self.active.tag[0]),
        ]

    def _slots(self, m: Module, b: int) -> None:
        """Who gets bank ``b``'s partial-sum slot and its read port."""
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
        base, shared = (Cat(row.prefix, row.tag[0]) for row in (self.stage, reuse))
        m.d.comb += self.read[b].eq(Mux(self.claiming[b] | self.steal_port[b], base, shared))

    def _base(self, m: Module) -> None:
        """Where the loaded row's base comes from, by the distance to its prefix."""
        c = self.config
        stage, active = self.stage, self.active
        in_place = Signal()
        m.d.comb += [
            # A row with a prefix comes after it, so the row before is of the same tile; the row before that may not be.
            in_place.eq(self.active_valid & (active.result == stage.prefix)),
        ]
        memory = (self.loading & stage.has_prefix & ~in_place & ~self.recent).replicate(c.banks)
        m.d.sync += [
            self.load.zero.eq(self.loading & ~stage.has_prefix),
            self.load.forward.eq(self.loading & stage.has_prefix & self.recent),
            self.load.memory.eq(memory & (self.claiming | self.steal_idle)),
            self.finish.valid.eq(self.claim.valid),
            self.finish.parity.eq(active.tag[0]),
            self.finish.result.eq(active.result),
            self.finish.bank.eq(self.claiming),
        ]

    def _events(self, m: Module) -> None:
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
