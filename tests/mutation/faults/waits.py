"""Deliberate faults in what loads wait for, and the test that must catch each."""

from tests.mutation.runner import fault

WRITE = "tests/hw/axi/test_write.py::test_older_runs_are_answered"
LOADER = "tests/hw/sequencer/test_overlap.py::test_a_load_waits_for_writes_and_the_loads_behind_it_wait_with_it"
ORDER = "tests/hw/sequencer/test_scheduler.py::test_dispatch_order"
LAYERS = "tests/estimate/exact/test_waits.py::test_layers_overlap"
PREPARED = "with m.If(self.prepared & ~self.run_busy):"
OUTPUT = "estimate/cycles/blocks/output.py"
NETWORKS = "tests/estimate/test_cycles.py::test_random_networks"
INTERPRETER = "tests/compiler/test_interpreter_errors.py::test_a_load_that_waits_for_too_little_is_found"


MUTATIONS = [
    fault("runs that start are not counted", "axi/write", "runs + self.i_start - ends", "runs - ends", WRITE),
    fault("a run is answered with its first burst", "axi/write", "answered & lasts.o.payload", "answered", WRITE),
    fault("no burst is the last of a run", "axi/write", "last.eq(finished)", "last.eq(0)", WRITE),
    fault("the last run counts as an older one", "axi/write", "eq(runs[1:] == 0)", "eq(runs == 0)", WRITE),
    fault("a run's fields are the next one's", "sequencer/scheduler", PREPARED, "with m.If(self.prepared):", NETWORKS),
    fault("cycles: no level waits for the pool", OUTPUT, "not out.skid_full\n", "into\n", NETWORKS),
    fault("a load does not wait for writes", "loader/loader", "some & ~self.waiting", "some", LOADER),
    fault("a load waits for older runs only", "loader/loader", "Mux(job.wait == Wait.ALL, self", "Mux(0, self", LOADER),
    fault("a load waits for all runs", "loader/loader", "Mux(job.wait == Wait.ALL, self", "Mux(1, self", LOADER),
    fault("the wait of a load is dropped", "sequencer/scheduler", "load.wait.eq(view.wait)", "load.wait.eq(0)", ORDER),
    fault(
        "a load does not wait for the run in progress",
        "datapath",
        "scheduler.writes_idle & ~scheduler.run_busy)",
        "scheduler.writes_idle)",
        LAYERS,
    ),
    fault(
        "parameters overtake the run in progress",
        "datapath",
        "core.i_params.ready & (~scheduler.run_busy | scheduler.run_ends)",
        "core.i_params.ready",
        NETWORKS,
    ),
    fault(
        "parameters wait a cycle more for the run in progress",
        "datapath",
        "(~scheduler.run_busy | scheduler.run_ends)",
        "~scheduler.run_busy",
        NETWORKS,
    ),
    fault(
        "compiler: a load waits for older runs only",
        "compiler/schedule/writes.py",
        "Wait.ALL if last == self.runs else Wait.OLDER",
        "Wait.OLDER",
        INTERPRETER,
    ),
    fault(
        "compiler: a load waits for too many runs",
        "compiler/schedule/writes.py",
        "Wait.ALL if last == self.runs else Wait.OLDER",
        "Wait.ALL",
        INTERPRETER,
    ),
    fault(
        "compiler: a part of a map is not told from another",
        "compiler/schedule/writes.py",
        " and meet(self.lines, other.lines)",
        "",
        INTERPRETER,
    ),
    fault(
        "interpreter: a load that waits for older runs may read all",
        "compiler/golden/memory.py",
        "self._runs - (wait is Wait.OLDER)",
        "self._runs",
        "tests/compiler/test_interpreter_errors.py::test_a_load_that_waits_for_too_little_is_found[shape1-2]",
    ),
    fault(
        "interpreter: weights may be read when loads have waited",
        "compiler/golden/memory.py",
        "self._early if early else self._answered",
        "self._answered",
        "tests/compiler/test_interpreter_errors.py::test_weights_are_fetched_before_the_loads_of_their_run",
    ),
    fault(
        "positions: an m tile does not wait until its buffer is drained",
        "compiler/rows/positions.py",
        "max(computed, drained[0])",
        "max(computed, 0)",
        "tests/compiler/rows/test_positions.py",
    ),
    fault(
        "positions: an m tile cuts images in different ways",
        "compiler/rows/positions.py",
        "for n in range(1, positions // line + 1) if positions // line % n == 0]",
        "for n in range(1, positions // line + 1)]",
        "tests/compiler/rows/test_positions.py",
    ),
]
