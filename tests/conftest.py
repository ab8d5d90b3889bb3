"""The quick tier: which tests belong to it, and what they may not do.

``pytest -m quick`` (in ``make check``) is for every change: the model, the compiler and the support room as a whole,
and a few directed tests of each box of the hardware in Amaranth's simulator. A quick test loads no torch and builds
nothing with Verilator: both are made impossible while one runs.
"""

import sys
from pathlib import Path

import pytest

from reprise.support.collector import collect_rarely

ROOT = Path(__file__).resolve().parents[1]

QUICK = (
    "tests/compiler/",
    "tests/model/",
    "tests/mutation/",
    "tests/support/",
    "tests/reprise/test_layout.py",
    "tests/reprise/test_pages.py",
    "tests/reprise/test_paths_in_sources.py",
    "tests/reprise/test_quick.py",
    "tests/hw/test_config.py",
    "tests/hw/test_frontend.py::test_latency_of_a_lone_tile",
    "tests/hw/arch/test_feature_map.py::test_a_line_by_hand",
    "tests/hw/axi/test_read.py::test_read_sustains_the_bus",
    "tests/hw/axi/test_write.py::test_write_rate_and_bursts",
    "tests/hw/csr/test_csr.py::test_pulses_and_clearing",
    "tests/hw/detector/test_detector.py::test_reset_forgets_rows_that_were_taken",
    "tests/hw/detector/test_dispatcher.py::test_latency",
    "tests/hw/detector/test_pruner.py::test_bench_agrees_with_the_detectors",
    "tests/hw/im2col/test_im2col.py::test_throughput_is_one_segment_per_cycle",
    "tests/hw/lib/test_fifo.py::test_fills_and_drains",
    "tests/hw/lib/test_fanout.py::test_value_of_the_cycle_before",
    "tests/hw/loader/test_weights.py::test_weight_rows[{}-0-0]",
    "tests/hw/neurons/test_cycles.py::test_latency",
    "tests/hw/neurons/test_array.py::test_oracle_without_the_model",
    "tests/hw/output/test_max_pool.py::test_maximum_anywhere_in_the_window",
    "tests/hw/output/test_plane_encoder.py::test_every_level_as_the_model_encodes_it",
    "tests/hw/output/test_line_packer.py::test_two_words_at_the_end_of_a_line_cost_one_cycle",
    "tests/hw/output/test_writer.py::test_latency_and_throughput",
    "tests/hw/processor/test_cycles.py",
    "tests/hw/psum/test_row_order.py::test_drain_gives_a_row_per_cycle",
    "tests/hw/sequencer/test_fetch.py::test_good_commands[64]",
    "tests/hw/sequencer/test_scheduler.py::test_dispatch_order",
    "tests/hw/sorter/test_sorter.py::test_latency_of_lone_tiles",
)
"""Beginnings of the names of quick tests."""

NOT_QUICK = ("tests/compiler/test_plan.py", "tests/compiler/products/")
"""What begins so and takes too long: it waits for ``make test``."""

LONG = (
    "tests/flow/test_handoff.py",
    "tests/reprise/test_wheel.py",
    "tests/hw/test_core.py",
    "tests/hw/processor/test_processor.py",
    "tests/estimate/test_cycles.py",
    "tests/hw/neurons/test_array.py",
    "tests/flow/test_host_c.py",
    "tests/flow/test_host_python.py",
    "tests/formal/test_frontend_proofs.py",
)
"""Files that take longest and come first, so that no worker of xdist ends long after the others (``--dist loadfile``:
a file's tests stay together, for what they share is made once)."""

HEAVY = ("torch", "verilator", "cocotb")
"""Packages that no quick test may import."""


def is_quick(name: str) -> bool:
    return name.startswith(QUICK) and not name.startswith(NOT_QUICK)


def only_quick(config) -> bool:
    return config.option.markexpr == "quick"


def pytest_configure(config):
    collect_rarely()
    if only_quick(config):
        sys.modules.update(dict.fromkeys(HEAVY))  # an import of None is an error


def pytest_ignore_collect(collection_path, config):
    """With ``-m quick`` the other files aren't even imported: many of them load torch."""
    if only_quick(config) and collection_path.name.startswith("test_"):
        name = collection_path.relative_to(ROOT).as_posix()
        if not is_quick(name) and not any(one.startswith(f"{name}::") for one in QUICK):
            return True
    return None


def pytest_collection_modifyitems(config, items):
    quick = [item for item in items if is_quick(item.nodeid)]
    for item in quick:
        item.add_marker(pytest.mark.quick)
    items.sort(key=lambda item: next((n for n, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG)))
    if config.args_source == pytest.Config.ArgsSource.TESTPATHS:
        named = QUICK if only_quick(config) else (*QUICK, *LONG)
        stale = [one for one in named if not any(item.nodeid.startswith(one) for item in items)]
        if stale:
            raise pytest.UsageError(f"tests/conftest.py: no test is called {', '.join(stale)}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """In a whole run, where other tests have loaded torch, quick tests and their fixtures still can't import it."""
    if item.get_closest_marker("quick") is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in HEAVY:
            patch.setitem(sys.modules, name, None)
        bench = sys.modules.get("reprise.cosim.bench.verilator")
        if bench:
            patch.setattr(bench, "run_tool", refuse)
        yield


def refuse(*_, what: str, **__):
    raise RuntimeError(f"a quick test must not run Verilator, C++ or make: {what}")
