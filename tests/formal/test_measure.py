"""Every proof stands in the record of proofs, and has a fault that it must refute."""

import ast
import json

from tests.formal import measure
from tests.mutation.runner import faults

FILES = sorted((measure.ROOT / "tests" / "formal").glob("test_*_proofs.py"))


def test_every_proof_is_a_property():
    proofs = {
        f"{path.stem.removeprefix('test_').removesuffix('_proofs')}::{node.name}"
        for path in FILES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and "can_fail" not in node.name
    }
    assert proofs == set(measure.PROPERTIES)


def test_every_property_is_recorded_with_engine_and_time():
    recorded = json.loads(measure.RECORD.read_text())["proofs"]
    assert [(one["test"], one["property"], one["module"]) for one in recorded] == [
        (measure.node(name), *about) for name, about in measure.PROPERTIES.items()
    ]
    assert all(one["seconds"] > 0 and one["cases"] > 0 for one in recorded)


def test_every_property_has_a_fault_that_breaks_it():
    broken = {fault["test"].partition("[")[0] for fault in faults()}
    assert {measure.node(name) for name in measure.PROPERTIES} <= broken
