"""Deliberate faults in max pools whose windows overlap, each with its test."""

from tests.mutation.runner import fault

LINES = "tests/hw/output/test_line_pool.py"
CUT = "tests/cosim/soak/test_pools.py::test_a_map_in_stripes_and_columns_equals_the_models_in_every_byte_and_cycle"
APART = "tests/compiler/rows/test_pools.py"
PRODUCTS = "tests/hw/sequencer/test_products.py"
RULES = "tests/hw/sequencer/test_rules.py"


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
    fault(
        "compiler: a stripe of windows that overlap begins with its own lines",
        "model/network/pool.py",
        "n * self.stride - self.padding for n",
        "n * self.stride for n",
        "tests/model/inference/test_layers.py::test_windows_cover_what_can_change_them",
    ),
    fault(
        "compiler: a line of a pool may be longer than its memory",
        "compiler/plan.py",
        "self._pool_line(cut) <= self.config.pool_words and ",
        "",
        f"{APART}::test_columns_are_cut_where_a_line_does_not_fit_the_memory",
    ),
    fault(
        "compiler: every stripe begins as the first one",
        "compiler/emit.py",
        "int(job.line > 0)",
        "0",
        f"{APART}::test_stripes_go_on_below_each_other",
    ),
    fault(
        "compiler: levels above 1 are pooled as spikes",
        "compiler/rows/pools.py",
        "if layer.neuron.levels > 1:",
        "if False:",
        f"{APART}::test_levels_are_not",
    ),
    fault(
        "cycles: a pool of lines takes no cycles",
        "estimate/cycles/blocks/pool.py",
        "given = _stage(o, 1, given, last_line, takes)",
        "given = given if last_line else -1",
        CUT,
    ),
    fault("cycles: an odd map ends late", "estimate/cycles/blocks/pool.py", "odd != 0 and left == 1", "False", CUT),
    fault(
        "checker: of a flag of several bits the lowest one counts",
        "interface/checker",
        "return flag if len(flag) == 1 else flag != 0",
        "return flag[0]",
        f"{RULES}::test_comparators_and_software_agree",
    ),
]
