"""A small AXI4 memory for the Amaranth simulator: random latency, backpressure, errors; checks the protocol."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Any

from amaranth.lib import wiring
from amaranth.sim._async import SimulatorContext


class AxiMemory:
    """Serves the read and write channels found on ``dut`` (ports ``prefix + name``).

    ``stall`` is the probability of a stalled cycle on each channel, ``latency`` the cycles from an address to its first
    answer. Reads of addresses in ``faults`` and writes to them are answered with an error. ``dead`` stops all answers.
    Every burst is checked: INCR, whole words, no 4 KiB crossing; valid and payload held until ready; no data of a write
    after ``wlast`` without its address. ``reads`` and ``writes`` list the bursts (address, beats).
    """

    def __init__(
        self,
        dut: wiring.Component,
        bus_bits: int,
        *,
        prefix: str = "",
        size: int = 1 << 16,
        latency: int = 0,
        stall: float = 0.0,
        faults: Sequence[range] = (),
        seed: int = 0,
    ):
        self.dut, self.prefix, self.bytes = dut, prefix, bus_bits // 8
        self.data = bytearray(size)
        self.latency, self.stall, self.faults = latency, stall, faults
        self.rng = random.Random(seed)
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.read_queue: deque[list[int]] = deque()
        self.write_queue: deque[tuple[int, int]] = deque()
        self.data_queue: deque[tuple[int, int, int]] = deque()
        self.answers: deque[tuple[int, int]] = deque()
        self.beats_read = self.beats_written = 0
        self.dead = False
        self.cycle = 0
        self.held: dict[str, dict[str, int] | None] = {}

    def port(self, name: str) -> Any:
        return getattr(self.dut, self.prefix + name)

    def has(self, name: str) -> bool:
        return hasattr(self.dut, self.prefix + name)

    def response(self, address: int) -> int:
        return 2 if any(address in fault for fault in self.faults) or address + self.bytes > len(self.data) else 0

    async def run(self, ctx: SimulatorContext) -> None:
        """The background process: ``sim.add_testbench(memory.run, background=True)``."""
        reads, writes = self.has("arvalid"), self.has("awvalid")
        names = []
        if reads:
            names += ["arvalid", "araddr", "arlen", "arsize", "arburst", "rready"]
        if writes:
            names += ["awvalid", "awaddr", "awlen", "awsize", "awburst", "wvalid", "wdata", "wstrb", "wlast", "bready"]
        r_offer = b_offer = False
        while True:
            ready = {name: self.rng.random() >= self.stall and not self.dead for name in ("ar", "aw", "w")}
            if reads:
                ctx.set(self.port("arready"), ready["ar"] and len(self.read_queue) < 16)
                ready["ar"] &= len(self.read_queue) < 16
                r_offer = r_offer or self._offer_read(ctx)
                ctx.set(self.port("rvalid"), r_offer)
            if writes:
                ctx.set(self.port("awready"), ready["aw"])
                ctx.set(self.port("wready"), ready["w"])
                b_offer = b_offer or self._offer_answer(ctx)
                ctx.set(self.port("bvalid"), b_offer)
            _, reset, *values = await ctx.tick().sample(*(self.port(name) for name in names))
            seen = dict(zip(names, values, strict=True))
            self._check_held(seen, ready)
            self.cycle += 1
            if reads:
                r_offer = self._read(seen, ready, r_offer)
            if writes:
                b_offer = self._write(seen, ready, b_offer)

    def _check_held(self, seen: dict[str, int], ready: dict[str, bool]) -> None:
        """Valid and its payload must hold until ready."""
        for channel in ("ar", "aw", "w"):
            if channel + "valid" not in seen:
                continue
            payload = {k: v for k, v in seen.items() if k.startswith(channel) and k != channel + "valid"}
            before = self.held.get(channel)
            if before is not None:
                assert seen[channel + "valid"], f"{channel}valid fell before {channel}ready"
                assert payload == before, f"{channel} payload changed before {channel}ready"
            waits = seen[channel + "valid"] and not ready[channel]
            self.held[channel] = payload if waits else None

    def _check_burst(self, address: int, length: int, size: int, burst: int) -> None:
        assert burst == 1 and 1 << size == self.bytes and address % self.bytes == 0
        assert address // 4096 == (address + (length + 1) * self.bytes - 1) // 4096, "a burst crosses 4 KiB"

    def _offer_read(self, ctx: SimulatorContext) -> bool:
        if self.dead or not self.read_queue or self.rng.random() < self.stall:
            return False
        address, left, when = self.read_queue[0]
        if self.cycle < when:
            return False
        word = (
            self.data[address : address + self.bytes] if address + self.bytes <= len(self.data) else bytes(self.bytes)
        )
        ctx.set(self.port("rdata"), int.from_bytes(word, "little"))
        ctx.set(self.port("rresp"), self.response(address))
        ctx.set(self.port("rlast"), left == 0)
        return True

    def _read(self, seen: dict[str, int], ready: dict[str, bool], offer: bool) -> bool:
        if seen["arvalid"] and ready["ar"]:
            self._check_burst(seen["araddr"], seen["arlen"], seen["arsize"], seen["arburst"])
            self.reads.append((seen["araddr"], seen["arlen"] + 1))
            self.read_queue.append([seen["araddr"], seen["arlen"], self.cycle + self.latency])
        if offer and seen["rready"]:
            self.beats_read += 1
            head = self.read_queue[0]
            head[0] += self.bytes
            head[1] -= 1
            if head[1] < 0:
                self.read_queue.popleft()
            return False
        return offer

    def _offer_answer(self, ctx: SimulatorContext) -> bool:
        if self.dead or not self.answers or self.cycle < self.answers[0][1] or self.rng.random() < self.stall:
            return False
        ctx.set(self.port("bresp"), self.answers[0][0])
        return True

    def _write(self, seen: dict[str, int], ready: dict[str, bool], offer: bool) -> bool:
        if seen["awvalid"] and ready["aw"]:
            self._check_burst(seen["awaddr"], seen["awlen"], seen["awsize"], seen["awburst"])
            self.writes.append((seen["awaddr"], seen["awlen"] + 1))
            self.write_queue.append((seen["awaddr"], seen["awlen"]))
        if seen["wvalid"] and ready["w"]:
            self.data_queue.append((seen["wdata"], seen["wstrb"], seen["wlast"]))
            self.beats_written += 1
        while self.write_queue and len(self.data_queue) > self.write_queue[0][1]:
            address, length = self.write_queue.popleft()
            response = 0
            for beat in range(length + 1):
                word, strobe, last = self.data_queue.popleft()
                assert last == (beat == length), "wlast doesn't match awlen"
                response |= self.response(address)
                self._store(address, word, strobe)
                address += self.bytes
            self.answers.append((response, self.cycle + self.latency))
        if offer and seen["bready"]:
            self.answers.popleft()
            return False
        return offer

    def _store(self, address: int, word: int, strobe: int) -> None:
        for i in range(self.bytes):
            if strobe >> i & 1 and address + i < len(self.data):
                self.data[address + i] = word >> (8 * i) & 0xFF
