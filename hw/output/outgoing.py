"""The queue between the output writer and the write master."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import ADDRESS_BITS
from ..interface.memory import write_word
from ..lib.fifo import SmallFifo
from .layouts import write_command

WORDS = 2
"""The words that wait in front of the write master."""


class OutgoingWords(wiring.Component):
    """Adds a run's output address to the offsets of its words, which then wait for the write master.

    So neither does the write master hold the output back within the cycle, nor does it compare addresses that are still
    being added up.

    Latency: 1 cycle. Throughput: one word per cycle.

    Members
    -------
    i : In stream of write_command
    base : In, the run's output address
    enable : In(1), words may be taken
    o : Out stream of write_word
    idle : Out(1), no word waits
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(write_command(config))),
                "base": In(ADDRESS_BITS),
                "enable": In(1),
                "o": Out(stream.Signature(write_word(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = SmallFifo(shape=write_word(self.config), depth=WORDS)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        word, put = self.i.payload, queue.i.payload
        m.d.comb += [
            queue.i.valid.eq(self.i.valid & self.enable),
            self.i.ready.eq(queue.i.ready & self.enable),
            put.address.eq(word.address + self.base),
            *(put[name].eq(word[name]) for name in ("data", "strobe", "last")),
            self.idle.eq(~queue.o.valid),
        ]
        return m
