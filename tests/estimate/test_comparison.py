"""Reports side by side: figures by hand, what is slower and why, and files that cannot be compared."""

import json

import fastjsonschema
import pytest

from reprise.cosim.report import comparison as pages
from reprise.cosim.report.fields import SCHEMA
from reprise.estimate import comparison, helps
from reprise.estimate.helps import Work, fields_alone, timed
from reprise.estimate.network import SystemTiming, estimate
from reprise.estimate.report.comparison_fields import Comparison
from reprise.estimate.report.head import head
from reprise.estimate.tables import comparison_lines, fact_lines
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise

TINY = HardwareConfig.load("tiny")
check = fastjsonschema.compile(json.loads(SCHEMA.read_text()))


def area(luts):
    return {
        "family": "ECP5",
        "source": "estimated",
        "luts": luts,
        "flip_flops": 2,
        "block_rams": 3,
        "multipliers": 4,
        "fits": {"LFE5U-25k": luts < 100, "LFE5U-85k": luts < 1000},
    }


@pytest.fixture(scope="module")
def digits():
    return open_network("digits", TINY)


@pytest.fixture(scope="module")
def reports(digits):
    """Estimates of digits on three configurations, with areas by hand; the second is slower, the third is faster."""
    found = []
    for name, changes, luts in (("base", {}, 500), ("slow", {"lanes": 4}, 600), ("fast", {"neuron_lanes": 8}, 5000)):
        config = TINY.replace(**changes)
        one = estimate(digits.network, config, digits.images[:1], limits=True)
        extra = {"kind": "estimate", "configuration_name": name, "configuration_preset": {}, "area": area(luts)}
        found.append(head("estimate") | one | extra)
    return found


@pytest.fixture(scope="module")
def compared(reports, digits):
    work = Work(network=digits.network, config=TINY, images=digits.images[:1], timing=SystemTiming())
    cycles = reports[0]["total"]["cycles"]["cycle_model"]
    alone = [fields_alone(work, cycles, HardwareConfig.from_dict(one["configuration"])) for one in reports]
    return comparison.compare(reports, ["a.json", "b.json", "c.json"], alone)


def test_rows_are_the_figures_of_the_reports(reports, compared):
    Comparison.model_validate(compared)
    assert [row["name"] for row in compared["rows"]] == ["conv1", "conv2", "fc1", "readout", "end of the job", "total"]
    assert [column["name"] for column in compared["columns"]] == ["base", "slow", "fast"]
    for n, report in enumerate(reports):
        layers = [one["cycles"]["cycle_model"] for one in (*report["layers"], report["rest"], report["total"])]
        assert [row["cycles"][n] for row in compared["rows"]] == layers
        assert sum(layers[:-1]) == layers[-1]
        for row in compared["rows"]:
            assert row["cycles_percent"][n] == pytest.approx(100 * row["cycles"][n] / row["cycles"][0] - 100, abs=0.006)
    assert compared["differing_fields"] == {"lanes": [8, 4, 8], "neuron_lanes": [4, 4, 8]}
    facts = dict((row[0], row[1:]) for row in fact_lines(compared).rows)
    assert facts["LUT4s"] == ("500", "600", "5,000") and facts["fits"] == ("LFE5U-85k", "LFE5U-85k", "no ECP5")


def test_it_says_what_is_slower_and_why(compared, digits):
    """Half the lanes take more cycles: the reason is that field alone, and layers have twice as many RUNs."""
    by = {column["name"]: one for column, one in zip(compared["columns"][1:], compared["differences"], strict=True)}
    assert by["slow"]["cycles_percent"] > 0 > by["fast"]["cycles_percent"]
    (alone,) = by["slow"]["fields_alone"]
    assert alone["change"] == {"lanes": 4} and alone["cycles_percent"] == by["slow"]["cycles_percent"]
    worst = by["slow"]["slower_layers"][0]
    assert worst["layer"] == "conv2" and worst["runs"][1] == 2 * worst["runs"][0]
    rows = {row["name"]: row["cycles"] for row in compared["rows"]}
    assert worst["more_cycles"] == rows["conv2"][1] - rows["conv2"][0]
    text = comparison.verdicts(compared)
    assert text[0].startswith("slow takes ") and "although it is larger (20 % more LUTs): it is SLOWER" in text[0]
    assert any("lanes 4 +" in line for line in text) and any("conv2" in line for line in text)
    assert text[-1].startswith("fast takes ") and "fewer cycles than base, with 900 % more LUTs" in text[-1]
    fastest = {row[0]: row[-1] for row in comparison_lines(compared).rows}
    assert fastest["total"] == "fast"


