"""A memory without a bus, for the tests of the loaders."""

from __future__ import annotations

import random


class Feed:
    """Answers requests with memory's words, in order, with random idle cycles (a bus without its protocol)."""

    def __init__(self, dut, memory: bytes, size: int, *, idle=0.0, seed=0):
        self.dut, self.memory, self.size, self.idle = dut, memory, size, idle
        self.rng = random.Random(seed)
        self.words, self.requests = [], []

    async def run(self, ctx):
        dut = self.dut
        offer = False
        while True:
            ctx.set(dut.o_request.ready, 1)
            offer = offer or (bool(self.words) and self.rng.random() >= self.idle)
            ctx.set(dut.i.valid, offer)
            if offer:
                ctx.set(dut.i.payload, self.words[0])
            _, _, asked, request, ready = await ctx.tick().sample(
                dut.o_request.valid, dut.o_request.payload, dut.i.ready
            )
            if offer and ready:
                self.words.pop(0)
                offer = False
            if asked:
                self.requests.append((request.address, request.beats))
                for i in range(request.beats):
                    at = request.address + i * self.size
                    self.words.append(int.from_bytes(self.memory[at : at + self.size], "little"))
