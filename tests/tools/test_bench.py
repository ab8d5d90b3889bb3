"""tools.bench: finds benchmarks, runs the chosen ones, keeps the others' figures."""

import json
import sys

import pytest
from typer.testing import CliRunner

from reprise.support.errors import RepriseError
from tools import bench

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
    (package / "bench_topic.py").write_text(BODY)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = bench.discover(package, "fakebench")
    monkeypatch.setattr(bench, "discover", lambda: found)
    yield tmp_path
    sys.modules.pop("fakebench.bench_topic", None), sys.modules.pop("fakebench", None)


def call(*arguments):
    return CliRunner().invoke(bench.app, list(arguments))


def test_benchmarks_are_found_by_name():
    assert {"model.lenet5", "model.sample", "model.large", "model.network"} <= set(bench.discover())


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
    assert json.loads(out.read_text())["machine"]["cores"] >= 1


def test_a_failing_benchmark_fails_the_command_and_unknown_names_are_refused(folder, monkeypatch):
    with pytest.raises(RepriseError, match="NAME must be the beginning of one of topic.one, topic.two, not 'nothing'"):
        raise call("topic.one", "nothing").exception
    monkeypatch.setattr(bench, "discover", lambda: {"bad.one": lambda: 1 / 0})
    assert call("--out", str(folder / "x.json")).exit_code == 1


def test_best_takes_the_fastest_after_a_warm_up():
    calls = []
    assert bench.best(lambda: calls.append(1), 3) >= 0 and len(calls) == 4