def test_times_are_said_where_cycles_of_the_batch_do_not_tell_them(reports):
    def with_speed(report, image_cycles, mhz):
        clock = {"mhz": mhz, "source": "given"}
        return report | {
            "speed": {"clock": clock, "image_cycles": image_cycles, "image_microseconds": 1.0}
            | {"batch_microseconds": 2000 / mhz, "frames_per_second": 3.0}
        }

    def said(*speeds):
        found = [with_speed(report, *speed) for report, speed in zip(reports, speeds, strict=False)]
        return comparison.verdicts(comparison.compare(found, ["a.json", "b.json"]))

    assert "  One image alone takes 10.0 % fewer cycles: 900 instead of 1,000." in said((1000, 80.0), (900, 80.0))
    assert not any("alone takes" in line or "clocks" in line for line in said((1000, 80.0), (1100, 80.0)))
    told = said((1000, 80.0), (1100, 100.0))
    assert told[-1] == "  At their clocks, 100 MHz (given) and 80 MHz (given), it takes 20.0 us instead of 25.0 us."


def test_the_same_twice_is_no_difference(reports):
    found = comparison.compare([reports[0], reports[0]], ["a.json", "b.json"])
    assert [column["name"] for column in found["columns"]] == ["a.json", "b.json"] and not found["differing_fields"]
    assert comparison.verdicts(found) == ["b.json takes as many cycles as a.json."]
    assert {row[-1] for row in comparison_lines(found).rows} == {"all equal"}
    both = comparison.compare([reports[0], reports[0]], ["a.json", "a.json"])
    assert [column["name"] for column in both["columns"]] == ["base (1)", "base (2)"]


def test_a_report_without_area_can_be_compared(reports):
    """A Python program's estimate has none if nobody asked."""
    bare = {key: value for key, value in reports[1].items() if key != "area"}
    found = comparison.compare([reports[0], bare], ["a.json", "b.json"])
    Comparison.model_validate(found)
    facts = dict((row[0], row[1:]) for row in fact_lines(found).rows)
    assert facts["LUT4s"] == ("500", "-") and facts["fits"] == ("LFE5U-85k", "-")
    assert "it is SLOWER" in comparison.verdicts(found)[0] and "LUTs" not in comparison.verdicts(found)[0]
    assert "LUT4s" not in [row[0] for row in fact_lines(comparison.compare([bare, bare], ["a", "b"])).rows]


def test_other_work_and_other_layers_are_said(reports):
    other = json.loads(json.dumps(reports[0])) | {"network": "another", "images": 3, "configuration_name": "other"}
    other["layers"][0]["name"] = "first"
    found = comparison.compare([reports[0], other], ["a.json", "b.json"])
    rows = {row["name"]: row["cycles"] for row in found["rows"]}
    assert rows["first"][0] is None and rows["conv1"][1] is None and rows["total"][0] == rows["total"][1]
    assert any("not the same work: another with 3 images" in line for line in comparison.verdicts(found))
    assert [row[1] for row in comparison_lines(found).rows if row[0] == "first"] == ["-"]
    assert "first" not in [row.name for row in pages.ratio_rows(found)[0]]


