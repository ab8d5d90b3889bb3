"""Tells the jobs apart in whose course a word of the feature buffer was written."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import epoch_bits, feature_banks


class JobEpochs(wiring.Component):
    """Gives each job a number, its epoch, and clears the feature buffer before a number comes again.

    A word of the feature buffer keeps the epoch in which it was written, so that a word which an earlier job left there
    is told from one that this job has loaded. Epoch 0 stands for no job. After the last epoch all words are set back
    to it, an entry of all banks per cycle; a job that begins meanwhile waits for that.

    Members
    -------
    done : In(1), strobe: a job has ended
    epoch : Out, that of the job in progress, or of the next one
    clear, entry : Out, the words of this entry of all banks are to be set back; no load is under way
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "done": In(1),
                "epoch": Out(epoch_bits(c), init=1),
                "clear": Out(1),
                "entry": Out(range(c.feature_words // feature_banks(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last = Signal()
        m.d.comb += last.eq(self.epoch == (1 << len(self.epoch)) - 1)
        with m.If(self.done):
            m.d.sync += [self.epoch.eq(Mux(last, 1, self.epoch + 1)), self.clear.eq(last), self.entry.eq(0)]
        with m.Elif(self.clear):
            m.d.sync += self.entry.eq(self.entry + 1)
            with m.If(self.entry == self.config.feature_words // feature_banks(self.config) - 1):
                m.d.sync += self.clear.eq(0)
        return m
