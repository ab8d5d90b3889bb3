"""Deliberate faults in how the neuron array takes, orders and gives out groups, and the test that must catch each."""

from tests.mutation.runner import fault

ARRAY = "tests/hw/neurons/test_array.py"
CYCLES = "tests/hw/neurons/test_cycles.py"
INTERLEAVE = "tests/hw/psum/test_row_order.py"


MUTATIONS = [
    fault(
        "dropped sign plane",
        "neurons/select",
        "head.negative.eq(layer.signed & head.step.last_plane)",
        "head.negative.eq(0)",
        f"{ARRAY}::test_sign_plane",
    ),
    fault(
        "a sign plane's partial sums are not inverted",
        "neurons/select",
        "negative.eq(layer.signed & self.coming.plane)",
        "negative.eq(0)",
        f"{ARRAY}::test_sign_plane",
    ),
    fault(
        "thermometer planes weighed as bit-planes",
        "neurons/select",
        "Mux(self.i_layer.weigh, 1 << item.plane, 1)",
        "1 << item.plane",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "no wait for the potential of the timestep before",
        "neurons/select",
        "begins | self._apart(m, step, wrap)",
        "1",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "waits a cycle longer than needed",
        "neurons/select",
        "most = recurrence(self.config)",
        "most = recurrence(self.config) + 1",
        f"{CYCLES}::test_interleaved_positions_hide_the_recurrence",
    ),
    fault(
        "a row is taken only when the buffer is empty",
        "neurons/select",
        "free.eq(~full | (may_leave & last_group))",
        "free.eq(~full)",
        f"{CYCLES}::test_one_group_per_cycle",
    ),
    fault(
        "timesteps are not counted",
        "neurons/select",
        "t.eq(Mux(restart, 0, t + 1))",
        "t.eq(t)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "interleave: the positions of a block share a potential",
        "neurons/select",
        "head.step.context.eq(self.base + group)",
        "head.step.context.eq(group)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "interleave: a block of few positions is given out as a full one",
        "neurons/reorder",
        "last_context.eq(context == end[buffer].context)",
        "last_context.eq(context.all())",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "interleave: a half of the reorder buffer is overwritten before it is read",
        "neurons/reorder",
        "self.i.ready.eq(~full.bit_select(buffer, 1))",
        "self.i.ready.eq(1)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "interleave: the last block of an m tile is as large as the others",
        "psum/cursor",
        "(o.position == walk.most) | (o.row >= walk.edge)",
        "(o.position == walk.most)",
        f"{INTERLEAVE}::test_cursor_walks_every_place_once",
    ),
    fault(
        "interleave: blocks are twice as large as needed",
        "interface/row_order",
        "// (g << (shift - 1))",
        "// (g << (shift - 1) >> 1 or 1)",
        f"{INTERLEAVE}::test_block_positions",
    ),
    fault(
        "the block's groups are counted once, not where it ends",
        "neurons/select",
        "Mux(step.context + 1 < most, step.context + 1, most)",
        "most",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "no reset is a soft reset",
        "neurons/array",
        "whole.eq((self.i_layer.reset == 2) | self.i_layer.readout)",
        "whole.eq(self.i_layer.readout)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "a group enters without room for its levels",
        "neurons/select",
        "room = Mux(self.o_issue, self.i_inside < QUEUE - 1, self.i_inside < QUEUE)",
        "room = C(1, 1)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "what is on its way takes no room",
        "neurons/array",
        "inside.eq(inside + select.o_issue - given)",
        "inside.eq(inside + fire.o.valid - given)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "no reset: the potential is expected with the levels",
        "neurons/array",
        "select.i_early.eq(early)",
        "select.i_early.eq(0)",
        f"{CYCLES}::test_readout_does_not_wait_for_levels",
    ),
    fault(
        "parameters are taken during a run",
        "neurons/array",
        "self.i_params.ready.eq(~self.o_busy)",
        "self.i_params.ready.eq(1)",
        f"{CYCLES}::test_parameters_wait_for_the_run_before",
    ),
    fault(
        "end of an m tile at every group",
        "neurons/array",
        "o.last.eq(step.last & step.last_group)",
        "o.last.eq(step.last)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "parameters are taken while the last item is on its way",
        "neurons/array",
        "(inside > 1) | ((inside == 1) & ~given)",
        "(inside > 1)",
        f"{CYCLES}::test_busy_from_the_first_row_to_the_last_item",
    ),
    fault(
        "parameters are taken in the cycle after a row",
        "neurons/select",
        "self.o_next_busy.eq(full | issue)",
        "self.o_next_busy.eq(issue)",
        f"{CYCLES}::test_busy_from_the_first_row_to_the_last_item",
    ),
    fault(
        "interleave: parameters are taken while a block is given out",
        "neurons/reorder",
        "some | full.any() | accept |",
        "some | accept |",
        f"{CYCLES}::test_busy_from_the_first_row_to_the_last_item",
    ),
    fault(
        "without reset the potential is written when the levels are known",
        "neurons/array",
        "integrate.i_write.eq(Mux(early, integrate.o_next, fire.o_next))",
        "integrate.i_write.eq(fire.o_soon)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "a row is taken a cycle after it came",
        "neurons/select",
        'fan_out(m, free, c.neuron_lanes, name="taken", most=4)',
        'fan_out(m, ready, c.neuron_lanes, name="taken", most=4)',
        f"{ARRAY}::test_random_layers",
    ),
]
