"""The PE array: the first rank of adders, which add up tile results."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..lib.fanout import fan_out
from ..lib.logic import chosen
from ..lib.wide_memory import lane_parts, wide_memory


def load_control(c: HardwareConfig) -> data.StructLayout:
    """Return the layout that says where a compute row's base comes from, that is, what its residual is added to.

    If none of the sources is set, the row goes on from the sum in the accumulator, which is that of the row before it.
    """
    return data.StructLayout(
        {
            "loads": 1,  # a row's base is taken, or weights are added; else the accumulator keeps its value
            "buffer": c.buffer_bits,  # of the partial sums of that row's m tile
            "zero": 1,  # the row has no prefix
            "forward": 1,  # the operand register holds the base (with two banks: it was finished one cycle ago)
            "memory": c.banks,  # the base is read from the result memory's copy of this bank (one-hot)
        }
    )


def finish_control(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the control of a compute row's last residual bit.

    The row's tile result goes to the memory, at ``result`` of the tile of this ``parity``, and to the operand register
    of its ``bank`` (one-hot). Its m tile has this ``buffer`` of partial sums.
    """
    return data.StructLayout({"valid": 1, "parity": 1, "result": c.row_bits, "bank": c.banks, "buffer": c.buffer_bits})


def read_control(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a read of a tile result: whether anything may use it, its address with the tile's parity as
    the highest bit, and the ``buffer`` of partial sums of its m tile.
    """
    return data.StructLayout({"valid": 1, "address": c.row_bits + 1, "buffer": c.buffer_bits})


class PEArray(wiring.Component):
    """Adds up the tile results of compute rows, and hands tile results to the banks of partial sums.

    For a compute row it works out ``result = base + sum of W[k] over the residual's bits``, in all lanes. A reuse row
    takes its prefix's result as it is. The control inputs arrive in stage 1. In stage 2 the accumulator adds
    weights, or takes the base of the row whose first bit is added in the next cycle. The sum of the last bits goes into
    the operand register of the row's bank, and into the result memories. There is a copy of these for each bank, and
    each has room for two tiles, by the parity of their tags. The operand of a reuse row comes from its bank's copy. A
    base that would be read in the cycle in which it is written must be forwarded: its value is in the operand register
    by then, and stays there until the bank's next operand. (Prosperity, HPCA 2025, arXiv 2503.03379, section "PPU".)

    Latency: an operand is there in stage 3, two cycles after its control. Throughput: one sum of weights, and one
    operand for each bank, per cycle.

    Members
    -------
    weight : what is added: ``lanes`` signed sums of weights, of ``weight_sum_bits`` each (stage 2)
    load, finish : the control of the accumulator (stage 1)
    read : for each bank: what is read in its result memory (stage 0)
    fetch : for each bank: what is read becomes the operand (stage 1); if neither this is set nor a row finishes, the
        operand stays
    groups : for each buffer: the groups of channels of its RUN, which are read and written
    buffer : for each bank: that of the row whose operand comes (stage 1)
    o : for each bank: the operand, ``lanes`` signed tile results of ``result_bits`` each (stage 3)
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "weight": In(c.lanes * c.weight_sum_bits),
                "load": In(load_control(c)),
                "finish": In(finish_control(c)),
                "read": In(data.ArrayLayout(read_control(c), c.banks)),
                "fetch": In(c.banks),
                "groups": In(data.ArrayLayout(c.groups, c.buffers)),
                "buffer": In(data.ArrayLayout(c.buffer_bits, c.banks)),
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
            weight = self.weight.word_select(lane, c.weight_sum_bits).as_signed()
            m.d.comb += total[here].eq(accumulator[here].as_signed() + weight)

        results = []
        put = self._wanted(self.finish.valid, self.finish.buffer), Cat(self.finish.result, self.finish.parity)
        for b, read in enumerate(self.read):
            wanted = self._wanted(read.valid, read.buffer), read.address
            cut = lane_parts(c.neuron_lanes, c.groups, bits)
            results.append(
                wide_memory(m, f"results{b}_", cut=cut, depth=2 * c.tile_m, read=wanted, put=put, value=total)
            )
            self._operand(m, b, total, results[b])

        recent = self._recent(m, total)
        taken = Cat(self.load, self._wanted(self.load.loads, self.load.buffer))
        for lanes, flags in fan_out(m, taken, c.lanes, name="load"):
            load = data.View(load_control(c), flags[: -c.groups])
            for group in sorted({lane % c.groups for lane in lanes}):
                mine = [slice(lane * bits, (lane + 1) * bits) for lane in lanes if lane % c.groups == group]
                running, *others = (Cat(word[here] for here in mine) for word in (accumulator, total, recent, *results))
                with m.If(flags[len(flags) - c.groups + group]):
                    m.d.sync += running.eq(others[0])
                    for b in range(c.banks):
                        with m.If(load.memory[b]):
                            m.d.sync += running.eq(others[2 + b])
                    with m.If(load.forward):
                        m.d.sync += running.eq(others[1])
                with m.If(load.zero):
                    m.d.sync += running.eq(0)
        return m

    def _wanted(self, valid: Value, buffer: Value) -> Value:
        """Return the groups of channels of a buffer, or none if nothing is wanted.

        Both halves of the lanes work out the results of narrow RUNs. So a block RAM may have lanes of both, and belongs
        to the group below the upper half.
        """
        c = self.config
        groups = chosen(buffer, list(self.groups)) & valid.replicate(c.groups)
        return groups | (groups[c.narrow_groups] << (c.narrow_groups - 1)) if c.narrow_buffers else groups

    def _operand(self, m: Module, b: int, total: Signal, read: Value) -> None:
        """Build bank ``b``'s operand register, which takes the sum that finishes or what is read, and else stays."""
        c, bits = self.config, self.config.result_bits
        operand = Signal(c.lanes * bits, name=f"operand{b}", reset_less=True)
        comes = self._wanted(self.finish.bank[b] | self.fetch[b], self.buffer[b])
        for lanes, (finishes, *mine) in fan_out(m, Cat(self.finish.bank[b], comes), c.lanes, name=f"operand{b}_comes"):
            for lane in lanes:
                here = slice(lane * bits, (lane + 1) * bits)
                with m.If(mine[lane % c.groups]):
                    m.d.sync += operand[here].eq(Mux(finishes, total[here], read[here]))
        m.d.comb += self.o[b].eq(operand)

    def _recent(self, m: Module, total: Signal) -> Value:
        """Return the tile result that was finished one cycle ago.

        With one bank it is what the operand register holds: that result, or an older operand.
        """
        if self.config.banks == 1:
            return self.o[0]
        previous = Signal.like(total, reset_less=True)
        m.d.sync += previous.eq(total)
        return previous
