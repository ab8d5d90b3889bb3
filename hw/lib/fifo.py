"""FIFOs with stream outputs. They are filled by pushes or by a stream, and lie in block RAM or in distributed RAM."""

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .fanout import fan_out


def _check_depth(depth: int) -> None:
    if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
        raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}: pointers wrap by themselves")


def _later(m: Module, level: Signal, put: ValueLike, got: ValueLike) -> Value:
    """Return ``level + put - got``, built so that ``got``, which comes late, passes a multiplexer and no adder."""
    more, less = Signal.like(level, name="more"), Signal.like(level, name="less")
    m.d.comb += [more.eq(level + put), less.eq(level + put - 1)]
    return Mux(got, less, more)


class PushFifo(wiring.Component):
    """A FIFO that takes up to ``pushes`` items per cycle, without a ready signal, and gives one per cycle.

    With two pushes the items alternate between two memories, so each memory is written at most once per cycle.
    The FIFO cannot refuse an item: the writer must watch ``level`` and stop in time.

    Latency: an item that is pushed in cycle t is offered in cycle t + 3 at the earliest. It passes the memory, the
    memory's output, and an output register, because block RAMs are slow at their outputs. Throughput: ``pushes`` items
    in and one item out per cycle.

    Parameters
    ----------
    shape : the shape of an item
    depth : the number of items in memory, a power of two of at least 2; two more items wait in registers
    pushes : the most items that are pushed in a cycle, 1 or 2

    Members
    -------
    push : In, ``pushes`` x {en, data}; of two items pushed in one cycle, that of lane 0 comes first
    level : Out, the number of items in memory, 0..depth
    o : Out stream of items

    Raises
    ------
    ValueError : ``depth`` is not a power of two of at least 2, or ``pushes`` is neither 1 nor 2.
    """

    def __init__(self, *, shape: ShapeLike, depth: int, pushes: int = 1) -> None:
        _check_depth(depth)
        if pushes not in (1, 2):
            raise ValueError(f"pushes must be 1 or 2, not {pushes!r}: each memory is written once per cycle")
        self._shape, self._depth, self._pushes = shape, depth, pushes
        lane = data.StructLayout({"en": 1, "data": shape})
        super().__init__(
            {
                "push": In(data.ArrayLayout(lane, pushes)),
                "level": Out(range(depth + 1)),
                "o": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memories = []
        for bank in range(self._pushes):
            memory = Memory(shape=self._shape, depth=self._depth // self._pushes, init=[])
            m.submodules[f"memory{bank}"] = memory
            memories.append(memory)
        pushed = self._write(m, memories)
        fetched = self._read(m, memories)
        m.d.sync += self.level.eq(_later(m, self.level, pushed, fetched))
        return m

    def _write(self, m: Module, memories: list[Memory]) -> Signal:
        address = Signal(range(self._depth))
        pushed = Signal(range(self._pushes + 1))
        if self._pushes == 1:
            port = memories[0].write_port()
            m.d.comb += [
                pushed.eq(self.push[0].en),
                port.en.eq(self.push[0].en),
                port.addr.eq(address),
                port.data.eq(self.push[0].data),
            ]
        else:
            both = self.push[0].en & self.push[1].en
            m.d.comb += pushed.eq(self.push[0].en + self.push[1].en)
            for bank, memory in enumerate(memories):
                port = memory.write_port()
                mine = address[0] == bank  # the first item of this cycle goes into this memory
                second = Mux(both, ~mine, ~self.push[0].en)
                m.d.comb += [
                    port.en.eq(both | ((self.push[0].en | self.push[1].en) & mine)),
                    port.addr.eq((address + (1 - bank)) >> 1),
                    port.data.eq(Mux(second, self.push[1].data, self.push[0].data)),
                ]
        m.d.sync += address.eq(address + pushed)
        return pushed

    def _read(self, m: Module, memories: list[Memory]) -> Signal:
        address = Signal(range(self._depth))
        waiting = Signal()  # an item stands at the output of a memory
        bank = Signal(range(max(2, self._pushes)))  # which memory that is
        move = ~self.o.valid | self.o.ready
        fetch = Signal()
        m.d.comb += fetch.eq((self.level != 0) & (~waiting | move))
        items = []
        for number, memory in enumerate(memories):
            port = memory.read_port()
            m.d.comb += [
                port.addr.eq(address >> (self._pushes - 1)),
                port.en.eq(fetch if self._pushes == 1 else fetch & (address[0] == number)),
            ]
            items.append(port.data)
        with m.If(fetch):
            m.d.sync += [address.eq(address + 1), bank.eq(address[0])]
        m.d.sync += waiting.eq(fetch | (waiting & ~move))
        with m.If(move):
            m.d.sync += self.o.valid.eq(waiting)
            m.d.sync += self.o.payload.eq(items[0] if self._pushes == 1 else Mux(bank, items[1], items[0]))
        return fetch


class StreamFifo(wiring.Component):
    """A FIFO in a memory with streams on both sides.

    With a latency of 2 the memory's output is the stream's output; with 3 a register follows it, for block RAMs, whose
    outputs are slow. ``i.ready`` and ``o`` depend on registers only.

    Latency: when the FIFO is empty, an item is offered ``latency`` cycles after it was taken. Throughput: one item per
    cycle.

    Parameters
    ----------
    shape : the shape of an item
    depth : the number of items in memory, a power of two of at least 2; ``latency - 1`` more items wait behind it
    latency : the latency in cycles, 2 or 3

    Members
    -------
    i : In stream of items
    o : Out stream of items
    level : Out, the number of items inside, 0..depth + latency - 1

    Raises
    ------
    ValueError : ``depth`` is not a power of two of at least 2, or ``latency`` is neither 2 nor 3.
    """

    def __init__(self, *, shape: ShapeLike, depth: int, latency: int = 2) -> None:
        _check_depth(depth)
        if latency not in (2, 3):
            raise ValueError(
                f"latency must be 2 or 3, not {latency!r}: memory and its output, and a register behind it"
            )
        self._shape, self._depth, self.latency = shape, depth, latency
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(depth + latency)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._shape, depth=self._depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        stored = Signal(range(self._depth + 1))  # the number of items in memory
        put, take = Signal(), Signal()
        # ``some``: an item stands at the memory's output; ``leaves``: such an item would leave in this cycle.
        some, leaves = self.o.valid, self.o.ready
        inside = stored + self.o.valid
        if self.latency == 3:
            some = Signal(name="some")
            leaves = ~self.o.valid | self.o.ready
            inside = inside + some
        m.d.comb += [
            self.i.ready.eq(~stored[-1]),  # the depth is a power of two
            put.eq(self.i.valid & self.i.ready),
            take.eq((stored != 0) & (~some | leaves)),
            write.data.eq(self.i.payload),
            write.en.eq(put),
            read.en.eq(take),
        ]
        if self.latency == 2:
            m.d.comb += self.o.payload.eq(read.data)
        else:
            with m.If(leaves):
                m.d.sync += [self.o.valid.eq(some), self.o.payload.eq(read.data)]
        m.d.comb += self.level.eq(inside)
        m.d.sync += stored.eq(stored + put - take)
        with m.If(put):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(take):
            m.d.sync += [read.addr.eq(read.addr + 1), some.eq(1)]
        with m.Elif(leaves):
            m.d.sync += some.eq(0)
        return m


class SmallFifo(wiring.Component):
    """A FIFO of a few items in distributed RAM, which is read without a clock.

    A wide item can be cut into parts that have pointers of their own (:mod:`reprise.hw.lib.fanout`). Because these
    copies differ in the first cycle after reset, no item may come in that cycle.

    Latency: ``latency`` cycles. Throughput: one item per cycle. ``i.ready`` does not depend on ``o.ready``.

    Parameters
    ----------
    shape : the shape of an item
    depth : the number of items, a power of two of at least 2; 16 fit the distributed RAM of common FPGAs
    latency : the latency in cycles, 0 or 1; with 0 an item that finds the memory empty is offered as it comes
    cut : the most parts that an item is cut into

    Members
    -------
    i : In stream of items
    o : Out stream of items

    Raises
    ------
    ValueError : ``depth`` is not a power of two of at least 2, or ``latency`` is neither 0 nor 1.
    """

    def __init__(self, *, shape: ShapeLike, depth: int, latency: int = 1, cut: int = 1) -> None:
        _check_depth(depth)
        if latency not in (0, 1):
            raise ValueError(f"latency must be 0 or 1, not {latency!r}")
        self._shape, self._depth, self._latency, self._cut = shape, depth, latency, cut
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        level, full = Signal(range(self._depth + 1)), Signal()
        pointer = range(self._depth)
        state = data.StructLayout({"some": 1, "writer": pointer, "reader": pointer})  # some: the level is not 0
        here, following = Signal(state), Signal(state)
        put = self.i.valid & self.i.ready
        got = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.valid.eq(here.some),
            following.some.eq(Mux(got, (level > 1) | (here.some & put), here.some | put)),
            following.writer.eq(here.writer + put),
            following.reader.eq(here.reader + got),
        ]
        if self._latency == 0:
            # The memory is written all the same: an item that passes moves both pointers past its word.
            with m.If(~here.some):
                m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.sync += [
            level.eq(_later(m, level, put, got)),
            full.eq(~got & (full | (put & (level == self._depth - 1)))),
            here.eq(following),
        ]
        bits = len(Value.cast(self.i.payload))
        cut = [(range(bits), here)]
        if self._cut > 1:
            cut = [
                (part, data.View(state, own)) for part, own in fan_out(m, following, bits, name="part", most=self._cut)
            ]
        for number, (part, own) in enumerate(cut):
            self._keep(m, f"memory{number}", slice(part.start, part.stop), put, own)
        return m

    def _keep(self, m: Module, name: str, bits: slice, put: Value, state: data.View) -> None:
        """Keep these bits of the items; with a latency of 0 an item that finds the memory empty passes beside it."""
        memory = Memory(shape=bits.stop - bits.start, depth=self._depth, init=[])
        m.submodules[name] = memory
        writer, reader = memory.write_port(), memory.read_port(domain="comb")
        comes, goes = Value.cast(self.i.payload)[bits], Value.cast(self.o.payload)[bits]
        m.d.comb += [
            writer.en.eq(put),
            writer.addr.eq(state.writer),
            writer.data.eq(comes),
            reader.addr.eq(state.reader),
            goes.eq(reader.data if self._latency else Mux(state.some, reader.data, comes)),
        ]
