"""The line packer joins chunks of planes to the lines of a feature map, as bus words with their addresses."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import ConfigError, HardwareConfig, clog2
from ..lib.fifo import SmallFifo
from .layouts import line_config, packer_stage, plane_chunk, write_command
from .line_cursor import LineCursor

QUEUE = 2
"""The chunks that wait in front of the packer."""


def check_chunk(c: HardwareConfig) -> None:
    """Raise a ConfigError if a chunk would be larger than a bus word."""
    if c.neuron_lanes > c.bus_bits:
        raise ConfigError(
            f"neuron_lanes must be at most bus_bits={c.bus_bits}, not {c.neuron_lanes}:"
            " a chunk of a line completes one bus word at most"
        )


class LinePacker(wiring.Component):
    """Appends the chunks of each line to a string of bits, and gives out the bus words of that string.

    Line q of image row y lies at ``address = image * image_stride + (y * Q + q) * line_bytes + word * bus_bytes``,
    where q counts the planes of all timesteps and Q is their number. A line has ``out_width`` positions and is filled
    with zeros to a whole word. Positions come in row-major order, for one image after the other. All lines of a row are
    filled side by side, so a memory keeps the unfinished word of each q. Words are always whole, so every strobe bit is
    set.

    Chunks come through a queue. So neither does memory hold pool and neurons back within the cycle, nor does a chunk
    pass the encoder or the readout and the first half of the shift in one.

    Latency: 3 cycles from the chunk that completes a word to that word. Throughput: one chunk per cycle, and a cycle
    more where the last chunk of a line both completes a word and begins another.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of plane_chunk)
        The chunks, by position, timestep, group and plane.
    i_config : In(line_config)
        The geometry of the lines, which is constant during a run.
    i_start : In(1)
        A run begins; nothing of an earlier one may be inside.
    o : Out(stream of write_command)
        The bus words and their addresses.

    Raises
    ------
    ConfigError
        A chunk would be larger than a bus word.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        check_chunk(c)
        super().__init__(
            {
                "i": In(stream.Signature(plane_chunk(c))),
                "i_config": In(line_config(c)),
                "i_start": In(1),
                "o": Out(stream.Signature(write_command(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.cursor = cursor = LineCursor(c)
        m.submodules.words = words = memory.Memory(shape=c.bus_bits, depth=1 << len(cursor.o.q), init=[])
        read, write = words.read_port(), words.write_port()
        m.submodules.queue = queue = SmallFifo(shape=plane_chunk(c), depth=QUEUE)
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        chunk = queue.o
        valid = Signal()
        held = Signal(packer_stage(c), reset_less=True)
        accept, leave = Signal(), Signal()
        twice = Signal()  # the chunk ends its line in a word of its own, which follows the word at hand
        m.d.comb += [
            chunk.ready.eq(~valid | leave),
            accept.eq(chunk.valid & chunk.ready),
            cursor.i.eq(chunk.payload),
            cursor.i_step.eq(accept),
            cursor.i_config.eq(self.i_config),
            cursor.i_start.eq(self.i_start),
            read.en.eq(accept),
            read.addr.eq(cursor.o.q),
            write.addr.eq(held.position.q),
        ]
        with m.If(chunk.ready):
            m.d.sync += valid.eq(chunk.valid)
        self._join(m, valid, leave, accept, held, twice, read, write)
        with m.If(accept):
            self._align(m, held, chunk.payload, cursor.o, twice)
        return m

    def _align(self, m: Module, held: data.View, chunk: data.View, position: data.View, twice: Signal) -> None:
        """Build the first half of the shift, which moves the chunk inside a slot of ``neuron_lanes`` bits.

        What the chunk does to its word is found here, so that only registers decide when it leaves.
        """
        c = self.config
        inside = clog2(c.neuron_lanes) if c.neuron_lanes > 1 else 0
        end = position.fill + chunk.width
        m.d.sync += [
            held.bits.eq(chunk.bits << position.fill[:inside]),
            held.slot.eq(1 << position.fill[inside:]),
            held.complete.eq(end >= c.bus_bits),
            held.gives.eq((end >= c.bus_bits) | position.end),
            twice.eq((end > c.bus_bits) & position.end),
            held.position.eq(position),
        ]

    def _join(
        self,
        m: Module,
        valid: Value,
        leave: Value,
        accept: Value,
        held: data.View,
        twice: Signal,
        read: memory.ReadPort,
        write: memory.WritePort,
    ) -> None:
        """Build the second half of the shift, which puts the chunk into its slots of the word.

        The word is joined with the bits that its line has so far, and is given out when it is full or the line ends.
        """
        c, position, o = self.config, held.position, self.o.payload
        n = c.neuron_lanes
        recent, forward = Signal(c.bus_bits, reset_less=True), Signal(reset_less=True)
        before = Mux(position.fresh, 0, Mux(forward, recent, read.data))
        low, high = held.bits[:n], held.bits[n:]
        slots = [
            (low & slot.replicate(n)) | (high & under.replicate(n))
            for slot, under in zip(held.slot, Cat(0, held.slot), strict=False)
        ]
        word = Signal(c.bus_bits)
        rest = Signal(n)
        second = Signal()  # the line's last bits follow in a word of their own
        free = Signal()
        m.d.comb += [
            word.eq(before | Cat(slots)),
            rest.eq(high & held.slot[-1].replicate(n)),
            free.eq(~self.o.valid | self.o.ready),
            leave.eq(valid & (~held.gives | free) & ~twice),
            write.en.eq(leave),
            write.data.eq(Mux(held.complete, rest, word)),
        ]
        with m.If(accept):
            m.d.sync += [recent.eq(write.data), forward.eq(valid & (read.addr == write.addr))]
        with m.If(free):
            m.d.sync += self.o.valid.eq(valid & held.gives)
            with m.If(valid):
                m.d.sync += [
                    second.eq(twice),
                    twice.eq(0),
                    o.address.eq(position.address + Mux(second, c.bus_bits // 8, 0)),
                    o.data.eq(Mux(second, rest, word)),
                    o.strobe.eq(-1),
                    o.last.eq(position.last & ~twice),
                ]
