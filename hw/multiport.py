"""A memory with two write ports made of memories with one."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class XorMemory(wiring.Component):
    """Two random writes per cycle: ``word = half0[addr] ^ half1[addr]``.

    Writer k stores ``data ^ other half[addr]`` in its own half, so the exclusive or of both halves is what was
    written last, whoever wrote it. No table says which half is live (a live-value table in registers costs more
    logic than the rest of the sorter). LaForest et al., "Multi-ported memories for FPGAs via XOR", FPGA 2012.

    Both writers may write in the same cycle, but not to one address within two cycles: the second write
    would miss the first.

    Latency: a write presented in cycle t is seen by reads presented from cycle t + 2; read data come one cycle
    after the address and hold while ``en`` is low. Contents are zero at first.

    Parameters
    ----------
    width : bits of a word
    depth : words
    reads : read ports

    Members
    -------
    write : 2 x {en, addr, data}
    read : ``reads`` x {en, addr}
    word : ``reads`` words
    """

    def __init__(self, *, width: int, depth: int, reads: int):
        self._width, self._depth, self._reads = width, depth, reads
        write = data.StructLayout({"en": 1, "addr": range(depth), "data": width})
        read = data.StructLayout({"en": 1, "addr": range(depth)})
        super().__init__(
            {
                "write": In(data.ArrayLayout(write, 2)),
                "read": In(data.ArrayLayout(read, reads)),
                "word": Out(data.ArrayLayout(width, reads)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        halves = [Memory(shape=self._width, depth=self._depth, init=[]) for _ in range(2)]
        m.submodules.half0, m.submodules.half1 = halves
        for k, half in enumerate(halves):
            given = self.write[k]
            other = halves[1 - k].read_port()
            port = half.write_port()
            word = Signal(self._width, name=f"word{k}")
            m.d.comb += [other.en.eq(given.en), other.addr.eq(given.addr), port.data.eq(word ^ other.data)]
            m.d.sync += [port.en.eq(given.en), port.addr.eq(given.addr), word.eq(given.data)]
        for n in range(self._reads):
            ports = [half.read_port() for half in halves]
            for port in ports:
                m.d.comb += [port.en.eq(self.read[n].en), port.addr.eq(self.read[n].addr)]
            m.d.comb += self.word[n].eq(ports[0].data ^ ports[1].data)
        return m
