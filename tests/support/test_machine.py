"""How a process uses the machine: cores of compiled kernels, and Python's garbage collector."""

import gc

import numba as nb
import pytest

from reprise.support.collector import OBJECTS, collect_rarely, paused
from reprise.support.threads import LONG_WORK, threads_for


def test_short_work_takes_one_core_and_long_work_all():
    before = nb.get_num_threads()
    with threads_for(LONG_WORK):
        assert nb.get_num_threads() == 1
    assert nb.get_num_threads() == before
    with threads_for(LONG_WORK + 1):
        assert nb.get_num_threads() == before


def test_the_number_is_restored_after_an_error():
    before = nb.get_num_threads()
    with pytest.raises(KeyError), threads_for(0):
        raise KeyError
    assert nb.get_num_threads() == before


@pytest.mark.parametrize("before", [True, False])
def test_paused_and_as_before(before, monkeypatch):
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(ZeroDivisionError), paused():
            assert not gc.isenabled()
            _ = 1 / 0
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()


def test_rarely():
    was = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.get_threshold()[0] == OBJECTS
    finally:
        gc.set_threshold(*was)
