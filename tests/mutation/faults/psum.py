"""Deliberate faults in the memories of partial sums and their drain, in the overlap of runs, and in their modes."""

from tests.mutation.runner import fault

TESTS = "tests/hw/processor/test_processor.py::"
ORDER = "tests/hw/psum/test_row_order.py::test_processor_drains_in_order"
OVERLAP = "tests/hw/sequencer/test_overlap.py::"
GROUPS = "tests/hw/lib/test_wide_memory.py::test_groups_are_read_and_written_alone"
RANDOM = "test_random_stream"
IM2COL = "tests/hw/im2col/test_im2col.py::test_random_geometries"
REORDER = "tests/hw/neurons/test_array.py"
DRAINED = "tests/formal/test_loader_proofs.py::test_no_buffer_is_taken_before_it_is_drained"
SUMS = "tests/formal/test_loader_proofs.py::test_what_is_granted_is_the_sum_of_its_updates"
TWO_BANKS = "tests/hw/processor/test_cycles.py::test_two_banks_of_updates_leave_the_drain_a_slot"
NARROW = "tests/hw/processor/test_narrow.py::"
BETWEEN = NARROW + "test_narrow_and_wide_runs_follow_each_other"
AHEAD = NARROW + "test_a_run_waits_for_what_lies_in_its_lanes"
WEIGHTS = "tests/hw/loader/test_weights.py::test_weight_rows"
HALVES = "tests/hw/neurons/test_array.py::test_rows_of_narrow_layers_lie_in_either_half_of_the_lanes"
BESIDE = "test_rows_start_beside_the_run_in_progress"
BEFORE = "tests/cosim/fuzz/test_fuzz.py::test_rows_that_start_beside_the_run_before_do_not_end_it"


def _fault(file, original, mutated, test, what):
    return fault(what, file, original, mutated, TESTS + test)


