"""One bank of partial sums, with the second rank of adders, which add tile results to them."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..lib.fanout import fan_out
from ..lib.logic import chosen, precompute
from ..lib.wide_memory import lane_parts, wide_memory
from .dirty import DirtyMap, dirty_words, sweep_layout


def bank_row(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a row's place in a bank: which of the buffers, and the address in it."""
    return data.StructLayout({"buffer": c.buffer_bits, "row": clog2(c.tile_m // c.banks)})


def bank_slot(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a row of a bank that need not be there: it means something only if ``valid`` is set."""
    return data.StructLayout({"valid": 1, **bank_row(c).members})


def bank_read(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a row of a bank that the drain asks for. It is read only if it is dirty."""
    return data.StructLayout({**bank_slot(c).members, "dirty": 1})


def window(c: HardwareConfig) -> int:
    """Return how many neighbouring rows of a bank the planes of an output position take at most."""
    return c.max_planes if c.banks == 1 else c.max_planes // 2 + 1


def sweep_words(c: HardwareConfig) -> int:
    """Return the number of words of the dirty maps."""
    return dirty_words(c.tile_m // c.banks, window(c))


class PsumBank(wiring.Component):
    """Updates partial sums of one buffer while the drain reads those of another.

    An update does ``psum[buffer, row] = (dirty[buffer, row] ? psum[buffer, row] : 0) + operand`` for all lanes. It
    goes through these stages:

    - Stage 0 looks the row up in the dirty map.
    - In stage 1 an update of a dirty row takes the read port. The first update of a row (it is clean) needs no read,
      and leaves the port to the drain.
    - In stage 2 the memory is addressed.
    - In stage 3 the memory's output (or zero) is registered, and so is the operand.
    - In stage 4 the two are added, and the sum is written.

    So a row may be updated again three cycles later, and no earlier; the issue stage sees to that. All buffers of the
    bank lie in one memory. Buffers 2 and 3 have the addresses of 0 and 1, in the upper half of the lanes.

    Latency: 4 cycles from ``slot`` to the memory. Throughput: one update per cycle, and one read by the drain in every
    cycle in which no update needs the read port.

    Members
    -------
    next_slot : what ``slot`` will be in the next cycle, ``valid`` included; never the row that ``slot`` has now
    slot : the row that is updated (stage 1)
    groups : for each buffer: the groups of channels of its RUN, which are read and written
    operand : the ``lanes`` signed tile results that are added to it, of ``result_bits`` each (stage 3)
    look, marks : the first of the rows that the drain will want, and for each of a window (:func:`window`) of rows
        from there on whether it holds a partial sum or counts as zero
    drain, grant : the row that the drain wants to read, and that it is read now (stage 1); no row of its buffer may be
        updated meanwhile
    o : the ``lanes`` signed partial sums that were granted two cycles ago, of ``psum_bits`` each (stage 3)
    clear : the row that the drain has handed out; it is clean after one more cycle, before its buffer is updated again
    sweep : clears the dirty maps after reset
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        self.rows = c.tile_m // c.banks
        super().__init__(
            {
                "next_slot": In(bank_slot(c)),
                "slot": In(bank_slot(c)),
                "groups": In(data.ArrayLayout(c.groups, c.buffers)),
                "operand": In(c.lanes * c.result_bits),
                "look": In(bank_row(c)),
                "marks": Out(window(c)),
                "drain": In(bank_read(c)),
                "grant": Out(1),
                "o": Out(c.lanes * c.psum_bits),
                "clear": In(bank_slot(c)),
                "sweep": In(sweep_layout(sweep_words(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        first, update = self._dirty(m)
        slot, fresh = [self.slot], Signal(reset_less=True)  # the slots of stage 1 and later
        m.d.sync += fresh.eq(first)
        for stage in range(2, 4):
            slot.append(Signal(bank_slot(c), name=f"slot{stage}"))
            m.d.sync += slot[-1].eq(slot[-2])

        data, old = Signal(c.lanes * c.psum_bits), Signal(c.lanes * c.psum_bits, reset_less=True)
        operand = Signal.like(self.operand, reset_less=True)
        total = Signal.like(data)
        updated = self._groups(slot[1].valid, slot[1].buffer)
        flags = Cat(updated, updated & fresh.replicate(c.groups))
        for lanes, mine in fan_out(m, flags, c.lanes, name="fresh"):
            for lane in lanes:
                group = lane % c.groups
                here = slice(lane * c.psum_bits, (lane + 1) * c.psum_bits)
                term = slice(lane * c.result_bits, (lane + 1) * c.result_bits)
                with m.If(mine[group]):
                    m.d.sync += [operand[term].eq(self.operand[term]), old[here].eq(data[here])]
                with m.If(mine[c.groups + group]):
                    m.d.sync += old[here].eq(0)
                m.d.comb += total[here].eq(old[here].as_signed() + operand[term].as_signed())

        self._memory(m, slot, update, data, total)
        return m

    def _groups(self, valid: Value, buffer: Value) -> Value:
        """Return the groups of channels of a buffer, or none if there is no access."""
        return chosen(buffer, list(self.groups)) & valid.replicate(self.config.groups)

    def _memory(self, m: Module, slot: list, update: Value, data: Value, total: Value) -> None:
        """Keep all buffers in one memory. An ``update`` that must read has the read port before the drain.

        Reads and writes are told to the memory a cycle before their word, and name groups of channels and an address.
        """
        c = self.config
        place, of_drain, written = (Cat(one.row, one.buffer[0]) for one in (self.slot, self.drain, slot[2]))
        wanted = update | (self.drain.valid & self.drain.dirty)
        read = self._groups(wanted, Mux(update, self.slot.buffer, self.drain.buffer)), Mux(update, place, of_drain)
        put = self._groups(slot[2].valid, slot[2].buffer), written
        cut = lane_parts(c.neuron_lanes, c.groups, c.psum_bits, halves=c.buffers // 2)
        word = wide_memory(m, "memory", cut=cut, depth=2 * self.rows, read=read, put=put, value=total)
        m.d.comb += [
            self.grant.eq(self.drain.valid & ~(update & self.drain.dirty)),
            data.eq(word),
            self.o.eq(word),
        ]

    def _dirty(self, m: Module) -> tuple[Signal, Signal]:
        """Build the dirty maps of all buffers, of which each is either updated or drained.

        Returns
        -------
        first, update : one bit each, in stage 1: ``slot`` is a first update, if it is valid; it is one that must read
        """
        first, update, cleared = Signal(reset_less=True), Signal(), Signal(bank_slot(self.config))
        m.d.sync += cleared.eq(self.clear)
        dirty_maps = []
        for h in range(self.config.buffers):
            m.submodules[f"dirty{h}"] = dirty = DirtyMap(self.rows, window(self.config))
            puts = self.slot.valid & (self.slot.buffer == h)
            clear = cleared.valid & (cleared.buffer == h)
            m.d.comb += [
                dirty.read.eq(self.next_slot.row),
                dirty.look.eq(self.look.row),
                dirty.write.row.eq(Mux(clear, cleared.row, self.slot.row)),
                dirty.write.value.eq(~clear),
                dirty.write.en.eq(clear | puts),
                dirty.sweep.eq(self.sweep),
            ]
            dirty_maps.append(dirty)
        following = self.next_slot
        m.d.sync += first.eq(~chosen(following.buffer, [one.o for one in dirty_maps]))
        # The maps' outputs come late in the cycle. So what is known before them is worked out first, for each map.
        which = [precompute(m, following.valid & (following.buffer == h)) for h in range(self.config.buffers)]
        m.d.sync += update.eq(Cat(one & dirty.o for one, dirty in zip(which, dirty_maps, strict=True)).any())
        m.d.comb += self.marks.eq(chosen(self.look.buffer, [dirty.marks for dirty in dirty_maps]))
        return first, update
