"""Which primitives a memory becomes: by hand, and against Yosys itself on random memories."""

import os
import random
from collections import Counter

import pytest
from amaranth import Cat, Const, Module
from amaranth.back import rtlil
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from reprise.estimate.area.memories import Memory, place
from reprise.flow import yosys
from reprise.flow.fpga.parts import TARGETS
from reprise.flow.fpga.synth import ports_of

BLOCK = dict(reads=1, clocked=1, style="block", unchecked=True)


@pytest.mark.parametrize(
    "width, depth, count",
    [(36, 512, 1), (18, 1024, 1), (9, 2048, 1), (4, 4096, 1), (2, 8192, 1), (1, 16384, 1), (37, 512, 2), (1, 16385, 2)],
)
def test_an_ebr_has_18_kbit_in_six_shapes(width, depth, count):
    assert place(Memory(width=width, depth=depth, **BLOCK)).block_ram == count


def test_block_ram_by_hand():
    wide = Memory(width=1536, depth=512, **BLOCK)
    assert place(wide).block_ram == 43
    assert place(Memory(width=36, depth=1024, **BLOCK)).block_ram == 2
    assert place(Memory(width=36, depth=512, **BLOCK), "xc7").block_ram == 0.5
    assert place(Memory(width=72, depth=512, **BLOCK), "xc7").block_ram == 1
    # A block RAM has one port beside the write port, so a second reader takes a second copy.
    assert place(Memory(width=36, depth=512, reads=2, clocked=2, style="block")).block_ram == 2


def test_small_and_unclocked_memories_are_distributed():
    assert place(Memory(width=32, depth=16, reads=1, clocked=1)).count == 8
    assert place(Memory(width=32, depth=16, reads=1, clocked=1)).block_ram == 0
    assert place(Memory(width=8, depth=1024, reads=1, clocked=0)).block_ram == 0
    assert place(Memory(width=3, depth=1, reads=1, clocked=1)).primitive is None
    with pytest.raises(ValueError, match="style must be 'distributed' where a read port has no clock"):
        place(Memory(width=8, depth=16, reads=1, clocked=0, style="block"))


def test_primitives_of_idle_bits_are_removed():
    """256 bits are eight EBR; those that hold only bits that nothing reads are none."""
    assert place(Memory(width=256, depth=512, **BLOCK)).block_ram == 8
    assert place(Memory(width=256, depth=512, **BLOCK, idle=(1 << 256) - (1 << 64))).block_ram == 2
    assert place(Memory(width=256, depth=512, **BLOCK, idle=(1 << 256) - 2)).block_ram == 1
    assert place(Memory(width=256, depth=512, **BLOCK, idle=(1 << 255) - 2)).block_ram == 2


class Memories(wiring.Component):
    """Memories side by side, every port a pin; idle bits have none."""

    def __init__(self, memories: list[Memory]):
        self.memories = memories
        pins: dict[str, In | Out] = {}
        for k, shape in enumerate(memories):
            address = max(1, (shape.depth - 1).bit_length())
            pins |= {f"data{k}": In(shape.width), f"put{k}": In(address), f"enable{k}": In(shape.enables)}
            for port in range(shape.reads):
                pins |= {f"get{k}_{port}": In(address), f"word{k}_{port}": Out(shape.width)}
        super().__init__(pins)

    def elaborate(self, platform):
        m = Module()
        for k, shape in enumerate(self.memories):
            attributes = {"ram_style": shape.style} if shape.style else {}
            attributes |= {"no_rw_check": 1} if shape.unchecked else {}
            one = memory.Memory(shape=shape.width, depth=shape.depth, init=[], attrs=attributes)
            m.submodules[f"memory{k}"] = one
            write = one.write_port(granularity=shape.width // shape.enables)
            m.d.comb += [
                write.addr.eq(getattr(self, f"put{k}")),
                write.data.eq(getattr(self, f"data{k}")),
                write.en.eq(getattr(self, f"enable{k}")),
            ]
            for port in range(shape.reads):
                read = one.read_port(domain="sync" if port < shape.clocked else "comb")
                bits = [Const(0, 1) if shape.idle >> n & 1 else read.data[n] for n in range(shape.width)]
                m.d.comb += [
                    read.addr.eq(getattr(self, f"get{k}_{port}")),
                    getattr(self, f"word{k}_{port}").eq(Cat(*bits)),
                ]
        return m


def random_memory(rng: random.Random) -> Memory:
    enables = rng.choice([1, 1, 1, 2, 4])
    width = enables * rng.randint(1, 96 // enables)
    reads = rng.choice([1, 1, 1, 2])
    clocked = rng.choice([reads, reads, 0])
    low = rng.randrange(width)
    idle = (1 << rng.randint(low, width)) - (1 << low) if rng.random() < 0.3 else 0
    return Memory(
        width=width,
        depth=rng.choice([2, 4, 8, 16, 17, 32, 64, 100, 128, 256, 512, 1000, 1024]),
        reads=reads,
        clocked=clocked,
        enables=enables,
        style=rng.choice(["", "", "", "distributed", "block"] if clocked else ["", "distributed"]),
        unchecked=rng.random() < 0.5,
        idle=0 if idle == (1 << width) - 1 else idle,
    )


@pytest.mark.parametrize("target", ["ecp5", "xc7"])
def test_yosys_chooses_the_same(target, tmp_path):
    """Block RAM of each random memory, and on ECP5 distributed RAM too, as Yosys maps it."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"SEED={seed}")
    memories = [random_memory(rng) for rng in [random.Random(seed)] for _ in range(8)]
    block = Memories(memories)
    (tmp_path / "design.il").write_text(rtlil.convert(block, name="top", ports=ports_of(block), emit_src=False))
    # what synthesis says of the accelerator's memories without logic for collisions
    no_check = "setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2 */r:MEMID=*memory{} %i */r:CLK_ENABLE=1 %i"
    lines = [
        f"read_rtlil {tmp_path / 'design.il'}",
        *(no_check.format(k) for k, shape in enumerate(memories) if shape.clocked and shape.unchecked),
        f"{TARGETS[target].synth.format(top='top')} -run begin:map_ffram",
        *("simplemap", "bmuxmap", "demuxmap", "simplemap", "opt_clean"),  # multiplexers by the bit, or none goes
        "select top",
        f"write_json -selected {tmp_path / 'netlist.json'}",
    ]
    yosys.run_script(lines, folder=tmp_path, name="synth", what="Yosys")
    found = [Counter() for _ in memories]
    for path, cell in yosys.cells_of(tmp_path / "netlist.json", "top").items():
        if path.startswith("memory"):
            found[int(path.partition(".")[0].removeprefix("memory"))][cell["type"]] += 1
    weights = TARGETS[target].ram
    for shape, kinds in zip(memories, found, strict=True):
        placed = place(shape, target)
        assert placed.block_ram == sum(weights.get(kind, 0) * n for kind, n in kinds.items()), shape
        if target == "ecp5" and not placed.block_ram:
            assert placed.count == kinds["TRELLIS_DPR16X4"], shape
