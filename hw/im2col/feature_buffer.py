"""The feature buffer keeps lines of feature maps on chip; many rows at once read it at any word."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..interface.streams import epoch_bits, feature_write


class FeatureBuffer(wiring.Component):
    """Keeps ``feature_words`` words in ``load_rows`` copies, so that every row of a beat has a reader of its own.

    Reader r gets the ``2 * feature_bits`` bits that begin with word ``address[r]``. Each copy consists of a bank of
    even words and a bank of odd words. Therefore it gives any word together with its successor, counted modulo
    ``feature_words``. With its bits a word keeps the epoch of the job in which it was written.

    Latency: ``window`` belongs to ``address`` of the cycle before. Throughput: in each cycle every reader gets one
    window and one pair of words is written. What is read from a word in the cycle in which it is written is undefined.

    Parameters
    ----------
    config : the hardware configuration

    Members
    -------
    i_write : In stream of feature_write (always ready)
    epoch : In, of the job in progress
    clear, clear_pair : In, set the epoch of this pair of words to 0; nothing is written meanwhile
    address : In x load_rows, the words at which the windows begin
    window : Out x load_rows, ``2 * feature_bits`` bits each
    stale : Out x load_rows, with ``window``: which of its two words was not written in this epoch
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_write": In(stream.Signature(feature_write(c), always_ready=True)),
                "address": In(range(c.feature_words)).array(c.load_rows),
                "window": Out(2 * c.feature_bits).array(c.load_rows),
                "epoch": In(epoch_bits(c)),
                "clear": In(1),
                "clear_pair": In(range(c.feature_words // 2)),
                "stale": Out(2).array(c.load_rows),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        pairs = c.feature_words // 2
        stored = data.StructLayout({"bits": c.feature_bits, "epoch": epoch_bits(c)})
        for r in range(c.load_rows):
            reads: list[data.View] = []
            odd = Signal(name=f"odd{r}")
            m.d.sync += odd.eq(self.address[r][0])
            for bank in range(2):
                memory = Memory(shape=stored, depth=pairs, init=[])
                m.submodules[f"bank{r}_{bank}"] = memory
                write, read = memory.write_port(), memory.read_port()
                pair = self.address[r][1:]
                m.d.comb += [
                    write.addr.eq(Mux(self.clear, self.clear_pair, self.i_write.payload.pair)),
                    write.data.bits.eq(self.i_write.payload.words[bank]),
                    write.data.epoch.eq(Mux(self.clear, 0, self.epoch)),
                    write.en.eq(self.clear | (self.i_write.valid & self.i_write.payload.mask[bank])),
                    # The successor of an odd word is the even word of the next pair.
                    read.addr.eq(pair if bank else (pair + self.address[r][0])[: clog2(pairs)]),
                ]
                reads.append(read.data)
            even_first = Cat(reads[0].bits, reads[1].bits)
            m.d.comb += self.window[r].eq(Mux(odd, Cat(reads[1].bits, reads[0].bits), even_first))
            stale = [word.epoch != self.epoch for word in reads]
            m.d.comb += self.stale[r].eq(Mux(odd, Cat(stale[1], stale[0]), Cat(*stale)))
        return m
