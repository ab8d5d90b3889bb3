"""Words wait for the write master with their addresses added up, in order, and only while they may be written."""

from __future__ import annotations

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.output.outgoing import OutgoingWords
from tests.support.streams import Sink, Source, run_streams

CONFIG = HardwareConfig.load("tiny")
HELD = 5
BASE = 0x12_3456_7890
WORDS = [{"address": 8 * n**3, "data": n * 0x1234567, "strobe": 255, "last": n == 19} for n in range(20)]


@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.4, 0.3)])
def test_words_keep_their_order_and_are_held_until_they_may_go(idle, stall):
    """A word a cycle passes where nothing stalls, a cycle after it came; none is taken before the rules are known."""
    dut = OutgoingWords(CONFIG)
    source, sink = Source(dut.i, WORDS, idle=idle), Sink(dut.o, stall=stall, expect=len(WORDS))

    def each(ctx, cycle):
        ctx.set(dut.enable, cycle >= HELD)

    run_streams(dut, [source], [sink], setup=lambda ctx: ctx.set(dut.base, BASE), each=each, seed=1)
    assert min(source.cycles) >= HELD
    assert [(item["address"], item["data"], item["last"]) for item in sink.items] == [
        (word["address"] + BASE, word["data"], word["last"]) for word in WORDS
    ]
    if not stall:
        assert sink.offered == [cycle + 1 for cycle in source.cycles] == list(range(HELD + 1, HELD + 1 + len(WORDS)))
