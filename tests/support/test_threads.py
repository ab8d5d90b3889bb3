"""reprise.support.threads: short work takes one core, long work all, and nothing is left changed."""

import numba as nb
import pytest

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
