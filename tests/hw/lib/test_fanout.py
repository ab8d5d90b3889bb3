# amaranth: UnusedElaboratable=no
"""Copies of a register: right for every lane a cycle later, and still so many after synthesis."""

from collections import Counter

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from reprise.flow import yosys
from reprise.hw.lib.fanout import COPIES, fan_out, parts, replicate
from tests.support.simulation import simulate


@pytest.mark.parametrize("most", [1, 4, COPIES])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5, 16, 30, 128])
def test_every_lane_is_in_one_part(lanes, most):
    cut = parts(lanes, most)
    assert [lane for part in cut for lane in part] == list(range(lanes))
    assert len(cut) <= most and all(len(part) == len(cut[0]) for part in cut[:-1])


class Wide(wiring.Component):
    """``o[lane] = i`` of the cycle before, of all lanes; ``control`` too, from registers as any other."""

    def __init__(self, lanes: int, most: int = COPIES):
        self.lanes, self.most = lanes, most
        super().__init__({"i": In(3), "o": Out(3 * lanes), "control": Out(3), "data": Out(3)})

    def elaborate(self, platform):
        m = Module()
        for part, value in fan_out(m, self.i, self.lanes, name="copy", most=self.most):
            m.d.comb += [self.o.word_select(lane, 3).eq(value) for lane in part]
        data = Signal(3, reset_less=True)
        m.d.sync += [self.control.eq(self.i), data.eq(self.i)]
        m.d.comb += self.data.eq(data)
        return m


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_value_of_the_cycle_before(lanes):
    dut, sent = Wide(lanes), [5, 0, 7, 2, 2, 1]

    async def bench(ctx):
        for value in sent:
            ctx.set(dut.i, value)
            await ctx.tick()
            assert ctx.get(dut.o) == sum(value << 3 * lane for lane in range(lanes))

    simulate(dut, bench)


@pytest.mark.parametrize(("count", "registers"), [(8, 8), (7, 7 + 1), (4, 4 + 1), (1, 1 + 2)])
def test_synthesis_keeps_every_copy(tmp_path, count, registers):
    """What makes this module worth anything: Yosys merges registers that are equal.

    The eighth copy is one with an ordinary register, the second with one that has no reset.
    """
    (tmp_path / "wide.il").write_text(rtlil.convert(Wide(count, count), name="wide"))
    yosys.run_script(
        [f"read_rtlil {tmp_path}/wide.il", "synth_ecp5 -top wide", f"write_json {tmp_path}/wide.json"],
        folder=tmp_path,
        name="wide",
        what="synthesis of copies",
    )
    kinds = Counter(cell["type"] for cell in yosys.cells_of(tmp_path / "wide.json", "wide").values())
    assert kinds["TRELLIS_FF"] == 3 * registers


def test_more_copies_than_can_differ():
    with pytest.raises(ValueError, match="count must be at most 8, not 9"):
        replicate(Module(), Signal(), COPIES + 1, name="copy")
