"""The drain, which hands out the partial sums of a finished m tile, row by row, in read slots that no update needs."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import bank_of, interleave
from ..interface.streams import layer_config, psum_row
from ..lib.fanout import fan_out
from ..lib.logic import chosen, encode, lowest, precompute
from .bank import bank_read, bank_row, bank_slot, window
from .cursor import DrainCursor, drain_place, drain_row
from .turns import drained_buffer

STARVED = {1: 32, 2: 1}
"""The drain waits so many cycles, divided by ``groups``, with a row for a read slot, and then takes one from an update.

With one bank it can afford to wait, because first updates of later tiles may still leave it a slot, and a slot that it
takes costs the same now and later. Only for a slow consumer, which needs many cycles for a row of many groups, it must
begin in time. Two banks seldom both have an update in a cycle, but rows leave in order: waiting for one stops both.
"""


MOMENTS = ("granted", "free", "capture", "reject", "dropped", "ending")
"""Signals that say what happens in a cycle.

The row that is asked for is read; the output register can be loaded; it is, or cannot be, with the row that comes from
the memory; rows behind that are of no use; the m tile ends."""


class PsumDrain(wiring.Component):
    """Hands out rows of a full buffer in the order of hw/interface/row_order.py.

    A row that is clean is zero. It is left out, unless it is that of the last plane, for which neurons step. It needs
    no read. A read can't be held back once it is in the memory, so reads are speculative: if the data of a row find the
    output register occupied, they are dropped, and the row is asked for again in every cycle until the register is
    free. Only a row that has entered the register is cleared in the dirty map.

    Updates and the drain share a read port, and first updates leave as many slots as the drain needs. But it can't use
    all of them in time, because the consumer may be slow. So after it has starved for long (:data:`STARVED`), it takes
    a slot from a reuse row.

    Latency: 5 cycles from ``full`` to the first row. Throughput: one row per cycle while the consumer is ready and
    the read port is free; a consumer that takes a row every third cycle or more slowly never waits.

    Members
    -------
    i_layer : the layer, constant from ``i_start`` until the last m tile of the run has been drained
    i_start, i_m_tiles : strobe: the next run's m tiles may be drained; their number, constant as the layer is. A
        full buffer waits for that; none waits while ``i_start`` is held
    full, rows : for each buffer: its m tile is complete; its number of rows, which is known a cycle before ``full``, or
        when the other buffer is done
    done : for each buffer: the last row is on its way into the output register
    look, marks : for each bank: the first of the rows that will be asked for, and which of those from there on hold a
        partial sum
    ask, grant : for each bank: the row that is to be read, and that it is read now (stage 1)
    hold : for each bank: no reuse row may take the next update slot
    data : for each bank: the ``lanes`` partial sums that were granted two cycles ago, of ``psum_bits`` each
    clear : for each bank: the row that was handed out
    o : stream of :func:`reprise.hw.interface.streams.psum_row`
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        # The planes that the layer has, and its last one, as one bit for each plane.
        self.inside, self.last_plane = (Signal(c.max_planes, name=name) for name in ("inside", "last_plane"))
        super().__init__(
            {
                "i_layer": In(layer_config(c)),
                "i_start": In(1),
                "i_m_tiles": In(16),
                "full": In(c.buffers),
                "rows": In(data.ArrayLayout(c.count_bits, c.buffers)),
                "done": Out(c.buffers),
                "look": Out(data.ArrayLayout(bank_row(c), c.banks)),
                "marks": In(data.ArrayLayout(window(c), c.banks)),
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
        running, begun, again = Signal(), Signal(), Signal()
        m.submodules.cursor = cursor = DrainCursor(c)  # it stands at the place behind ``place``
        # These are the place after that of the row that is asked for, the row that is asked for (stage 1), and those
        # inside the memory (stages 2, 3).
        place = Signal(drain_place(c), reset_less=True)
        asked, second, third = (Signal(drain_row(c), name=n, reset_less=True) for n in ("asked", "second", "third"))
        asking, second_valid, third_valid = Signal(), Signal(), Signal()

        bank = self._one_hot(asked.row)
        granted, free, capture, reject, dropped, ending = (Signal(name=name) for name in MOMENTS)
        buffer, next_buffer = drained_buffer(m, c, self.i_layer.groups, ending)
        m.d.comb += [
            granted.eq((self.grant & bank).any()),
            free.eq(~self.o.valid | self.o.ready),
            capture.eq(third_valid & free),
            reject.eq(third_valid & ~free),
            dropped.eq(reject & ~again),
            ending.eq(capture & third.last),
        ]
        m.d.sync += [second.eq(asked), third.eq(second)]  # a row walks beside its read
        m.d.sync += [second_valid.eq(granted), third_valid.eq(second_valid)]
        full = self.full.bit_select(buffer, 1) & self._of_run(m, ending)  # if the next buffer belongs to the run
        self._starve(m, asking & ~granted & free, bank)
        self._capture(m, free, capture, third, buffer)

        # What is known of the row that is asked for comes from registers, so places are looked up ahead.
        advance, same = Signal(), Signal()  # to the next row, which is of the same place
        m.d.comb += [
            advance.eq((granted & ~again) | (capture & again) | begun),
            same.eq(~asked.last_plane & ~begun),
        ]
        following = precompute(m, self._following(m, asked, place, same).as_value())
        with m.If(advance):
            m.d.sync += asked.as_value().eq(following)
        self._walk(m, cursor, place, self._look(m, cursor, buffer), (advance & ~same) | (~running & full), dropped)
        with m.If(granted & ~again & asked.last):
            m.d.sync += asking.eq(0)
        # After a drop the same row is asked for until it is taken. What is in flight at the drop is of no use.
        with m.If(reject | (capture & again)):
            m.d.sync += [second_valid.eq(0), third_valid.eq(0), again.eq(reject)]
            m.d.sync += asking.eq(reject | ~third.last)
        with m.If(reject & again):  # the reads behind it are of the same row, and stay valid
            m.d.sync += [second_valid.eq(granted), third_valid.eq(second_valid)]
        with m.If(dropped):
            m.d.sync += asked.eq(third)

        with m.If(begun):
            m.d.sync += asking.eq(1)
        self._turn(m, running, begun, full, ending)
        with m.If(ending):
            m.d.comb += [self.done.bit_select(buffer, 1).eq(1), cursor.clear.eq(1)]
        m.d.comb += cursor.i.eq(third.place.position)
        self._order(m, cursor, next_buffer)
        clears = capture.replicate(c.banks) & self._one_hot(third.row)
        self._ports(m, buffer, (asked, asking.replicate(c.banks) & bank), (third, clears))
        return m

    def _turn(self, m: Module, running: Signal, begun: Signal, full: Value, ending: Value) -> None:
        """Begin with a buffer that is full, and end with its last row; ``begun`` is set in the first cycle."""
        m.d.sync += begun.eq(full & ~running)
        with m.If(~running):
            m.d.sync += running.eq(full)
        with m.If(ending):
            m.d.sync += running.eq(0)

    def _ports(self, m: Module, buffer: Value, asks: tuple[data.View, Value], clears: tuple[data.View, Value]) -> None:
        """Ask the banks for a row, and let them clear one; each comes with the one-hot bank, if there is a row."""
        for b in range(self.config.banks):
            self._name(m, self.ask[b], asks[1][b], buffer, asks[0].row)
            self._name(m, self.clear[b], clears[1][b], buffer, clears[0].row)
            m.d.comb += self.ask[b].dirty.eq(asks[0].dirty)

    def _walk(
        self, m: Module, cursor: DrainCursor, place: data.View, looked: data.View, on: Value, dropped: Value
    ) -> None:
        """Keep ``place`` and the cursor ahead of the row that is asked for: by one place and by two.

        After a drop the cursor stands at the place of the row that is asked for, and goes one ahead, and one more when
        its place is looked up. It does so in time: no row is taken before, because a read takes two cycles more.
        """
        catch_up = Signal(2)
        m.d.sync += catch_up.eq(Cat(dropped, catch_up[0]))
        m.d.comb += cursor.load.eq(dropped)
        with m.If(on | catch_up[1]):
            m.d.sync += place.eq(looked)
            m.d.comb += cursor.step.eq(1)
        with m.If(catch_up[0]):
            m.d.comb += cursor.step.eq(1)

    def _following(self, m: Module, asked: data.View, place: data.View, same: Value) -> data.View:
        """Return the next row: the lowest of those that are left of its place (``same``), or the first of the next."""
        c = self.config
        marks, here, row = Signal(c.max_planes), Signal(drain_place(c)), Signal(drain_row(c), name="following")
        m.d.comb += [marks.eq(Mux(same, asked.left, place.marks)), here.eq(Mux(same, asked.place, place))]
        (one,) = lowest(m, marks, 1)
        plane = encode(one)
        m.d.comb += [
            row.place.eq(here),
            row.left.eq(marks & ~one),
            row.plane.eq(plane),
            row.row.eq(here.position.row + plane),
            row.first.eq(~same),
            row.last_plane.eq(row.left == 0),
            row.last.eq((row.left == 0) & here.last),
            row.dirty.eq((row.left != 0) | here.dirty),
        ]
        return row

    def _of_run(self, m: Module, ending: Value) -> Signal:
        """Count the m tiles of the run that are left, and return whether there are some.

        After the start of a run that is said in the cycle in which what follows from its layer is there
        (:meth:`_order`).
        """
        left, begun, some = Signal(16), Signal(), Signal()
        m.d.sync += begun.eq(self.i_start)
        with m.If(begun):
            m.d.sync += [left.eq(self.i_m_tiles), some.eq(1)]
        with m.Elif(ending):
            m.d.sync += [left.eq(left - 1), some.eq(left != 1)]
        return some

    def _one_hot(self, row: Value) -> Value:
        """Return the bank of a row, one-hot: a bit for each bank."""
        bank = bank_of(self.config, row)
        return Cat(~bank, bank) if self.config.banks == 2 else Cat(1)

    def _look(self, m: Module, cursor: DrainCursor, buffer: Value) -> data.View:
        """Return the cursor's place, with the rows of it that must be handed out: the dirty ones and the last plane."""
        c, row = self.config, cursor.o.row
        for look in self.look:
            m.d.comb += [look.buffer.eq(buffer), look.row.eq(self._index(row))]
        dirty, place = Signal(c.max_planes), Signal(drain_place(c), name="looked")
        if c.banks == 1:
            m.d.comb += dirty.eq(self.marks[0])
        else:  # two rows have the same address, one in each bank
            rows: list[Value] = []
            for n in range(window(c)):
                address = (self._index(row) + n)[: c.row_bits - 1]
                pair = [self.marks[0][n], self.marks[1][n]]
                odd = bank_of(c, Cat(0, address))  # the bank of the even row
                rows += [Mux(odd, pair[1], pair[0]), Mux(odd, pair[0], pair[1])]
            m.d.comb += dirty.eq(Cat(rows) >> row[0])
        m.d.comb += [
            place.marks.eq((dirty & self.inside) | self.last_plane),
            place.dirty.eq((dirty & self.last_plane).any()),
            place.last.eq(cursor.last),
            place.last_position.eq(cursor.last_position),
            place.position.eq(cursor.o),
        ]
        return place

    def _name(self, m: Module, port: data.View, valid: Value, buffer: Value, row: Value) -> None:
        """Give a row to a port of its bank."""
        m.d.comb += [port.valid.eq(valid), port.buffer.eq(buffer), port.row.eq(self._index(row))]

    def _order(self, m: Module, cursor: DrainCursor, buffer: Value) -> None:
        """Give the cursor what determines the order of the rows of the buffer that is drained in the next cycle."""
        layer, walk = self.i_layer, cursor.walk
        stride = Signal(range(self.config.tile_m + 1), reset_less=True)  # number of rows of a position, T * P
        end, edge = (Signal.like(walk[name], name=name, reset_less=True) for name in ("end", "edge"))
        # T * P is added up from shifts, because ``*`` would take one of the multipliers that the neurons need.
        product = sum((layer.timesteps & p.replicate(len(layer.timesteps))) << n for n, p in enumerate(layer.planes))
        m.d.sync += [
            stride.eq(product),
            self.inside.eq(Cat(layer.planes > p for p in range(self.config.max_planes))),
            self.last_plane.eq(Cat(layer.planes == p + 1 for p in range(self.config.max_planes))),
            end.eq(chosen(buffer, [rows - layer.planes for rows in self.rows])),
            edge.eq(chosen(buffer, [rows - stride for rows in self.rows])),
        ]
        m.d.comb += [
            cursor.i_layer.eq(layer),
            walk.stride.eq(stride),
            walk.end.eq(end),
            walk.edge.eq(edge),
            walk.most.eq(interleave(m, self.config, layer)),
        ]

    def _starve(self, m: Module, waiting: Value, bank: Value) -> None:
        """Count the cycles in which the output is idle for want of a read slot, and ask for one after too many."""
        most = STARVED[self.config.banks]
        count = Signal(range(most + self.config.groups))
        m.d.sync += count.eq(Mux(waiting & (count < most), count + self.i_layer.groups, 0))
        with m.If(count >= most):
            m.d.comb += self.hold.eq(bank)

    def _index(self, row: Value) -> Value:
        """Return the address of a row inside its bank."""
        return row[1:] if self.config.banks == 2 else row

    def _capture(self, m: Module, free: Value, capture: Value, item: data.View, buffer: Value) -> None:
        """Keep the row that comes from the memory in the output register until it is taken."""
        next_valid = capture | (self.o.valid & ~self.o.ready)
        c, o = self.config, Signal(psum_row(self.config), reset_less=True)
        value = self.data[0] if c.banks == 1 else Mux(bank_of(c, item.row), self.data[1], self.data[0])
        psum = o.psum.as_value()
        # The registers load on ``free`` and not on ``capture``, which comes later, because the signal drives thousands
        # of loads. If they load without a row, nothing is lost, as what they hold is not valid.
        with m.If(free):
            m.d.sync += [o[name].eq(item[name]) for name in ("dirty", "last", "plane", "first", "last_plane")]
            m.d.sync += o.last_position.eq(item.place.last_position)
            if c.narrow_buffers:
                m.d.sync += o.upper.eq(buffer[1])
        # There are at most four copies, because synthesis would merge the eighth with ``o.valid`` (hw/lib/fanout.py),
        # which is on the path of the handshake.
        for lanes, valid in fan_out(m, next_valid, c.lanes, name="valid", most=4):
            here = slice(lanes.start * c.psum_bits, lanes.stop * c.psum_bits)
            with m.If(~valid | self.o.ready):
                m.d.sync += psum[here].eq(value[here])
        m.d.comb += self.o.payload.eq(o)
        m.d.sync += self.o.valid.eq(next_valid)
