"""One description of all fields: what commands write is checked against the shipped schema by another program."""

import json
from copy import deepcopy
from importlib import import_module
from pathlib import Path

import fastjsonschema
import pytest
from pydantic import ValidationError

from reprise.cosim.report import fields
from reprise.cosim.report.report import write_json
from reprise.estimate.report import fields as base
from reprise.estimate.report.head import commit
from reprise.model.files.capture import SAMPLE
from tests.reprise.command import reprise

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("bound", "published_model", "bit_sparse", "dense")
check = fastjsonschema.compile(json.loads(fields.SCHEMA.read_text()))


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What each command writes, by the report's kind."""
    out = tmp_path_factory.mktemp("reports")
    common = ["--config", "tiny"]
    commands = {
        "cosimulation": ["cosim", "digits", "--images", 2, "--engine", "interpreter", "--out", out, *common],
        "capture": ["cosim", "--capture", SAMPLE, "--engine", "interpreter", "--out", out / "c", "--config", "small"],
        "estimate": ["estimate", "digits", "--images", 2, "--json", out / "estimate.json", *common],
        "density": ["density", "--sweep", "--json", out / "density.json", *common],
    }
    files = {"cosimulation": "report.json", "capture": "c/report.json"}
    for arguments in commands.values():
        assert reprise(*arguments).code == 0
    return {kind: json.loads((out / files.get(kind, f"{kind}.json")).read_text()) for kind in commands}


def keys(value, path=""):
    """The paths of all keys of a report, lists without their numbers."""
    if isinstance(value, list):
        return {key for one in value for key in keys(one, path)}
    if not isinstance(value, dict):
        return set()
    return {key for name, one in value.items() for key in {f"{path}.{name}", *keys(one, f"{path}.{name}")}}


@pytest.mark.parametrize("kind", ["cosimulation", "capture", "estimate", "density"])
def test_what_commands_write_fits_the_schema(reports, kind):
    report = reports[kind]
    check(report)
    assert report["format"] == base.FORMAT and report["kind"] == (kind if kind != "capture" else "cosimulation")
    fields = [key for key in keys(report) if not key.startswith((".versions.", ".area.fits."))]  # those are names
    assert not [key for key in fields if " " in key or "-" in key]
    for spoilt in (
        {**report, "clock": 3},
        {key: value for key, value in report.items() if key != "date"},
        {**report, "format": 1},
        {**report, "date": "yesterday"},
    ):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(spoilt)


def test_a_wrong_field_deep_inside_is_found(reports, tmp_path):
    """By the schema, and before a report is written."""
    for path, value in ((("layers", 0, "cycles", "own_model"), 3), (("total", "cycles", "bound"), 0.5)):
        spoilt = deepcopy(reports["cosimulation"])
        *way, last = path
        place = spoilt
        for step in way:
            place = place[step]
        place[last] = value
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(spoilt)
        with pytest.raises(ValidationError, match=str(last)):
            write_json(spoilt, tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()


def test_two_reports_call_the_same_thing_the_same(reports):
    """The layers of a co-simulation hold those of the estimate, name by name and, without stalls, value by value."""
    one, other = reports["cosimulation"], reports["estimate"]
    for mine, theirs in zip(one["layers"], other["layers"], strict=True):
        assert {key: theirs["cycles"][key] for key in SHARED} == {key: mine["cycles"][key] for key in SHARED}
        for key in ("counts", "bit_density", "product_density", "alone_cycles", "tiles", "runs"):
            assert mine[key] == theirs[key]
    for report in reports.values():
        assert set(SHARED) <= set(report["total"]["cycles"])


def test_every_field_is_described():
    parts = sorted((ROOT / "estimate" / "report").glob("*fields.py"))
    assert len(parts) >= 4
    described = [
        kind
        for module in (fields, *(import_module(f"reprise.estimate.report.{path.stem}") for path in parts))
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base.Fields)
    ]
    assert len(described) > 20
    for kind in described:
        for name, info in kind.model_fields.items():
            assert info.description, f"{kind.__name__}.{name}"


def test_the_head_says_where_a_report_comes_from(reports, tmp_path):
    head = reports["estimate"]
    assert set(head["versions"]) >= {"python", "reprise", "numpy"}
    assert head["command"] is None, "a test is no command line of reprise"
    known = commit()
    assert known is None or (len(known.rstrip("+")) == 40 and head["commit"] == known)
    assert commit(tmp_path) is None, "a folder outside any checkout"
