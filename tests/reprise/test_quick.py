"""The quick tier of tests/conftest.py stays quick: torch and Verilator are out of its tests' reach."""

import importlib

import pytest

from tests import conftest


@pytest.mark.parametrize("name", conftest.HEAVY)
def test_a_quick_test_can_not_import(name):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


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
