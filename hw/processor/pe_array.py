"""The first rank of adders: tile results, one residual bit per cycle."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..lib.fanout import fan_out, replicate
from ..lib.wide_memory import block_parts, wide_memory


def load_control(c: HardwareConfig) -> data.StructLayout:
    """Where a compute row's base comes from. None of these: it continues in place on the row before it."""
    return data.StructLayout(
        {
            "zero": 1,  # no prefix
            "forward": 1,  # the prefix is in the operand register (two banks: was finished one cycle ago)
            "memory": c.banks,  # from the result memory's copy of this bank
        }
    )


def finish_control(c: HardwareConfig) -> data.StructLayout:
    """The last residual bit of a compute row: its result goes to the memory and to its bank's operand."""
    return data.StructLayout({"valid": 1, "parity": 1, "result": c.row_bits, "bank": c.banks})


class PEArray(wiring.Component):
    """``result = base + sum of W[k] over the residual's bits``; reuse rows take their prefix's result as it is.

    Inputs arrive in stage 1. In stage 2 the accumulator adds a weight row, or takes the base of the row whose first
    bit is added in the next cycle; the sum of a last bit is written to the result memories (one copy per bank, two
    tiles by parity) and into the operand register of the row's bank. Other operands come from the bank's memory copy.
    A base read in the cycle in which it is written must be forwarded: the value is in the operand register by then,
    and stays there until the bank's next operand.

    Latency: operand in stage 3, two cycles after its control. Throughput: one bit, and per bank one operand, per cycle.
    Section "PPU" of the paper (HPCA 2025).

    Members
    -------
    weight : ``lanes`` signed weights (stage 2)
    load, finish : control of the accumulator (stage 1)
    read : per bank: address in the result memory, parity on top (stage 0)
    fetch : per bank: what is read becomes the operand (stage 1); without, and without a finished row, it stays
    o : per bank: ``lanes`` signed results (stage 3)
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "weight": In(c.lanes * c.weight_bits),
                "load": In(load_control(c)),
                "finish": In(finish_control(c)),
                "read": In(data.ArrayLayout(c.row_bits + 1, c.banks)),
                "fetch": In(c.banks),
                "o": Out(data.ArrayLayout(c.lanes * c.result_bits, c.banks)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        bits = c.result_bits
        accumulator = Signal(c.lanes * bits, reset_less=True)
        total = Signal(c.lanes * bits)
        for lane in range(c.lanes):
            here = slice(lane * bits, (lane + 1) * bits)
            weight = self.weight.word_select(lane, c.weight_bits).as_signed()
            m.d.comb += total[here].eq(accumulator[here].as_signed() + weight)

        results = []
        for b in range(c.banks):
            results.append(
                wide_memory(
                    m,
                    f"results{b}_",
                    depth=2 * c.tile_m,
                    reads=replicate(m, self.read[b], len(block_parts(len(total))), name=f"read{b}_"),
                    put=self.finish.valid,
                    put_address=Cat(self.finish.result, self.finish.parity),
                    value=total,
                )
            )
            self._operand(m, b, total, results[b])

        recent = self._recent(m, total)
        for lanes, flags in fan_out(m, self.load, c.lanes, name="load"):
            load = data.View(load_control(c), flags)
            here = slice(lanes.start * bits, lanes.stop * bits)
            running = accumulator[here]
            m.d.sync += running.eq(total[here])
            for b in range(c.banks):
                with m.If(load.memory[b]):
                    m.d.sync += running.eq(results[b][here])
            with m.If(load.forward):
                m.d.sync += running.eq(recent[here])
            with m.If(load.zero):
                m.d.sync += running.eq(0)
        return m

    def _operand(self, m: Module, b: int, total: Signal, read: Value) -> None:
        """The result that finishes, or what is read; it stays until the next one comes."""
        c, bits = self.config, self.config.result_bits
        operand = Signal(c.lanes * bits, name=f"operand{b}", reset_less=True)
        flags = Cat(self.finish.bank[b], self.finish.bank[b] | self.fetch[b])
        for lanes, (finishes, comes) in fan_out(m, flags, c.lanes, name=f"operand{b}_comes"):
            here = slice(lanes.start * bits, lanes.stop * bits)
            with m.If(comes):
                m.d.sync += operand[here].eq(Mux(finishes, total[here], read[here]))
        m.d.comb += self.o[b].eq(operand)

    def _recent(self, m: Module, total: Signal) -> Value:
        """The result finished one cycle ago. With one bank: what the operand register holds, that or an older one."""
        if self.config.banks == 1:
            return self.o[0]
        previous = Signal.like(total, reset_less=True)
        m.d.sync += previous.eq(total)
        return previous
