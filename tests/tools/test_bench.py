"""tools.bench: finds benchmarks, runs the chosen ones, keeps the others' figures."""

import json
import sys

import pytest
from typer.testing import CliRunner

from reprise.compiler import compile_network
from reprise.estimate.network import Part, SystemTiming, estimate_image
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.support.errors import RepriseError
from tools import bench
from tools.benches import presets
from tools.tables import record

BODY = '''
from tools.bench import Skip

def bench_one():
    """First."""
    return {"seconds": 0.25, "rows": 1234}

def bench_two():
    """Second."""
    raise Skip("no data")

def helper():
    raise AssertionError
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    package = tmp_path / "fakebench"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "topic.py").write_text(BODY)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = bench.discover(package, "fakebench")
    monkeypatch.setattr(bench, "discover", lambda: found)
    yield tmp_path
    sys.modules.pop("fakebench.topic", None), sys.modules.pop("fakebench", None)


def call(*arguments):
    return CliRunner().invoke(bench.app, list(arguments))


def test_benchmarks_are_found_by_name():
    assert {"model.lenet5", "model.sample", "model.large", "model.network", "runs.first", "runs.again"} <= set(
        bench.discover()
    )


def test_results_are_printed_written_and_kept(folder):
    out = folder / "bench.json"
    first = call("--out", str(out))
    assert first.exit_code == 0 and "1,234" in first.output and "no data" in first.output
    assert json.loads(out.read_text())["results"] == {
        "topic.one": {"seconds": 0.25, "rows": 1234},
        "topic.two": {"skipped": "no data"},
    }
    assert call("topic.two", "--out", str(out)).exit_code == 0
    assert "topic.one" in json.loads(out.read_text())["results"]
    assert json.loads(out.read_text())["machines"]["topic"]["cores"] >= 1


def test_a_failing_benchmark_fails_the_command_and_unknown_names_are_refused(folder, monkeypatch):
    with pytest.raises(RepriseError, match="NAME must be the beginning of one of topic.one, topic.two, not 'nothing'"):
        raise call("topic.one", "nothing").exception
    monkeypatch.setattr(bench, "discover", lambda: {"bad.one": lambda: 1 / 0})
    assert call("--out", str(folder / "x.json")).exit_code == 1


@pytest.mark.parametrize(
    ("network", "images", "runs"), [("digits", 8, ("first", "again")), ("digits", 40, ("images",))]
)
def test_the_recorded_runs_took_the_cycles_of_now(network, images, runs):
    """Their seconds are of one machine; their cycles are those of the shipped network, by the exact cycle model."""
    config = HardwareConfig.load("paper")
    file = open_network(network, config)
    compiled = compile_network(file.network, config, images, keep_features=True)
    part = Part.run(file.network, choose_images(file, images, 0).images)
    total = estimate_image(compiled, [part], timing=SystemTiming())[0]["total"]
    for run in runs:
        measured = record("bench")["results"][f"runs.{run}"]["cycles"]
        assert measured == total["cycles"]["cycle_model"], "python -m tools.bench runs --out docs/measured/bench.json"


def test_best_takes_the_fastest_after_a_warm_up():
    calls = []
    assert bench.best(lambda: calls.append(1), 3) >= 0 and len(calls) == 4


def test_cycles_of_presets_are_those_of_the_model():
    """On both buses, for one of the networks; the captures are not in the repository."""
    assert record("bench")["results"]["presets.digits"] == presets.bench_digits()
