# amaranth: UnusedElaboratable=no
"""Reset by block: it reaches every register in the same cycle, and synthesis keeps a copy for each block."""

from collections import Counter

import pytest
from amaranth import Cat, Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from reprise.flow import yosys
from reprise.hw.lib.fanout import COPIES
from reprise.hw.lib.resets import DEPTH, REACH, BlockResets
from tests.support.simulation import simulate

WIDTH = 4
"""Bits of the counter of a block."""


class Block(wiring.Component):
    """Counts from 5 on, as the blocks inside it do. ``o`` has the values of all counters."""

    def __init__(self, inside: list):
        self.inside = [Block(one) for one in inside]
        super().__init__({"o": Out(WIDTH + sum(len(one.o) for one in self.inside))})

    def elaborate(self, platform):
        m = Module()
        own = Signal(WIDTH, init=5)
        m.d.sync += own.eq(own + 1)
        for n, block in enumerate(self.inside):
            m.submodules[f"block{n}"] = block
        m.d.comb += self.o.eq(Cat(own, *(block.o for block in self.inside)))
        return m


class Top(wiring.Component):
    """A block that is reset by ``reset``."""

    def __init__(self, inside: list, depth: int = DEPTH):
        self.block, self.depth = Block(inside), depth
        super().__init__({"reset": In(1), "o": Out(len(self.block.o))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = BlockResets(self.block, self.reset, depth=self.depth)
        m.d.comb += self.o.eq(self.block.o)
        return m


@pytest.mark.parametrize("depth", range(4))
def test_every_register_is_reset_in_the_same_cycles(depth):
    """Of blocks that lie deeper than copies go, too, and of more blocks than are in a group."""
    dut, held = Top([[[[[]], []], []], [], [[]] * 9], depth), 3

    async def bench(ctx):
        await ctx.tick().repeat(7)  # the copies differ in the first cycles
        ctx.set(dut.reset, 1)
        for cycle in range(1, REACH + held + 6):
            await ctx.tick()
            if cycle == held:
                ctx.set(dut.reset, 0)
            values = {ctx.get(dut.o.word_select(n, WIDTH)) for n in range(len(dut.o) // WIDTH)}
            assert (5 in values) == (REACH < cycle <= REACH + held)
            assert len(values) == 1 or cycle <= REACH  # the first cycles have set them apart

    simulate(dut, bench)


def test_synthesis_keeps_a_copy_for_each_part(tmp_path):
    """What makes this module worth anything: Yosys merges registers that are equal."""
    tops = {n: Top([[[]] * n] * 5) for n in (1, 3)}
    registers = {}
    for n, top in tops.items():
        (tmp_path / f"top{n}.il").write_text(rtlil.convert(top, name="top"))
        yosys.run_script(
            [f"read_rtlil {tmp_path}/top{n}.il", "synth_ecp5 -top top", f"write_json {tmp_path}/top{n}.json"],
            folder=tmp_path,
            name="top",
            what="synthesis of resets",
        )
        kinds = Counter(cell["type"] for cell in yosys.cells_of(tmp_path / f"top{n}.json", "top").values())
        registers[n] = kinds["TRELLIS_FF"]
    blocks = {n: 1 + 5 + 5 * n for n in tops}
    assert registers == {n: count * (WIDTH + 1) + -(-count // COPIES) for n, count in blocks.items()}
