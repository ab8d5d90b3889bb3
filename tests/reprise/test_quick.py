"""The quick tier of tests/conftest.py stays quick: torch and Verilator are out of its tests' reach."""

import importlib
import subprocess
import sys

import pytest

from tests import conftest


@pytest.mark.parametrize("name", conftest.HEAVY)
def test_a_quick_test_can_not_import(name):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


def test_quick_tests_are_collected_without_them():
    """A file of quick tests that imports one of them at its top would end ``make check`` with an error."""
    command = [sys.executable, "-m", "pytest", "-m", "quick", "--collect-only", "-q", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=conftest.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_quick_test_can_not_build_a_model():
    """Either the bench can't be imported, or (when other tests have) its tools refuse."""
    try:
        from reprise.cosim.bench import verilator
    except ImportError:
        return
    with pytest.raises(RuntimeError, match="quick test"):
        verilator.build({}, "top")


def test_every_box_of_the_hardware_has_a_quick_test():
    boxes = {path.name for path in (conftest.ROOT / "tests" / "hw").iterdir() if (path / "__init__.py").exists()}
    assert boxes == {one.split("/")[2] for one in conftest.QUICK if one.count("/") == 3 and one.startswith("tests/hw/")}
