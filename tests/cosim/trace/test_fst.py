"""FST files, written here by the format's rules, are read as they were meant."""

import struct
import zlib

import numpy as np
import pytest

from reprise.cosim.trace.fst import Waveform, WaveformError


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def signed(value):
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value & 127])


def block(kind, content):
    return bytes([kind]) + struct.pack(">Q", len(content) + 8) + content


def literals(data):
    """LZ4 with nothing but literals, or with a match where the data is one byte, repeated."""
    if len(data) > 24 and len(set(data)) == 1:
        return bytes([0x1F, data[0], 1, 0, len(data) - 1 - 19 - 5, 5 << 4]) + data[-5:]
    more = b"" if len(data) < 15 else bytes([255] * ((len(data) - 15) // 255) + [(len(data) - 15) % 255])
    return bytes([min(len(data), 15) << 4]) + more + data


def chain(values, width):
    """The changes of uint values by time index; the first is in the block's beginning."""
    found, last, before = b"", 0, values[0]
    for n, value in enumerate(values):
        if value != before:
            if width == 1:
                found += varint((n - last) << 2 | value << 1)
            else:
                size = -(-width // 8)
                found += varint((n - last) << 1) + (value << (8 * size - width)).to_bytes(size, "big")
            last, before = n, value
    return found


def changes(times, columns, widths, pack):
    bits = "".join(f"{values[0]:0{width}b}" for values, width in zip(columns, widths, strict=True)).encode()
    first = zlib.compress(bits) if pack else bits
    head = struct.pack(">QQQ", times[0], times[-1], 0)
    head += varint(len(bits)) + varint(len(first)) + varint(len(widths)) + first + varint(len(widths)) + b"4"
    data, positions, last, run, known = b"", b"", 1, 0, {}
    alias = None
    for n, (values, width) in enumerate(zip(columns, widths, strict=True)):
        one = chain(values, width)
        if not one:
            run += 1
            continue
        if run:
            positions, run = positions + varint(run << 1), 0
        if one in known:
            value = 0 if alias == known[one] else -(known[one] + 1)
            alias = known[one]
            positions += signed(value << 1 | 1)
            continue
        known[one] = n
        stored = varint(len(one)) + literals(one) if pack and len(one) > 24 else varint(0) + one
        positions += signed(last << 1 | 1)
        data, last = data + stored, len(stored)
    if run:
        positions += varint(run << 1)
    clock = b"".join(varint(int(step)) for step in np.diff(times, prepend=0))
    packed = zlib.compress(clock) if pack else clock
    tail = struct.pack(">Q", len(positions)) + packed + struct.pack(">QQQ", len(clock), len(packed), len(times))
    return block(8, head + data + positions + tail)


def waveform(path, names, widths, blocks, pack):
    """Write signals of one scope inside another, the last of which is an alias of the first."""
    hierarchy = b"\xfe\x00top\x00m\x00\xfe\x00in\x00m\x00"
    for name, width in zip(names, widths, strict=True):
        hierarchy += b"\x10\x00" + name.encode() + b" [3:0]\x00" + varint(width) + varint(0)
    hierarchy += b"\x10\x00again\x00" + varint(widths[0]) + varint(1) + b"\xff\xff"
    text = block(0, bytes(320)) + b"".join(changes(*one, widths, pack) for one in blocks)
    path.write_bytes(text + block(6, struct.pack(">Q", len(hierarchy)) + literals(hierarchy)))


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_signals_are_sampled_as_they_were(tmp_path, pack, seed):
    rng = np.random.default_rng(seed)
    widths = [1, 1, 8, 13, 70, 1, 4, 1]
    names = [f"s{n}" for n in range(len(widths))]
    times = np.cumsum(rng.integers(1, 9, 400)).tolist()
    columns = []
    for n, width in enumerate(widths):
        moves = rng.random(len(times)) < (0, 0.4, 0.5, 0.2, 0.3, 0.02, 0, 0)[n]
        drawn = [int.from_bytes(rng.bytes(9), "big") % (1 << width) for _ in times]
        values = [
            drawn[max(0, *np.flatnonzero(moves[: t + 1]), 0) if moves[: t + 1].any() else 0] for t in range(len(times))
        ]
        columns.append(values)
    columns[7] = columns[1]  # a chain that repeats another one
    columns[0] = [t & 1 for t in range(len(times))]  # a clock, whose chain is one byte again and again
    cut = int(rng.integers(50, 350))
    blocks = [(times[:cut], [c[:cut] for c in columns]), (times[cut:], [c[cut:] for c in columns])]
    waveform(tmp_path / "a.fst", names, widths, blocks, pack)
    wave = Waveform(tmp_path / "a.fst")
    assert wave.signals["top.in.again"] == wave.signals["top.in.s0"] == (1, 1) and wave.end == times[-1]
    asked = np.arange(times[0], times[-1] + 5)
    at = np.searchsorted(times, asked, "right") - 1
    for name, width, values in zip(names, widths, columns, strict=True):
        found = wave.sample(wave.signals[f"top.in.{name}"][0], asked)
        expected = [[values[t] >> bit & 1 for t in at] for bit in range(width)]
        assert found.astype(int).tolist() == expected, name


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.fst").write_bytes(b"$date")
    with pytest.raises(WaveformError, match="must be an FST waveform"):
        Waveform(tmp_path / "a.fst")
