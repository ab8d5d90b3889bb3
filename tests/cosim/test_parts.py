"""Parts of the co-simulation by themselves: pictures, bars, settings of the memory, the bench's names and limits."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from reprise.cosim.bench.system import SystemBench, Traffic, flatten_bits
from reprise.cosim.report.charts import grouped, picture, png, stacked


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3)])
def test_png_is_read_by_others(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    data = png(pixels).removeprefix("data:image/png;base64,")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(b64decode(data)))), pixels)


def test_pictures_of_inputs():
    def read(uri):
        return np.asarray(Image.open(io.BytesIO(b64decode(uri.split(",")[1]))))

    assert read(picture(np.array([[[0, 16]]]), 16)).tolist() == [[255, 0]]
    assert read(picture(np.full((3, 1, 1), 255), 255)).tolist() == [[[255, 255, 255]]]
    assert read(picture(np.array([[[[0, 4]]], [[[4, 4]]]]), 4)).tolist() == [[128, 0]]
    assert read(picture(np.array([[[-128, 127]]]), 255, signed=True)).tolist() == [[255, 0]]


def test_bars_hold_every_name_and_value():
    rows = {"a<b": {"x": 3.0, "y": 0.0}, "c": {"x": 1.0}}
    for drawn in (stacked(rows), grouped(rows)):
        assert "a&lt;b" in drawn and "<script" not in drawn and drawn.count("<svg") == 1
    assert "<title>a&lt;b, x: 3" in stacked(rows)
    assert stacked({}) and grouped({"empty": {}})


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
