"""The report and the page of ``reprise energy``: columns add up by layer and by block, and DRAM stands apart."""

import pytest

from reprise.flow.asic.memories import build
from reprise.flow.energy import page
from reprise.flow.energy.account import Account
from reprise.flow.energy.fields import Energy
from reprise.flow.energy.measure import COLUMNS, LIMITS, figures
from reprise.flow.energy.replay import Replay
from tests.flow.chip.design import simulate, small, sources, stimulus

LAYERS = [("one", 0, 90), ("two", 90, 160), ("end of the job", 160, 200)]
MOVED = {"one": (100, 28), "two": (50, 6), "end of the job": (8, 0)}
COUNTS = {"one": 4.0, "two": 3.5}


@pytest.fixture(scope="module")
def report():
    mapped = small()
    windows = [(first, last) for _, first, last in LAYERS]
    states = simulate(mapped, stimulus(200, seed=2))
    activity = Replay(mapped.netlist, mapped.library).run(sources(mapped, states), windows)
    built = [build(memory, mapped.library) for memory in mapped.netlist.memories]
    account = Account(mapped.netlist, mapped.library, built, 4.0)
    energies = account.energies(activity, [last - first for first, last in windows], 10.0)
    rows = [{"name": name, "bytes_read": read, "bytes_written": written} for name, (read, written) in MOVED.items()]
    cosimulation = {"layers": rows[:-1], "rest": rows[-1]}
    return {
        "format": 2,
        "kind": "energy",
        "date": "2026-01-01T00:00:00Z",
        "command": None,
        "versions": {},
        "network": "n",
        "images": 1,
        "configuration_name": "small",
        "netlist": "0",
        "configuration": {},
        "library": {"name": "l", **mapped.library.source},
        "period_ns": 10.0,
        "wire_ff": 4.0,
        "replay": {"compared_bits": activity.checked, "differing_bits": activity.wrong},
        **figures(cosimulation, LAYERS, energies, mapped.netlist.blocks, COUNTS),
        "limits": mapped.library.limits(LIMITS),
    }


def test_columns_add_up(report):
    Energy.model_validate(report)
    total = report["total"]
    for name in (*COLUMNS, "chip_nj"):
        assert total[name] == pytest.approx(sum(one[name] for one in report["layers"]), abs=2e-3)
        assert total[name] == pytest.approx(sum(one[name] for one in report["blocks"]), abs=2e-3)
    for one in [*report["layers"], *report["blocks"], total]:
        assert one["chip_nj"] == pytest.approx(sum(one[name] for name in COLUMNS), abs=1e-3) and one["chip_nj"] > 0
    assert total["chip_nj"] == pytest.approx(sum(total["parts_nj"].values()), abs=1e-3)
    assert [one["name"] for one in report["blocks"]] != [] and total["cycles"] == 200
    assert [one["cycles"] for one in report["layers"]] == [90, 70, 40]


def test_what_stands_beside_the_sum(report):
    total = report["total"]
    assert [one["dram_nj"] for one in report["layers"]] == pytest.approx([128 * 8 * 0.01245, 56 * 8 * 0.01245, 0.7968])
    assert [one["operation_count_nj"] for one in report["layers"]] == [4.0, 3.5, 0.0]
    assert total["operation_count_nj"] == 7.5
    half, twice = (total["chip_nj_by_wire"][name] for name in ("half", "twice"))
    assert half == pytest.approx(total["chip_nj"] - total["wires_nj"] / 2, abs=1e-3)
    assert twice == pytest.approx(total["chip_nj"] + total["wires_nj"], abs=1e-3)
    assert total["chip_nj_as_built"] >= total["chip_nj"]


def test_the_page_shows_every_bar_and_what_it_leaves_out(report):
    text = page.page(report)
    assert text.count('<div class="track">') == len(report["layers"]) + len(report["blocks"])
    assert "0 of 6,766 bits" in text and all(limit.split(",")[0] in text for limit in report["limits"])
    assert "http" not in text.replace(report["library"]["repository"], "")
