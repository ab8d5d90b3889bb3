"""One bank of partial sums: the second rank of adders."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..lib.fanout import fan_out, replicate
from ..lib.logic import precompute
from ..lib.wide_memory import block_parts, wide_memory
from .dirty import DirtyMap, sweep_layout


def bank_row(c: HardwareConfig) -> data.StructLayout:
    """Place of a row in a bank."""
    return data.StructLayout({"buffer": 1, "row": clog2(c.tile_m // c.banks)})


def bank_slot(c: HardwareConfig) -> data.StructLayout:
    """A row of a bank, where there is one."""
    return data.StructLayout({"valid": 1, **bank_row(c).members})


def bank_read(c: HardwareConfig) -> data.StructLayout:
    """A row of a bank that shall be read, if it is dirty."""
    return data.StructLayout({**bank_slot(c).members, "dirty": 1})


class PsumBank(wiring.Component):
    """``psum[buffer, row] = (dirty[buffer, row] ? psum[buffer, row] : 0) + operand``; reads of the other buffer.

    Before it the dirty map is looked up. Stage 1: a first update needs no read and leaves the read port to the drain.
    Stage 2: the memory is addressed. Stage 3: its output (or zero) is registered, as is the operand. Stage 4: add and
    write. So a row may be updated again three cycles later; the issue stage sees to that.

    One bank keeps both buffers in one memory; of two banks, each has a memory per buffer.

    Latency: 4 cycles from ``slot`` to the memory. Throughput: one update per cycle, and one drain read per cycle in
    which no update needs the read port.

    Members
    -------
    next_slot : what ``slot`` is in the next cycle (``valid`` too); never the row that ``slot`` has now
    slot : the update (stage 1)
    operand : ``lanes`` signed tile results of that update (stage 3)
    look, dirty : row the drain will want next; whether it holds a partial sum, otherwise it is zero (stage 0)
    drain, grant : row the drain wants to read; it is read (stage 1). Its buffer must have no updates
    o : ``lanes`` signed partial sums granted two cycles ago (stage 3)
    clear : the drain has handed out this row; done a cycle later, its buffer has no updates before
    sweep : clears the dirty maps after reset
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        self.rows = c.tile_m // c.banks
        # One bank fills a block RAM's 512 words at the paper's size. Two banks leave half of them empty, and their
        # updates can need every read slot for longer than a drain of a row per cycle can live on first updates.
        self.split = c.banks == 2
        super().__init__(
            {
                "next_slot": In(bank_slot(c)),
                "slot": In(bank_slot(c)),
                "operand": In(c.lanes * c.result_bits),
                "look": In(bank_row(c)),
                "dirty": Out(1),
                "drain": In(bank_read(c)),
                "grant": Out(1),
                "o": Out(c.lanes * c.psum_bits),
                "clear": In(bank_slot(c)),
                "sweep": In(sweep_layout(self.rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        first, update = self._dirty(m)
        slot, fresh = [self.slot], Signal(reset_less=True)  # slots by stage
        m.d.sync += fresh.eq(first)
        for stage in range(2, 4):
            slot.append(Signal(bank_slot(c), name=f"slot{stage}"))
            m.d.sync += slot[-1].eq(slot[-2])

        data, old = Signal(c.lanes * c.psum_bits), Signal(c.lanes * c.psum_bits, reset_less=True)
        operand = Signal.like(self.operand, reset_less=True)
        total = Signal.like(data)
        m.d.sync += [operand.eq(self.operand), old.eq(data)]
        for lanes, none in fan_out(m, fresh, c.lanes, name="fresh"):
            with m.If(none):
                m.d.sync += old[lanes.start * c.psum_bits : lanes.stop * c.psum_bits].eq(0)
        for lane in range(c.lanes):
            here = slice(lane * c.psum_bits, (lane + 1) * c.psum_bits)
            term = operand.word_select(lane, c.result_bits).as_signed()
            m.d.comb += total[here].eq(old[here].as_signed() + term)

        if self.split:
            self._split_memories(m, slot, data, total)
        else:
            self._shared_memory(m, slot, update, data, total)
        return m

    def _memory(
        self, m: Module, name: str, depth: int, address: Value, put: Value, put_address: Value, value: Value
    ) -> Value:
        """``address`` and ``put`` are of the cycle before."""
        reads = replicate(m, address, len(block_parts(len(value))), name=f"{name}_address")
        return wide_memory(m, name, depth=depth, reads=reads, put=put, put_address=put_address, value=value)

    def _shared_memory(self, m: Module, slot: list, update: Value, data: Value, total: Value) -> None:
        """Both buffers in one memory: an ``update`` that must read goes before the drain."""
        address = Mux(update, Cat(self.slot.row, self.slot.buffer), Cat(self.drain.row, self.drain.buffer))
        put = Cat(slot[2].row, slot[2].buffer)
        word = self._memory(m, "memory", 2 * self.rows, address, slot[2].valid, put, total)
        m.d.comb += [
            self.grant.eq(self.drain.valid & ~(update & self.drain.dirty)),
            data.eq(word),
            self.o.eq(word),
        ]

    def _split_memories(self, m: Module, slot: list, data: Value, total: Value) -> None:
        """A memory per buffer: a buffer is either updated or drained, so nobody waits."""
        buffers = []
        for h in range(2):
            draining = self.drain.valid & (self.drain.buffer == h)
            address = Mux(draining, self.drain.row, self.slot.row)
            put = slot[2].valid & (slot[2].buffer == h)
            buffers.append(self._memory(m, f"memory{h}_", self.rows, address, put, slot[2].row, total))
        m.d.comb += [
            self.grant.eq(self.drain.valid),
            data.eq(Mux(slot[2].buffer, buffers[1], buffers[0])),
            self.o.eq(Mux(self.drain.buffer, buffers[1], buffers[0])),
        ]

    def _dirty(self, m: Module) -> tuple[Signal, Signal]:
        """Dirty maps of both buffers, each either updated or drained.

        Returns whether ``slot`` is a first update, and whether it is one that must read.
        """
        first, update, cleared = Signal(reset_less=True), Signal(), Signal(bank_slot(self.config))
        m.d.sync += cleared.eq(self.clear)
        dirty_maps = []
        for h in range(2):
            m.submodules[f"dirty{h}"] = dirty = DirtyMap(self.rows)
            puts = self.slot.valid & (self.slot.buffer == h)
            clear = cleared.valid & (cleared.buffer == h)
            m.d.comb += [
                dirty.read[0].eq(self.next_slot.row),
                dirty.read[1].eq(self.look.row),
                dirty.write.row.eq(Mux(clear, cleared.row, self.slot.row)),
                dirty.write.value.eq(~clear),
                dirty.write.en.eq(clear | puts),
                dirty.sweep.eq(self.sweep),
            ]
            dirty_maps.append(dirty.o)
        following = self.next_slot
        m.d.sync += first.eq(~Mux(following.buffer, dirty_maps[1][0], dirty_maps[0][0]))
        # Each by itself: the maps come late, and what is known before them is put before them.
        which = [precompute(m, following.valid & buffer) for buffer in (~following.buffer, following.buffer)]
        m.d.sync += update.eq((which[0] & dirty_maps[0][0]) | (which[1] & dirty_maps[1][0]))
        m.d.comb += self.dirty.eq(Mux(self.look.buffer, dirty_maps[1][1], dirty_maps[0][1]))
        return first, update
