"""Feature maps in memory: their bytes by hand, packed and unpacked, and bytes that are none."""

import numpy as np
import pytest

from reprise.hw.arch.feature_map import FeatureMap
from reprise.hw.arch.program import INT_BYTES


def feature(**changes) -> FeatureMap:
    fields = {
        "name": "f",
        "kind": "planes",
        "images": 2,
        "timesteps": 3,
        "channels": 5,
        "height": 2,
        "width": 7,
        "levels": 3,
        "signed": False,
        "encoding": "bitplane",
        "planes": 2,
        "block_channels": 3,
        "bus_bytes": 8,
    }
    return FeatureMap(**(fields | changes))


# Layouts


def test_a_line_by_hand():
    """Two channels in two columns: bit x * Cb + c, LSB first, one line per (y, t, plane), filled to a bus word."""
    f = feature(images=1, timesteps=1, channels=2, height=2, width=2, block_channels=2)
    levels = np.array([[[[[1, 2], [0, 3]], [[3, 0], [2, 1]]]]])  # n t c y x
    lines = [f.pack(levels)[8 * n : 8 * n + 8] for n in range(4)]
    y0_low, y0_high = 0b00_11, 0b01_10  # (x1: c1 c0)(x0: c1 c0)
    y1_low, y1_high = 0b11_00, 0b01_10
    assert lines == [bytes([b]) + bytes(7) for b in (y0_low, y0_high, y1_low, y1_high)]


@pytest.mark.parametrize("seed", range(20))
def test_pack_and_unpack(seed):
    r = np.random.default_rng(seed)
    signed = seed % 5 == 0
    levels = 255 if signed else int(r.integers(1, 8))
    encoding = "bitplane" if signed else str(r.choice(["bitplane", "thermometer"]))
    need = 8 if signed else levels if encoding == "thermometer" else levels.bit_length()
    f = feature(
        images=int(r.integers(1, 3)),
        timesteps=int(r.integers(1, 4)),
        channels=int(r.integers(1, 12)),
        height=int(r.integers(1, 6)),
        width=int(r.integers(1, 40)),
        levels=levels,
        signed=signed,
        encoding=encoding,
        planes=min(8, need + int(r.integers(0, 2))),
        block_channels=int(r.integers(1, 6)),
        bus_bytes=int(r.choice([8, 16, 64])),
    )
    shape = (f.images, f.timesteps, f.channels, f.height, f.width)
    values = r.integers(-128 if signed else 0, 128 if signed else levels + 1, shape)
    packed = f.pack(values)
    assert len(packed) == f.bytes
    np.testing.assert_array_equal(f.unpack(packed), values)


def test_potentials_are_unpacked():
    """Two blocks of three channels, of which the second has two; each string fills two bus words."""
    sizes = {"channels": 5, "block_channels": 3, "height": 1, "width": 2, "timesteps": 2, "images": 1}
    f = feature(kind="potentials", levels=0, int_bytes=4, **sizes)
    assert f.line_bytes == 16 and f.bytes == 2 * 2 * 2 * 16
    words = np.zeros((2, 2, 2, 4), "<i4")  # block, t, x, and the channels of the block
    words[..., :3] = np.arange(24).reshape(2, 2, 2, 3) - 3
    words[1, ..., 2] = 0
    values = f.unpack(words.tobytes())
    assert values.shape == (1, 2, 5, 1, 2) and values.dtype == np.int32
    for t, c, x in np.ndindex(2, 5, 2):
        assert values[0, t, c, 0, x] == words[c // 3, t, x, c % 3]


@pytest.mark.parametrize("size", INT_BYTES)
def test_integers_are_unpacked(size):
    """Negative ones keep their sign, and what lies in spare positions is of no matter."""
    f = feature(kind="integers", levels=0, int_bytes=size, spare=3, channels=4, block_channels=4, images=2)
    r = np.random.default_rng(size)
    strings = np.zeros((2, 1, f.timesteps, f.height * f.width + 3, f.line_bytes // size), f"<i{size}")
    low, high = -(1 << (8 * size - 1)), 1 << (8 * size - 1)
    strings[..., :4] = r.integers(low, high, strings[..., :4].shape)
    strings[..., -3:, :] = r.integers(low, high, strings[..., -3:, :].shape)
    values = f.unpack(strings.tobytes())
    assert values.dtype == f"int{8 * size}" and f.bytes == strings.nbytes
    for n, t, c, y, x in np.ndindex(values.shape):
        assert values[n, t, c, y, x] == strings[n, 0, t, y * f.width + x, c]
    if f.line_bytes > 4 * size:
        strings[1, 0, 0, 0, 4] = 1
        with pytest.raises(ValueError, match="after the end of a string must be 0"):
            f.unpack(strings.tobytes())


@pytest.mark.parametrize(
    ("bits", "message"),
    [([(0, 3)], "after the end"), ([(2, 2)], "beyond 5"), ([(0, 0), (1, 1)], "nested")],
)
def test_bytes_that_are_no_feature_map(bits, message):
    """Bits (line, bit) that no level has: two blocks of three channels, two planes."""
    f = feature(images=1, timesteps=1, height=1, width=1, encoding="thermometer", levels=2)
    data = np.zeros(f.bytes, np.uint8)
    for line, bit in bits:
        data[line * f.line_bytes] |= 1 << bit
    with pytest.raises(ValueError, match=message):
        f.unpack(data)


def test_a_repeated_input_must_be_static():
    f = feature(repeat=True, channels=2, block_channels=2)
    levels = np.repeat(np.arange(2 * 2 * 2 * 7).reshape(2, 1, 2, 2, 7) % 4, 3, axis=1)
    assert f.bytes * 3 == feature(channels=2, block_channels=2).bytes
    np.testing.assert_array_equal(f.unpack(f.pack(levels)), levels)
    levels[1, 2, 0, 0, 0] ^= 1
    with pytest.raises(ValueError, match="all timesteps must be the same"):
        f.pack(levels)
