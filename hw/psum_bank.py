"""One bank of partial sums: the second rank of adders."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .config import HardwareConfig, clog2
from .psum_touched import TouchMap, sweep_layout


def bank_slot(c: HardwareConfig) -> data.StructLayout:
    """A row of a bank."""
    return data.StructLayout({"valid": 1, "half": 1, "row": clog2(c.tile_m // c.banks)})


class PsumBank(wiring.Component):
    """``psum[half, row] = (touched[half, row] ? psum[half, row] : 0) + operand`` for a half; reads of the other half.

    Stage 1: the touch map is looked up; a first touch needs no read and leaves the read port to the drain. Stage 2: the
    memory is addressed. Stage 3: its output (or zero) is registered, as is the operand. Stage 4: add and write. So a row
    may be updated again three cycles later; the issue stage sees to that.

    Latency: 4 cycles from ``slot`` to the memory. Throughput: one update per cycle, and one drain read per cycle in
    which no update needs the read port.

    Members
    -------
    slot : the update (stage 1)
    operand : ``lanes`` signed tile results of that update (stage 3)
    drain : row the drain wants to read (stage 1); its half must have no updates
    grant, touched : it is read; it holds a partial sum, otherwise it is zero (stage 1)
    o : ``lanes`` signed partial sums granted two cycles ago (stage 3)
    clear : the drain has handed out this row
    sweep : clears the touch maps after reset
    """

    def __init__(self, config: HardwareConfig):
        c = self.config = config
        self.rows = c.tile_m // c.banks
        super().__init__(
            {
                "slot": In(bank_slot(c)),
                "operand": In(c.lanes * c.result_bits),
                "drain": In(bank_slot(c)),
                "grant": Out(1),
                "touched": Out(1),
                "o": Out(c.lanes * c.psum_bits),
                "clear": In(bank_slot(c)),
                "sweep": In(sweep_layout(self.rows)),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=c.lanes * c.psum_bits, depth=2 * self.rows, init=[], attrs={"ram_style": "block"}
        )
        read, write = memory.read_port(), memory.write_port()
        first = self._touch(m)

        update = Signal()
        address = Signal.like(read.addr, reset_less=True)
        m.d.comb += [
            update.eq(self.slot.valid & ~first),
            self.grant.eq(self.drain.valid & ~(update & self.touched)),
            read.addr.eq(address),
            self.o.eq(read.data),
        ]
        m.d.sync += address.eq(Mux(update, Cat(self.slot.row, self.slot.half), Cat(self.drain.row, self.drain.half)))

        slot, fresh = self.slot, first
        for stage in range(2, 5):
            now = Signal(bank_slot(c), name=f"slot{stage}")
            m.d.sync += now.eq(slot)
            slot = now
            if stage < 4:
                zero = Signal(name=f"fresh{stage}", reset_less=True)
                m.d.sync += zero.eq(fresh)
                fresh = zero
        operand = Signal.like(self.operand, reset_less=True)
        old = Signal(c.lanes * c.psum_bits, reset_less=True)
        m.d.sync += [operand.eq(self.operand), old.eq(read.data)]
        with m.If(fresh):
            m.d.sync += old.eq(0)

        m.d.comb += [write.addr.eq(Cat(slot.row, slot.half)), write.en.eq(slot.valid)]
        for lane in range(c.lanes):
            here = slice(lane * c.psum_bits, (lane + 1) * c.psum_bits)
            term = operand.word_select(lane, c.result_bits).as_signed()
            m.d.comb += write.data[here].eq(old[here].as_signed() + term)
        return m

    def _touch(self, m: Module):
        """Touch maps of the two halves; a half is either updated or drained, so one port each serves both."""
        first = Signal()
        touched = []
        for h in range(2):
            m.submodules[f"touched{h}"] = touch = TouchMap(self.rows)
            draining = Signal(name=f"draining{h}")
            update = self.slot.valid & (self.slot.half == h)
            clear = self.clear.valid & (self.clear.half == h)
            m.d.comb += [
                draining.eq(self.drain.valid & (self.drain.half == h)),
                touch.read.eq(Mux(draining, self.drain.row, self.slot.row)),
                touch.write.row.eq(Mux(clear, self.clear.row, self.slot.row)),
                touch.write.value.eq(~clear),
                touch.write.en.eq(clear | update),
                touch.sweep.eq(self.sweep),
            ]
            touched.append(touch.o)
        m.d.comb += [
            first.eq(~Mux(self.slot.half, touched[1], touched[0])),
            self.touched.eq(Mux(self.drain.half, touched[1], touched[0])),
        ]
        return first
