"""Deliberate faults in max pools whose windows overlap and in joins behind neurons, each with its test."""

from tests.mutation.runner import fault

LINES = "tests/hw/output/test_line_pool.py"
CUT = "tests/cosim/soak/test_pools.py::test_a_map_in_stripes_and_columns_equals_the_models_in_every_byte_and_cycle"
APART = "tests/compiler/rows/test_pools.py"
PRODUCTS = "tests/hw/sequencer/test_products.py"
JOINS = "tests/hw/output/test_joins.py"
RULES = "tests/hw/sequencer/test_rules.py"
SYSTEM = "tests/cosim/soak/test_joins.py::test_random_networks_equal_the_models_in_every_byte_and_cycle"
BEHIND = "tests/compiler/addends/test_joins.py"
MODEL = "tests/model/network/test_joins.py"
PROOFS = "tests/formal/test_stream_proofs.py"


def _fault(what: str, file: str, original: str, mutated: str, test: str) -> dict:
    return {"fault": what, "file": file, "original": original, "mutated": mutated, "test": test}


MUTATIONS = [
    fault(
        "pool: a window that overlaps another keeps what that one had",
        "output/running_maximum",
        "Mux(held[1].fresh, held[1].item.level, largest)",
        "largest",
        f"{LINES}::test_random",
    ),
    fault(
        "pool: a halo is forgotten",
        "output/line_pool",
        "ends.eq(self.i_halo)",
        "ends.eq(0)",
        f"{LINES}::test_parts_of_a_map",
    ),
    fault(
        "pool: a halo ends a window",
        "output/line_pool",
        "Mux(ends, ~first,",
        "Mux(ends, 1,",
        f"{LINES}::test_parts_of_a_map",
    ),
    fault(
        "pool: the last window of an odd map never ends",
        "output/line_pool",
        "self.i_odd & last)",
        "0)",
        f"{LINES}::test_random",
    ),
    fault(
        "pool: every window of an odd map ends early",
        "output/line_pool",
        "self.i_odd & last)",
        "self.i_odd)",
        f"{LINES}::test_random",
    ),
    fault(
        "pool: an axis goes on in the phase in which the one before ended",
        "output/line_pool",
        "with m.If(self.i_start | (self.i_step & self.o_end)):",
        "with m.If(self.i_start):",
        f"{LINES}::test_random",
    ),
    fault(
        "pool: a window counts although it has not ended",
        "output/line_pool",
        "left.eq(left - self.o_gives)",
        "left.eq(left - 1)",
        "tests/formal/test_stream_proofs.py::test_windows_end_where_they_should",
    ),
    fault(
        "pool: a run that goes on forgets the line above",
        "output/line_pool",
        "first.eq(~(self.i_start & self.i_ready))",
        "first.eq(1)",
        f"{LINES}::test_parts_of_a_map",
    ),
    fault(
        "rules: a pool goes on below a line that nobody kept",
        "arch/rules",
        "return (weights, line) if",
        "return (weights,) if",
        f"{APART}::test_a_run_goes_on_only_below_a_line_that_is_kept",
    ),
    fault(
        "pool: lines lie one behind the other",
        "output/line_pool",
        "place.eq(0), ",
        "",
        f"{LINES}::test_a_line_fills_the_memory",
    ),
    fault("pool: a line ends early", "output/line_pool", "(columns == 1)", "(columns == 2)", f"{LINES}::test_random"),
    fault(
        "pool: a start leaves the line",
        "output/line_pool",
        "with m.If(self.i_start | (accept & line_ends)):",
        "with m.If(accept & line_ends):",
        f"{LINES}::test_start_drops_what_was_left",
    ),
    fault(
        "pool: what pools lines holds nothing back",
        "output/max_pool",
        "Mux(overlaps, lines.i.ready, self.o.ready)",
        "self.o.ready",
        f"{LINES}::test_random",
    ),
    fault(
        "products: overlapping windows take two positions for each output",
        "sequencer/products",
        '+ halo - run[f"pool_odd_{factor.pooled}"]',
        "+ halo",
        PRODUCTS,
    ),
    fault(
        "products: the line of a pool may be of any length",
        "arch/products",
        "*([pool] if c.pool_words else [])",
        "*[]",
        PRODUCTS,
    ),
    fault(
        "products: the line of a pool that has none is limited",
        "sequencer/products",
        "skipped = skipped | (run.pool != OVERLAPPING_POOL)",
        "pass",
        PRODUCTS,
    ),
    _fault(
        "compiler: a stripe of windows that overlap begins with its own lines",
        "model/network/pool.py",
        "n * self.stride - self.padding for n",
        "n * self.stride for n",
        "tests/model/inference/test_layers.py::test_windows_cover_what_can_change_them",
    ),
    _fault(
        "compiler: a line of a pool may be longer than its memory",
        "compiler/plan.py",
        "self._pool_line(cut) <= self.config.pool_words and ",
        "",
        f"{APART}::test_columns_are_cut_where_a_line_does_not_fit_the_memory",
    ),
    _fault(
        "compiler: every stripe begins as the first one",
        "compiler/emit.py",
        "int(job.line > 0)",
        "0",
        f"{APART}::test_stripes_go_on_below_each_other",
    ),
    _fault(
        "compiler: levels above 1 are pooled as spikes",
        "compiler/rows/pools.py",
        "if layer.neuron.levels > 1:",
        "if False:",
        f"{APART}::test_levels_are_not",
    ),
    _fault(
        "cycles: a pool of lines takes no cycles",
        "estimate/cycles/blocks/pool.py",
        "given = _stage(o, 1, given, last_line, takes)",
        "given = given if last_line else -1",
        CUT,
    ),
    _fault("cycles: an odd map ends late", "estimate/cycles/blocks/pool.py", "odd != 0 and left == 1", "False", CUT),
    fault(
        "join: the map that is read has the images of the one that is written",
        "output/joins/places",
        '| {"image_stride": run.join_image}',
        "",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a chunk that ends with a word takes the next one, too",
        "output/joins/places",
        "chunk.width > c.bus_bits",
        "chunk.width >= c.bus_bits",
        f"{JOINS}::test_a_plane_of_a_group_per_cycle",
    ),
    fault(
        "join: all groups are whole",
        "output/joins/places",
        "Mux(chunk.last_group, last_width(c, run.channels), c.neuron_lanes)",
        "c.neuron_lanes",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: of a chunk in two words the first one is asked for again",
        "output/joins/walk",
        "spills.eq(place.spills)",
        "spills.eq(0)",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a request that waits is lost",
        "output/joins/walk",
        "(~wants | free)",
        "1",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a word that was just stored is not seen",
        "output/joins/levels",
        "before = Mux(forward, recent, read.data)",
        "before = read.data",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: the last bits of a chunk are those of its own word",
        "output/joins/levels",
        "self.i.payload[:n])",
        "before[:n])",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: planes of the group before stay",
        "output/joins/levels",
        "m.d.sync += level.eq(bit)",
        "m.d.sync += level[0].eq(bit)",
        f"{JOINS}::test_maps_follow_each_other_and_a_run_without_one_asks_for_nothing",
    ),
    fault(
        "join: a group that waits is overwritten",
        "output/joins/levels",
        "step.eq(cut & (~self.o.valid | self.o.ready))",
        "step.eq(cut)",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: sums are not clipped",
        "output/joins/sum",
        "Mux(total > self.i_levels, self.i_levels, total)",
        "total",
        f"{JOINS}::test_sums_are_clipped_and_wait_for_both",
    ),
    fault(
        "join: fired levels do not wait for stored ones",
        "output/joins/sum",
        "there.eq(~adds | stored.valid)",
        "there.eq(1)",
        f"{JOINS}::test_sums_are_clipped_and_wait_for_both",
    ),
    fault(
        "join: a stored group is taken although none was fired",
        "output/joins/sum",
        "stored.ready.eq(self.o.ready & self.i.valid & adds)",
        "stored.ready.eq(self.o.ready & adds)",
        f"{PROOFS}::test_each_group_is_added_to_the_stored_one_of_its_number",
    ),
    fault(
        "join: a chunk begins with what was just stored of another line",
        "output/joins/levels",
        "forward.eq(valid & (read.addr == write.addr))",
        "forward.eq(valid)",
        f"{PROOFS}::test_a_join_reads_the_levels_of_its_map",
    ),
    fault(
        "checker: of a flag of several bits the lowest one counts",
        "interface/checker",
        "return flag if len(flag) == 1 else flag != 0",
        "return flag[0]",
        f"{RULES}::test_comparators_and_software_agree",
    ),
    _fault(
        "cycles: stored levels are always there",
        "estimate/cycles/blocks/output.py",
        "(out.j_valid and not out.j_popped)",
        "True",
        SYSTEM,
    ),
    _fault(
        "joins: a join whose clip is kept is computed behind neurons",
        "compiler/rows/joins.py",
        '(n.reset == "soft" and never)',
        'n.reset == "soft"',
        f"{BEHIND}::test_which_are_computed_behind_neurons",
    ),
    _fault(
        "joins: a branch that others read is computed behind neurons",
        "compiler/rows/joins.py",
        "readers[fired] == 1",
        "readers[fired] >= 1",
        f"{BEHIND}::test_which_are_computed_behind_neurons",
    ),
    _fault(
        "joins: every part along K adds levels",
        "compiler/rows/split.py",
        "addend=addend, join=None",
        "addend=addend",
        f"{BEHIND}::test_parts_of_a_layer_and_a_static_image_add_levels_once",
    ),
    _fault(
        "emitter: nothing waits for stored levels",
        "compiler/emit.py",
        "if work.join:",
        "if False:",
        f"{BEHIND}::test_random_networks_are_equal_both_ways",
    ),
    _fault(
        "model: a join has the level of its neurons",
        "model/network/layer.py",
        "return self.join.levels if self.join else self.neuron.levels",
        "return self.neuron.levels",
        f"{MODEL}::test_levels_are_added_behind_the_neurons_and_clipped",
    ),
]
