"""The feature buffer keeps lines of feature maps on chip; many rows at once read it at any word."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..interface.streams import epoch_bits, feature_banks, feature_write


class FeatureBuffer(wiring.Component):
    """Keeps ``feature_words`` words in ``load_rows`` copies, so that every row of a beat has a reader of its own.

    Reader r gets the ``2 * feature_bits`` bits that begin with word ``address[r]``. In each copy neighbouring words lie
    in different banks, of which there are two or more (:func:`reprise.hw.interface.streams.feature_banks`): word w is
    entry ``w // banks`` of bank ``w % banks``. Therefore a copy gives any word together with its successor, counted
    modulo ``feature_words``, and takes as many words at once as it has banks. With its bits a word keeps the epoch of
    the job in which it was written.

    Latency: ``window`` belongs to ``address`` of the cycle before. Throughput: in each cycle every reader gets one
    window and a word of each bank is written. What is read from a word in the cycle in which it is written is
    undefined.

    Parameters
    ----------
    config : the hardware configuration

    Members
    -------
    i_write : In stream of feature_write (always ready)
    epoch : In, of the job in progress
    clear, clear_entry : In, set the epoch of the words of this entry to 0; nothing is written meanwhile
    read, address : In, something is read; x load_rows, the words at which the windows begin
    window : Out x load_rows, ``2 * feature_bits`` bits each
    stale : Out x load_rows, with ``window``: which of its two words was not written in this epoch
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_write": In(stream.Signature(feature_write(c), always_ready=True)),
                "read": In(1),
                "address": In(range(c.feature_words)).array(c.load_rows),
                "window": Out(2 * c.feature_bits).array(c.load_rows),
                "epoch": In(epoch_bits(c)),
                "clear": In(1),
                "clear_entry": In(range(c.feature_words // feature_banks(c))),
                "stale": Out(2).array(c.load_rows),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        banks = feature_banks(c)
        entries, inside = c.feature_words // banks, clog2(banks)
        stored = data.StructLayout({"bits": c.feature_bits, "epoch": epoch_bits(c)})
        for r in range(c.load_rows):
            reads: list[data.View] = []
            first = Signal(range(banks), name=f"first{r}")  # the bank of the window's first word
            m.d.sync += first.eq(self.address[r][:inside])
            for bank in range(banks):
                memory = Memory(shape=stored, depth=entries, init=[])
                m.submodules[f"bank{r}_{bank}"] = memory
                write, read = memory.write_port(), memory.read_port()
                entry = self.address[r][inside:]
                m.d.comb += [
                    write.addr.eq(Mux(self.clear, self.clear_entry, self.i_write.payload.entry)),
                    write.data.bits.eq(self.i_write.payload.words[bank]),
                    write.data.epoch.eq(Mux(self.clear, 0, self.epoch)),
                    write.en.eq(self.clear | (self.i_write.valid & self.i_write.payload.mask[bank])),
                    read.en.eq(self.read),
                    # The successor of the last bank's word is the first bank's word of the next entry.
                    read.addr.eq(entry if bank else (entry + self.address[r][:inside].all())[: clog2(entries)]),
                ]
                reads.append(read.data)
            stale = [word.epoch != self.epoch for word in reads]
            with m.Switch(first):
                for bank in range(banks):
                    both = [bank, (bank + 1) % banks]
                    with m.Case(bank):
                        m.d.comb += self.window[r].eq(Cat(reads[b].bits for b in both))
                        m.d.comb += self.stale[r].eq(Cat(stale[b] for b in both))
        return m
