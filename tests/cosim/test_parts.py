"""Parts of the co-simulation by themselves: settings of the memory, the bench's names and limits."""

import numpy as np
import pytest

from reprise.cosim.bench.system import SystemBench, Traffic, flatten_bits


@pytest.mark.parametrize("field, value", [("stall", 1.0), ("stall", -0.1), ("latency", 70_000), ("gap", 256)])
def test_wrong_traffic(field, value):
    with pytest.raises(ValueError, match=f"{field} must be 0.*not {value}"):
        Traffic(**{field: value})


def test_profile_bits_have_names():
    layout = {
        "width": 4,
        "fields": {"a": {"offset": 0, "width": 1}, "n": {"offset": 1, "width": 2}, "b": {"offset": 3, "width": 1}},
    }
    assert flatten_bits(layout) == {0: "a", 1: "n[0]", 2: "n[1]", 3: "b"}


def test_memory_larger_than_the_bench(monkeypatch):
    bench = object.__new__(SystemBench)
    bench.memory_bytes, bench.word = 64, 8
    with pytest.raises(ValueError, match="memory must be at most 64 bytes .the bench's., not 65"):
        bench._memory_file(np.zeros(65, np.uint8), None)
