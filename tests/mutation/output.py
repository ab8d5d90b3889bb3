"""Deliberate faults on the output side, from levels to memory, and the test that must catch each."""

from tests.mutation.runner import fault

POOL = "tests/hw/output/test_max_pool.py"
ENCODER = "tests/hw/output/test_plane_encoder.py"
PACKER = "tests/hw/output/test_line_packer.py"
WRITER = "tests/hw/output/test_writer.py"


MUTATIONS = [
    fault(
        "pool: the word of the item before is not forwarded",
        "output/max_pool",
        "forward.eq(valid[1] & (held[1].address == held[0].address))",
        "forward.eq(0)",
        f"{POOL}::test_maximum_anywhere_in_the_window",
    ),
    fault(
        "pool: a word read while it is written is not forwarded",
        "output/max_pool",
        "collides.eq(leave & (held[1].address == read.addr))",
        "collides.eq(0)",
        f"{POOL}::test_maximum_anywhere_in_the_window",
    ),
    fault(
        "pool: an item waits in stage 1 although stage 2 is free",
        "output/max_pool",
        "step.eq(valid[0] & (~valid[1] | leave))",
        "step.eq(valid[0] & ~valid[1])",
        f"{POOL}::test_one_item_per_cycle",
    ),
    fault(
        "pool: timesteps share a maximum",
        "output/max_pool",
        "read.addr.eq(Cat(item.group, t))",
        "read.addr.eq(item.group)",
        f"{POOL}::test_random",
    ),
    fault(
        "pool: windows of k*k + 1 positions",
        "output/max_pool",
        "position == k * k - 1",
        "position == k * k",
        f"{POOL}::test_random",
    ),
    fault(
        "pool: the last window's maximum is kept",
        "output/max_pool",
        "Mux(held[1].first | (level > known), level, known)",
        "Mux(level > known, level, known)",
        f"{POOL}::test_random",
    ),
    fault(
        "pool: a start leaves the position",
        "output/max_pool",
        "m.d.sync += [t.eq(0), position.eq(0)]",
        "m.d.sync += t.eq(0)",
        f"{POOL}::test_start_drops_a_half_window",
    ),
    fault(
        "encoder: lanes beyond the channels are written",
        "output/plane_encoder",
        "bit & (n < width)",
        "bit",
        f"{ENCODER}::test_random",
    ),
    fault(
        "encoder: thermometer counts below zero",
        "output/plane_encoder",
        "level - (level != 0)",
        "level - 1",
        f"{ENCODER}::test_random",
    ),
    fault(
        "encoder: a gap between groups",
        "output/plane_encoder",
        "self.i.ready.eq(~self.o.valid | (self.o.ready & chunk.last_plane))",
        "self.i.ready.eq(~self.o.valid)",
        f"{ENCODER}::test_one_plane_per_cycle",
    ),
    fault(
        "packer: missing forward",
        "output/line_packer",
        "forward.eq(valid & (read.addr == write.addr))",
        "forward.eq(0)",
        f"{PACKER}::test_corners",
    ),
    fault(
        "packer: lines begin with the rest of the row before",
        "output/line_packer",
        "Mux(position.fresh, 0, Mux(forward, recent, read.data))",
        "Mux(forward, recent, read.data)",
        f"{PACKER}::test_corners",
    ),
    fault(
        "packer: the second word of a line's end is lost",
        "output/line_packer",
        "twice.eq(held.spill & position.end & ~second)",
        "twice.eq(0)",
        f"{PACKER}::test_two_words_at_the_end_of_a_line_cost_one_cycle",
    ),
    fault(
        "packer: a full word is not complete",
        "output/line_packer",
        "held.complete.eq(end >= c.bus_bits)",
        "held.complete.eq(end > c.bus_bits)",
        f"{PACKER}::test_corners",
    ),
    fault(
        "packer: a word is overwritten while the DMA waits",
        "output/line_packer",
        "leave.eq(valid & (~give | free) & ~twice)",
        "leave.eq(valid & ~twice)",
        f"{PACKER}::test_corners",
    ),
    fault(
        "packer: done with the first of two last words",
        "output/line_packer",
        "o.last.eq(position.last & ~twice)",
        "o.last.eq(position.last)",
        f"{PACKER}::test_two_words_at_the_end_of_a_line_cost_one_cycle",
    ),
    fault(
        "packer: chunks wait although the packer is free",
        "output/line_packer",
        "chunk.ready.eq(~valid | leave),",
        "chunk.ready.eq(~valid),",
        f"{PACKER}::test_one_chunk_per_cycle",
    ),
    fault(
        "cursor: the lines of an image are not counted anew",
        "output/line_cursor",
        "m.d.sync += [self.y_left.eq(config.out_lines), self.images_left",
        "m.d.sync += [self.images_left",
        f"{PACKER}::test_corners",
    ),
    fault(
        "cursor: the next timestep does not begin at the position's first bit",
        "output/line_cursor",
        "move(next_q, next_line, self.position_bit)",
        "move(next_q, next_line, next_bit)",
        f"{PACKER}::test_corners",
    ),
    fault(
        "cursor: images follow without their stride",
        "output/line_cursor",
        "m.d.sync += [line.eq(first) for line in (self.line, self.t_line, self.row_line)]",
        "pass",
        f"{PACKER}::test_corners",
    ),
    fault(
        "readout: potentials are not sign extended",
        "output/readout",
        "potential.eq(item.potential[lane])",
        "potential.eq(item.potential[lane].as_unsigned())",
        f"{WRITER}::test_readout",
    ),
    fault(
        "readout: a line ends after its first timestep",
        "output/readout",
        "last_lane & item.last_group & item.last_t",
        "last_lane & item.last_group",
        f"{WRITER}::test_readout",
    ),
]