def test_bars_of_the_page_are_ratios_to_the_first(compared):
    rows, whole = pages.ratio_rows(compared)
    lengths = [piece.percent for row in rows for piece in row.pieces]
    assert max(lengths) == pytest.approx(pages.ROOM)
    for row, figures in zip(rows, compared["rows"], strict=True):
        for piece, cycles in zip(row.pieces, figures["cycles"], strict=True):
            assert piece.percent / whole == pytest.approx(cycles / figures["cycles"][0])
    text = pages.page(compared)
    assert "it is SLOWER" in text and text.count("cycles</title>") == 0 and "http" not in text
    assert len({pages.colour(n) for n in range(8)}) == 8 and pages.colour(8) == pages.colour(1)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 2}', '{"kind": "density", "format": 2}', '{"kind": "estimate", "format": 1}']
)
def test_what_is_no_report_is_refused_by_name(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(RepriseError, match=r"REPORT must be a report.json of reprise cosim.*x\.json"):
        comparison.read_report(str(tmp_path / "x.json"))


def test_the_commands(tmp_path, monkeypatch):
    """Several configurations at once, and their files compared, give the same figures and the same verdict."""
    monkeypatch.setattr(helps.model, "predict", lambda config, known: pytest.fail("no area is estimated"))
    monkeypatch.setattr("reprise.estimate.report.speed.area_of", lambda config: area(100 * config.lanes))
    files = [tmp_path / name for name in ("a.json", "b.json", "both.json", "page.html")]
    both = "tiny,tiny:lanes=4:neuron_lanes=2"
    for config, file in zip(both.split(","), files, strict=False):
        name, *changes = config.split(":")
        sets = [part for change in changes for part in ("--set", change)]
        assert reprise("estimate", "digits", "--config", name, *sets, "--json", file).code == 0
    done = reprise("estimate", "digits", "--config", both, "--json", files[2], "--html", files[3])
    again = reprise("compare", files[0], files[1], "--json", tmp_path / "again.json")
    assert (done.code, again.code) == (0, 0) and "it is SLOWER" in done.out and "it is SLOWER" in again.out
    one, other = (json.loads(path.read_text()) for path in (files[2], tmp_path / "again.json"))
    for found in (one, other):
        check(json.loads(json.dumps(found)))  # it fills in defaults
    assert one["rows"] == other["rows"] and one["differing_fields"] == other["differing_fields"]
    assert [column["name"] for column in one["columns"]] == ["tiny", "tiny-lanes4-neuron_lanes2"]
    assert "fields_alone" in one["differences"][0] and "fields_alone" not in other["differences"][0]
    assert "tiny-lanes4-neuron_lanes2" in files[3].read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["compare", "FILE"], "REPORT must be two reports or more"),
        (["compare", "FILE", "FILE"], "REPORT must be a report.json of reprise cosim"),
        (["estimate", "digits", "--config", "tiny,tiny"], "--config must be different configurations"),
        (["estimate", "digits", "--config", "tiny,tiny:lanes=9"], "lanes must be a multiple of neuron_lanes=4"),
        (["estimate", "digits", "--config", "tiny,small", "--helps"], "--helps must be left out"),
        (["estimate", "digits", "--config", "tiny", "--html", "x.html"], "--html must be left out"),
    ],
)
def test_mistakes_are_told(arguments, message, tmp_path):
    (tmp_path / "no.json").write_text("{}")
    done = reprise(*(tmp_path / "no.json" if part == "FILE" else part for part in arguments))
    assert done.code == 2 and message in done.err and not done.out


@pytest.mark.parametrize("name", ["digits", "lenet5"])
def test_two_banks_beside_one_with_a_batch(name):
    """With two queries and a bus of 256 bits, too: each does little alone, and two banks cost with one query."""
    config, larger = HardwareConfig.load("paper"), {"banks": 2, "queries": 2, "bus_bits": 256}
    two = config.replace(**larger)
    file = open_network(name, config)
    images = choose_images(file, 8, 0).images
    one_bank, two_banks = (timed(file.network, c, images, SystemTiming()).total for c in (config, two))
    assert two_banks < one_bank
    if name == "digits":
        assert one_bank == 8_365
        work = Work(network=file.network, config=config, images=images, timing=SystemTiming())
        alone = fields_alone(work, one_bank, two)
        assert alone[0]["change"] == {"banks": 2} and alone[0]["cycles_percent"] > 5 > alone[1]["cycles_percent"]
        assert alone[-1]["change"] == {"queries": 2} and alone[-1]["cycles_percent"] < 0
        assert [one["cycles"] for one in alone] == [8_949, 8_369, 8_356]