MUTATIONS = [
    fault("the drain of two banks waits as that of one", "psum/drain", "{1: 32, 2: 1}", "{1: 32, 2: 32}", TWO_BANKS),
    fault("the other bank gives way", "psum/drain", "self.hold.eq(bank)", "self.hold.eq(~bank)", TWO_BANKS),
    fault("the drain of two banks never waits", "psum/bank", "~(update & self.drain.dirty)", "1", SUMS),
    fault("narrow beside wide", "processor/scoreboard", "wide.bit_select(turn[0], 1))", "0)", AHEAD),
    fault("wide beside narrow", "processor/scoreboard", "beside & (~narrow | ", "beside & (0 | ", AHEAD),
    fault(
        "narrow, a buffer not drained",
        "processor/scoreboard",
        "buffer_busy[h].eq(0)",
        "buffer_busy.eq(0)",
        DRAINED,
    ),
    fault("narrow, lower groups", "processor/scoreboard", "groups << c.narrow_groups", "groups", BETWEEN),
    fault("narrow, results of none", "processor/pe_array", "<< (c.narrow_groups - 1))", "<< c.groups)", BETWEEN),
    fault("narrow, all turns", "psum/turns", "Mux(narrow, turn, turn[0])", "turn", BETWEEN),
    fault("narrow, rows of another half", "psum/drain", "o.upper.eq(buffer[1])", "o.upper.eq(0)", BETWEEN),
    fault("narrow, parts of two halves", "psum/bank", "halves=c.buffers // 2", "halves=1", BETWEEN),
    fault("narrow, weights below only", "loader/weights", "Mux(self.narrow, beat == below, comes)", "comes", WEIGHTS),
    fault(
        "narrow, bytes below only",
        "loader/weights",
        ".word_select(other, 8), weight)",
        ".word_select(other, 8), 0)",
        WEIGHTS,
    ),
    fault("narrow, groups of the other half", "neurons/select", "dirty << c.narrow_groups", "dirty", HALVES),
    fault("all groups are read", "lib/wide_memory", "asked[part.group]", "asked[0]", GROUPS),
    fault("all groups are written", "lib/wide_memory", "written[part.group]", "written[0]", GROUPS),
    _fault("processor/scoreboard", "< c.groups - n for", "< c.groups - n - 1 for", RANDOM, "the last group is idle"),
    _fault("processor/scoreboard", "self.groups[buffer].eq", "self.groups[0].eq", RANDOM, "groups of the other buffer"),
    _fault("processor/bases", "eq(issue.active_buffer)", "eq(0)", RANDOM, "results of the other groups"),
    _fault(
        "processor/bases", "eq(issue.active_valid | issue.loading)", "eq(issue.loading)", RANDOM, "weights get lost"
    ),
    _fault(
        "psum/bank", "updated = self._groups(slot[1]", "updated = self._groups(slot[2]", RANDOM, "operands come late"
    ),
    fault("features are read too early", "im2col/extract", "eq(controls[2].valid)", "eq(controls[1].valid)", IM2COL),
    fault(
        "positions are read too early",
        "im2col/im2col",
        "read.eq(builder.control.valid)",
        "read.eq(builder.issue)",
        IM2COL,
    ),
    fault("a level is read again while it waits", "neurons/reorder", "eq(move & there)", "eq(there)", REORDER),
    _fault("psum/bank", "valid, slot[2].buffer)", "valid, self.slot.buffer)", RANDOM, "groups too early"),
    _fault(
        "psum/bank",
        "first.eq(~chosen(following.buffer,",
        "first.eq(~chosen(self.slot.buffer,",
        "test_random_stream",
        "other half",
    ),
    _fault("psum/bank", "fresh.eq(first)", "fresh.eq(0)", "test_corner", "first touch adds to old data"),
    _fault(
        "psum/bank",
        "update.eq(Cat(one & dirty.o for one, dirty in zip(which, dirty_maps, strict=True)).any())",
        "update.eq(0)",
        "test_random_stream",
        "drain reads before updates",
    ),
    _fault(
        "psum/bank",
        "(following.buffer == h)) for h",
        "(following.buffer != h)) for h",
        "test_random_stream",
        "an update looks at the other half's touch map",
    ),
    _fault(
        "psum/bank",
        "dirty.write.value.eq(~clear)",
        "dirty.write.value.eq(1)",
        "test_corner",
        "touch map never cleared",
    ),
    _fault(
        "psum/drain",
        '[o[name].eq(item[name]) for name in ("dirty", ',
        "o.dirty.eq(1)\n            m.d.sync += [o[name].eq(item[name]) for name in (",
        "test_corner",
        "untouched rows aren't zero",
    ),
    _fault(
        "psum/drain",
        "free.eq(~self.o.valid | self.o.ready)",
        "free.eq(1)",
        "test_corner",
        "rows lost under backpressure",
    ),
    _fault(
        "psum/drain",
        "with m.If(reject | (capture & again)):",
        "with m.If(reject):",
        "test_slow_consumer_gets_every_row",
        "a row twice",
    ),
    _fault(
        "psum/cursor",
        "last.eq(o.row == walk.end)",
        "last.eq(o.row + 1 == walk.end)",
        "test_random_stream",
        "last flag a row early",
    ),
    _fault("psum/drain", "cursor.clear.eq(1)]", "]", "test_random_stream", "a half begins where the other ended"),
    _fault(
        "psum/drain", "with m.If(catch_up[0]):", "with m.If(0):", "test_slow_consumer_gets_every_row", "a row twice"
    ),
    _fault(
        "psum/drain",
        "catch_up.eq(Cat(dropped, catch_up[0]))",
        "catch_up.eq(Cat(dropped, dropped))",
        "test_slow_consumer_gets_every_row",
        "a row is left out after one that was dropped twice",
    ),
    _fault(
        "psum/drain",
        "self._order(m, cursor, next_buffer)",
        "self._order(m, cursor, buffer)",
        "test_corner",
        "the order of rows is that of the m tile before",
    ),
    _fault(
        "psum/drain",
        "odd = bank_of(c, Cat(0, address))",
        "odd = bank_of(c, Cat(1, address))",
        "test_random_stream",
        "the other bank's touch map",
    ),
    _fault(
        "psum/bank",
        "dirty.look.eq(self.look.row)",
        "dirty.look.eq(self.drain.row)",
        "test_corner",
        "a row late",
    ),
    _fault(
        "psum/bank",
        "(update & self.drain.dirty)",
        "(update & self.dirty)",
        "test_random_stream",
        "the row after it decides whether a row is read",
    ),
    _fault(
        "psum/drain",
        "capture | (self.o.valid & ~self.o.ready)",
        "capture",
        "test_slow_consumer_gets_every_row",
        "a row leaves before it is taken",
    ),
    fault("clean last planes are left out", "psum/drain", "self.inside) | self.last_plane)", "self.inside))", ORDER),
    fault("a place has rows of the next one", "psum/drain", "(dirty & self.inside) |", "dirty |", ORDER),
    fault("a dropped row comes with all planes", "psum/drain", "asked.left, place.marks", "-1, place.marks", ORDER),
    fault("windows end with their first word", "psum/dirty", "self.look[low:] + 1", "self.look[low:]", ORDER),
    fault("planes of a place begin anew", "psum/drain", "row.first.eq(~same)", "row.first.eq(1)", ORDER),
    fault(
        "the next run is drained with the layer of this one",
        "psum/drain",
        "some.eq(left != 1)",
        "some.eq(1)",
        OVERLAP + "test_the_next_run_is_not_drained_before_it_starts",
    ),
    fault(
        "rows start before they are loaded",
        "sequencer/scheduler",
        " & self.rows_loaded & known",
        " & known",
        OVERLAP + BESIDE,
    ),
    fault(
        "rows start before the rules are known",
        "sequencer/scheduler",
        " & known & ~broken):",
        " & ~broken):",
        OVERLAP + BESIDE,
    ),
    fault(
        "rows of a RUN that breaks a rule start",
        "sequencer/scheduler",
        "broken = self.bad_product | self.weights_outside",
        "broken = self.weights_outside",
        OVERLAP + "test_rows_of_a_run_that_will_be_refused_do_not_start",
    ),
    fault(
        "rows start twice",
        "sequencer/scheduler",
        "rows_start.eq(~self.rows_ahead)",
        "rows_start.eq(1)",
        OVERLAP + BESIDE,
    ),
    fault(
        "a load behind parameters is not seen",
        "loader/loader",
        "rows_busy.eq((jobs.level != 0) | ",
        "rows_busy.eq(",
        OVERLAP + "test_only_parameters_may_be_under_way",
    ),
    fault("what rows lack is told too early", "datapath", "lacking & ~scheduler.rows_ahead", "lacking", BEFORE),
    fault("what rows lack is forgotten", "datapath", "lacking & scheduler.rows_ahead", "0", BEFORE),
    dict(
        file="hw/detector/detector.py",
        original="(group.tile.mode != PRODUCT)",
        mutated="(group.tile.mode[1])",
        test="tests/hw/test_frontend.py::test_modes",
        fault="rows of a bit-sparse RUN take prefixes",
    ),
    dict(
        file="hw/detector/pruner.py",
        original="has & (rest == 0)",
        mutated="rest == 0",
        test="tests/hw/test_frontend.py::test_modes",
        fault="a row without bits of a dense tile is taken for an exact match",
    ),
    dict(
        file="hw/detector/pruner.py",
        original="Mux(found.mode == DENSE, every, rest)",
        mutated="rest",
        test="tests/formal/test_frontend_proofs.py::test_modes_take_what_they_say",
        fault="zero bits of a dense tile take no slot",
    ),
    dict(
        file="hw/sorter/tile_loader.py",
        original="beat.tile.rows > before + r",
        mutated="beat.tile.rows > r",
        test="tests/hw/test_frontend.py::test_modes",
        fault="a dense tile has rows behind its last one",
    ),
    dict(
        file="hw/loader/used_rows.py",
        original="run.mode == DENSE",
        mutated="run.mode == 3",
        test="tests/estimate/exact/test_modes.py::test_every_mode_is_exact",
        fault="a dense RUN does not fetch the weights of zero bits",
    ),
    dict(
        file="hw/processor/layouts.py",
        original="mine & bank_bits(row.residual, bank, c.weight_banks) if c.modes else mine",
        mutated="mine",
        test="tests/estimate/exact/test_modes.py::test_every_mode_is_exact",
        fault="a zero bit that takes a slot adds its weight",
    ),
    dict(
        file="hw/processor/weight_buffer.py",
        original="if len(rows) == 1 and not self.config.modes:",
        mutated="if len(rows) == 1:",
        test="tests/estimate/exact/test_modes.py::test_every_mode_is_exact",
        fault="a single bank of weights gives what it has, also where nothing is wanted",
    ),
    dict(
        file="compiler/golden/weights.py",
        original=' | (f["mode"] == DENSE)',
        mutated="",
        test="tests/estimate/exact/test_modes.py::test_every_mode_is_exact",
        fault="the models of a dense RUN fetch only weights of set bits",
    ),
    dict(
        file="estimate/network.py",
        original="run_data(block, block.rows,",
        mutated="run_data(block, trace.packed,",
        test="tests/estimate/exact/test_modes.py::test_every_mode_is_exact",
        fault="the cycle model of a dense RUN visits only rows with bits",
    ),
    dict(
        file="compiler/emit.py",
        original='if self.mode != "product":',
        mutated='if self.mode == "dense":',
        test="tests/estimate/exact/test_modes.py::test_each_mode_costs_what_it_does_not_leave_out",
        fault="a bit-sparse network is compiled as a product-sparse one",
    ),
]
