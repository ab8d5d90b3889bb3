"""The drain, which hands out the partial sums of a finished m tile, row by row, in read slots that no update needs."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import bank_of, interleave
from ..interface.streams import layer_config, psum_row
from ..lib.fanout import fan_out
from .bank import bank_read, bank_row, bank_slot
from .cursor import DrainCursor, drain_position

STARVED = 32
"""The drain waits ``STARVED / groups`` cycles with a row for a read slot, and then takes one from the updates.

It can afford to wait, because first updates of later tiles may still leave it a slot, and a slot that it takes costs
the same now and when nothing else is left to do. Only for a slow consumer, which needs many cycles for a row of many
groups, it must begin in time.
"""


class PsumDrain(wiring.Component):
    """Hands out the rows 0..rows-1 of a full buffer in the order of hw/interface/row_order.py.

    A clean row is zero, and needs no read. A read can't be held back once it is in the memory, so reads are
    speculative: if the data of a row find the output register occupied, they are dropped, and the row is asked for
    again in every cycle until the register is free. Only a row that has entered the register is cleared in the dirty
    map.

    If updates and the drain share a read port, first updates leave as many slots as the drain needs. But it can't use
    all of them in time, because the consumer may be slow. So after it has starved for long (:data:`STARVED`), it takes
    a slot from a reuse row.

    Latency: 4 cycles from ``full`` to the first row. Throughput: one row per cycle while the consumer is ready and
    the read port is free; a consumer that takes a row every third cycle or more slowly never waits.

    Members
    -------
    i_layer : the layer, constant while rows are inside
    full, rows : for each buffer: its m tile is complete; its number of rows, which is known a cycle before ``full``, or
        when the other buffer is done
    done : for each buffer: the last row is on its way into the output register
    look, dirty : for each bank: the row that is asked for next, and whether it holds a partial sum (stage 0)
    ask, grant : for each bank: the row that is to be read, and that it is read now (stage 1)
    hold : for each bank: no reuse row may take the next update slot
    data : for each bank: the ``lanes`` partial sums that were granted two cycles ago, of ``psum_bits`` each
    clear : for each bank: the row that was handed out
    o : stream of :func:`reprise.hw.interface.streams.psum_row`
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "i_layer": In(layer_config(c)),
                "full": In(2),
                "rows": In(data.ArrayLayout(c.count_bits, 2)),
                "done": Out(2),
                "look": Out(data.ArrayLayout(bank_row(c), c.banks)),
                "dirty": In(c.banks),
                "ask": Out(data.ArrayLayout(bank_read(c), c.banks)),
                "grant": In(c.banks),
                "hold": Out(c.banks),
                "data": In(data.ArrayLayout(c.lanes * c.psum_bits, c.banks)),
                "clear": Out(data.ArrayLayout(bank_slot(c), c.banks)),
                "o": Out(stream.Signature(psum_row(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        item = data.StructLayout({"dirty": 1, "last": 1, "last_position": 1, "position": drain_position(c)})
        running, buffer, again, catch_up = Signal(), Signal(), Signal(), Signal()
        m.submodules.cursor = cursor = DrainCursor(c)  # it stands on the row after the one that is asked for
        # These are the cursor's row, the row that is asked for (stage 1), and those inside the memory (stages 2, 3).
        ahead = Signal(item)
        asked, second, third = (Signal(item, name=n, reset_less=True) for n in ("asked", "second", "third"))
        asking, second_valid, third_valid = Signal(), Signal(), Signal()

        bank, third_bank = self._one_hot(asked.position.row), bank_of(c, third.position.row)
        granted, free, capture, reject, ending = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            granted.eq((self.grant & bank).any()),
            free.eq(~self.o.valid | self.o.ready),
            capture.eq(third_valid & free),
            reject.eq(third_valid & ~free),
            ending.eq(capture & third.last),
        ]
        m.d.sync += [second.eq(asked), third.eq(second)]  # a row walks beside its read
        m.d.sync += [second_valid.eq(granted), third_valid.eq(second_valid)]
        self._look(m, cursor, buffer, ahead)
        self._starve(m, asking & ~granted & free, bank)
        self._capture(m, free, capture, third)

        # The cursor is a row ahead, so that what is known of the row that is asked for comes from registers.
        with m.If((granted & ~again) | (capture & again) | ~running):
            m.d.sync += asked.eq(ahead)
            m.d.comb += cursor.step.eq(running | self.full.bit_select(buffer, 1))
        with m.If(granted & ~again & asked.last):
            m.d.sync += asking.eq(0)
        # After a drop the same row is asked for until it is taken. What is in flight at the drop is of no use.
        with m.If(reject | (capture & again)):
            m.d.sync += [second_valid.eq(0), third_valid.eq(0), again.eq(reject)]
            m.d.sync += asking.eq(reject | ~third.last)
        with m.If(reject & again):  # the reads behind it are of the same row, and stay valid
            m.d.sync += [second_valid.eq(granted), third_valid.eq(second_valid)]
        m.d.sync += catch_up.eq(reject & ~again)
        with m.If(reject & ~again):
            m.d.comb += cursor.load.eq(1)
            m.d.sync += asked.eq(third)
        # After the drop the cursor stands on the row that is asked for, and has to go one ahead. It does so in time: no
        # row is taken before, because a read takes two cycles more.
        with m.If(catch_up):
            m.d.comb += cursor.step.eq(1)

        with m.If(~running):
            m.d.sync += [running.eq(self.full.bit_select(buffer, 1)), asking.eq(self.full.bit_select(buffer, 1))]
        with m.If(ending):
            m.d.sync += [running.eq(0), buffer.eq(~buffer)]
            m.d.comb += [self.done.bit_select(buffer, 1).eq(1), cursor.clear.eq(1)]
        m.d.comb += cursor.i.eq(third.position)
        self._order(m, cursor, buffer ^ ending)
        for b in range(c.banks):
            self._name(m, self.ask[b], asking & bank[b], buffer, asked.position.row)
            self._name(m, self.clear[b], capture & (third_bank == b), buffer, third.position.row)
            m.d.comb += self.ask[b].dirty.eq(asked.dirty)
        return m

    def _one_hot(self, row: Value) -> Value:
        """Return the bank of a row, one-hot: a bit for each bank."""
        bank = bank_of(self.config, row)
        return Cat(~bank, bank) if self.config.banks == 2 else Cat(1)

    def _look(self, m: Module, cursor: DrainCursor, buffer: Value, ahead: data.View) -> None:
        """Find what must be known about the cursor's row before it is asked for, and give it in ``ahead``."""
        for look in self.look:
            m.d.comb += [look.buffer.eq(buffer), look.row.eq(self._index(cursor.o.row))]
        m.d.comb += [
            ahead.dirty.eq((self.dirty & self._one_hot(cursor.o.row)).any()),
            ahead.last.eq(cursor.last),
            ahead.last_position.eq(cursor.last_position),
            ahead.position.eq(cursor.o),
        ]

    def _name(self, m: Module, port: data.View, valid: Value, buffer: Value, row: Value) -> None:
        """Give a row to a port of its bank."""
        m.d.comb += [port.valid.eq(valid), port.buffer.eq(buffer), port.row.eq(self._index(row))]

    def _order(self, m: Module, cursor: DrainCursor, buffer: Value) -> None:
        """Give the cursor what determines the order of the rows of the buffer that is drained in the next cycle."""
        layer, walk = self.i_layer, cursor.walk
        stride = Signal(range(self.config.tile_m + 1), reset_less=True)  # number of rows of a position, T * P
        jump, end, edge = (Signal.like(walk[name], name=name, reset_less=True) for name in ("jump", "end", "edge"))
        # T * P is added up from shifts, because ``*`` would take one of the multipliers that the neurons need.
        product = sum((layer.timesteps & p.replicate(len(layer.timesteps))) << n for n, p in enumerate(layer.planes))
        m.d.sync += [
            stride.eq(product),
            jump.eq(stride - layer.planes + 1),
            end.eq(Mux(buffer, self.rows[1] - 1, self.rows[0] - 1)),
            edge.eq(Mux(buffer, self.rows[1] - stride, self.rows[0] - stride)),
        ]
        m.d.comb += [
            cursor.i_layer.eq(layer),
            walk.jump.eq(jump),
            walk.end.eq(end),
            walk.edge.eq(edge),
            walk.most.eq(interleave(m, self.config, layer)),
        ]

    def _starve(self, m: Module, waiting: Value, bank: Value) -> None:
        """Count the cycles in which the output is idle for want of a read slot, and ask for one after too many."""
        count = Signal(range(STARVED + self.config.groups))
        m.d.sync += count.eq(Mux(waiting & (count < STARVED), count + self.i_layer.groups, 0))
        with m.If(count >= STARVED):
            m.d.comb += self.hold.eq(bank)

    def _index(self, row: Value) -> Value:
        """Return the address of a row inside its bank."""
        return row[1:] if self.config.banks == 2 else row

    def _capture(self, m: Module, free: Value, capture: Value, item: data.View) -> None:
        """Keep the row that comes from the memory in the output register until it is taken."""
        next_valid = capture | (self.o.valid & ~self.o.ready)
        c, o = self.config, Signal(psum_row(self.config), reset_less=True)
        value = self.data[0] if c.banks == 1 else Mux(bank_of(c, item.position.row), self.data[1], self.data[0])
        psum = o.psum.as_value()
        # The registers load on ``free`` and not on ``capture``, which comes later, because the signal drives thousands
        # of loads. If they load without a row, nothing is lost, as what they hold is not valid.
        with m.If(free):
            m.d.sync += o.dirty.eq(item.dirty)
            m.d.sync += [o.last.eq(item.last), o.last_position.eq(item.last_position)]
        # There are at most four copies, because synthesis would merge the eighth with ``o.valid`` (hw/lib/fanout.py),
        # which is on the path of the handshake.
        for lanes, valid in fan_out(m, next_valid, c.lanes, name="valid", most=4):
            here = slice(lanes.start * c.psum_bits, lanes.stop * c.psum_bits)
            with m.If(~valid | self.o.ready):
                m.d.sync += psum[here].eq(value[here])
        m.d.comb += self.o.payload.eq(o)
        m.d.sync += self.o.valid.eq(next_valid)
