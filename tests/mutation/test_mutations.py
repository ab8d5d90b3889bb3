"""Each listed fault can still be put in: its text occurs once in the source, and the test that must catch it is there.

Whether the test does catch it, ``python -m tests.mutation.runner`` (``make mutate``) tells, in half an hour.
"""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.runner import FOLDERS, ROOT, apply, faults

FAULTS = faults()


def name(fault: dict) -> str:
    return f"{fault['part']}: {fault.get('fault', fault['mutated'])}"


@functools.cache
def functions(path: Path) -> dict[str, ast.FunctionDef]:
    """The test functions of a file by their node's name, ``test_x`` or ``TestY::test_x``."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + one.name: one for one in inside if isinstance(one, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=name)
def test_a_fault_can_be_put_in(fault, tmp_path):
    source = ROOT / fault["file"]
    assert fault["file"].split("/")[0] in FOLDERS
    copy = tmp_path / fault["file"]
    copy.parent.mkdir(parents=True)
    copy.write_text(source.read_text())
    assert apply(fault, tmp_path) == source.read_text()
    assert copy.read_text() != source.read_text()
    if source.suffix == ".py":
        compile(copy.read_text(), str(source), "exec")


@pytest.mark.parametrize("fault", FAULTS, ids=name)
def test_the_test_that_must_catch_it_is_there(fault):
    file, _, node = fault["test"].partition("::")
    assert (ROOT / file).is_file()
    if node:
        function, _, parameters = node.partition("[")
        assert function in functions(ROOT / file)
        marks = [ast.unparse(mark) for mark in functions(ROOT / file)[function].decorator_list]
        assert not parameters or any("parametrize" in mark for mark in marks), "it has no parameters"


def test_parameters_of_tests_are_there():
    """pytest finds every test that is named with its parameters; in another process, which may load all they need."""
    nodes = sorted({fault["test"] for fault in FAULTS if "[" in fault["test"]})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *nodes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert nodes and done.returncode == 0, done.stdout + done.stderr


def test_faults_are_listed_once():
    same = [(fault["file"], fault["original"], fault["mutated"]) for fault in FAULTS]
    assert len(same) == len(set(same)) >= 100


def test_a_text_that_is_gone_is_named(tmp_path):
    (tmp_path / "hw").mkdir()
    (tmp_path / "hw" / "x.py").write_text("a = 1\na = 1\n")
    for original, times in (("a = 1", 2), ("a = 2", 0)):
        with pytest.raises(ValueError, match=rf"hw/x.py: the original text must occur exactly once, not {times} times"):
            apply({"file": "hw/x.py", "original": original, "mutated": "a = 3"}, tmp_path)
