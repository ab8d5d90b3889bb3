"""Smaller bus masters, for proofs that the size of the real ones is too much for."""

import pytest

from reprise.hw.axi import read, write
from reprise.hw.lib.fifo import StreamFifo
from tests.formal.masters import CutQueue

SHORT = {"OUTSTANDING": 2, "QUEUE_WORDS": 4, "BURST_BEATS": 2, "CLOSE_AFTER": 1, "ADDRESS_BITS": 5}


@pytest.fixture
def short(monkeypatch):
    """At most two bursts under way, of at most two words; four words in the queue; addresses of 5 bits inside."""
    monkeypatch.setattr(read, "OUTSTANDING", SHORT["OUTSTANDING"])
    for name, value in SHORT.items():
        monkeypatch.setattr(write, name, value)


@pytest.fixture
def cut(monkeypatch):
    """The write master's queues of words and of closed bursts are cut out; that of lengths stays."""

    def queue(*, shape, depth, latency):
        kind = StreamFifo if shape == 8 else CutQueue
        return kind(shape=shape, depth=depth, latency=latency)

    monkeypatch.setattr(write, "StreamFifo", queue)
