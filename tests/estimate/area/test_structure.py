"""What a description is counted as: small designs whose bits are known by hand."""

import json

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from reprise.estimate.area import structure
from reprise.estimate.area.memories import Memory


def counted(build, **ports) -> structure.Part:
    """The structure of a component whose body is ``build(m, self)``."""

    class Design(wiring.Component):
        def __init__(self):
            super().__init__(ports)

        def elaborate(self, platform):
            m = Module()
            build(m, self)
            return m

    return structure.read(Design())["core"]


def test_each_kind_by_hand():
    def build(m, s):
        total = Signal(8)
        with m.If(s.go):
            m.d.sync += total.eq(s.a + s.b)  # an adder of 8 bits into a register with an enable
        with m.If(s.a == 0):
            m.d.sync += total.eq(0)  # its reset
        m.d.comb += s.o.eq(Mux(s.go, total & s.a, s.b))  # 8 gates, 8 choices

    counts = counted(build, a=In(8), b=In(8), go=In(1), o=Out(8)).counts
    assert counts == {"registers": 8, "adders": 8, "enabled": 8, "gates": 8, "choices": 8}


def test_only_what_reaches_an_output_is_counted():
    def build(m, s):
        wide, unread, loop = Signal(8), Signal(8), Signal(4)
        m.d.sync += [wide.eq(s.a ^ s.b), unread.eq(s.a + s.b), loop.eq(loop + 1)]
        m.d.comb += s.o.eq(wide[2:5])

    counts = counted(build, a=In(8), b=In(8), o=Out(3)).counts
    assert counts == {"registers": 3, "gates": 3}


def test_an_adder_needs_all_bits_below():
    def build(m, s):
        held, total = Signal(8), Signal(8)
        m.d.sync += [held.eq(s.a), total.eq(held + s.b)]
        m.d.comb += s.o.eq(total[3])

    counts = counted(build, a=In(8), b=In(8), o=Out(1)).counts
    assert counts["registers"] == 4 + 1 and counts["adders"] == 4


def test_conditions_matter_and_concatenations_are_taken_apart():
    def build(m, s):
        held, low, high = Signal(), Signal(4), Signal(4)
        m.d.sync += held.eq(s.go)
        with m.If(held):
            m.d.sync += Cat(low, high).eq(s.a)
        m.d.comb += s.o.eq(high)

    counts = counted(build, a=In(8), go=In(1), o=Out(4)).counts
    assert counts["registers"] == 5 and counts["enabled"] == 4


def test_an_element_chosen_at_run_time_may_be_any():
    def build(m, s):
        rows = [Signal(4, name=f"row{n}") for n in range(4)]
        m.d.sync += Array(rows)[s.at].eq(s.a)
        m.d.comb += s.o.eq(rows[2])

    counts = counted(build, a=In(4), at=In(2), o=Out(4)).counts
    assert counts["registers"] == 4


def test_a_part_that_is_placed_at_run_time_may_be_anywhere():
    def build(m, s):
        held, wide = Signal(4), Signal(16)
        m.d.sync += [held.eq(s.a), wide.word_select(s.at, 4).eq(held)]
        m.d.comb += s.o.eq(wide[8:12])

    counts = counted(build, a=In(4), at=In(2), o=Out(4)).counts
    assert counts["registers"] == 4 + 4


def test_products_of_variables_are_multipliers():
    def build(m, s):
        m.d.comb += s.o.eq(s.a * s.b + s.a * 3)

    assert counted(build, a=In(18), b=In(18), o=Out(36)).counts["multipliers"] == 1
    assert counted(build, a=In(19), b=In(18), o=Out(37)).counts["multipliers"] == 2


def test_a_memory_has_the_bits_that_are_read():
    def build(m, s):
        m.submodules.words = words = memory.Memory(shape=8, depth=64, init=[], attrs={"no_rw_check": 1})
        write, read = words.write_port(granularity=4), words.read_port()
        m.d.comb += [write.addr.eq(s.at), write.data.eq(s.a), write.en.eq(s.go), read.addr.eq(s.at), s.o.eq(read.data)]

    known = dict(width=8, depth=64, reads=1, clocked=1, enables=2, unchecked=True)
    ports = dict(a=In(8), at=In(6), go=In(2))
    assert counted(build, **ports, o=Out(8)).memories == {Memory(**known): 1}
    assert counted(build, **ports, o=Out(5)).memories == {Memory(**known, idle=0b11100000): 1}


def test_a_structure_survives_json():
    memories = {Memory(width=300, depth=4, reads=2, clocked=0, idle=1 << 299): 3}
    design = {"core": structure.Part(counts=dict.fromkeys(structure.COUNTS, 5), memories=memories)}
    assert structure.from_dict(json.loads(json.dumps(structure.to_dict(design)))) == design
