"""Reads FST waveforms as Verilator writes them: two-valued signals, sampled at given times.

The format is that of GTKWave. Blocks have a type, a length and their content: a header, the hierarchy of scopes and
signals, the widths of signals, and blocks of changes. A block of changes has the value of every signal at its
beginning, and for each signal a chain of changes, each an index of time and a value, packed with LZ4 where that is
shorter.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...support.errors import RepriseError
from ...support.kernels import kernel

CHANGES, GEOMETRY, HIERARCHY = 8, 3, (6, 7)
SCOPE, UPSCOPE, ATTRIBUTE, END_OF_ATTRIBUTE = 254, 255, 252, 253


class WaveformError(RepriseError):
    """A waveform that is no FST file, or has something that Verilator's files do not have."""


@kernel()
def _varint(data: np.ndarray, at: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number and where the next byte is."""
    value, shift = 0, 0
    while True:
        byte = int(data[at])
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


@kernel()
def _unpack(data: np.ndarray, size: int) -> np.ndarray:
    """Return the content of an LZ4 block."""
    out = np.empty(size, np.uint8)
    at, done = 0, 0
    while done < size:
        token = int(data[at])
        at += 1
        count = token >> 4
        if count == 15:
            while True:
                byte = int(data[at])
                at += 1
                count += byte
                if byte != 255:
                    break
        out[done : done + count] = data[at : at + count]
        at, done = at + count, done + count
        if done >= size:
            break
        back = int(data[at]) | int(data[at + 1]) << 8
        at += 2
        count = (token & 15) + 4
        if token & 15 == 15:
            while True:
                byte = int(data[at])
                at += 1
                count += byte
                if byte != 255:
                    break
        for _ in range(count):
            out[done] = out[done - back]
            done += 1
    return out


@kernel()
def _positions(data: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the chain of every signal begins, or -1, and where it ends; a repeated chain is found, too."""
    begin, end = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    at, signal, place, alias, last = 0, 0, 0, 0, -1
    while signal < count:
        if data[at] & 1 == 0:
            run, at = _varint(data, at)
            signal += run >> 1
            continue
        value, shift, byte = 0, 0, 128
        while byte & 128:
            byte = int(data[at])
            at += 1
            value |= (byte & 127) << shift
            shift += 7
        if byte & 64 and shift < 63:
            value -= 1 << shift
        value >>= 1
        if value > 0:
            place += value
            if last >= 0:
                end[last] = place
            begin[signal], last = place, signal
        else:
            if value < 0:
                alias = -value - 1
            begin[signal] = -2 - alias
        signal += 1
    if last >= 0:
        end[last] = -2
    return begin, end


@kernel()
def _changes(chain: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the time indices of a chain's changes, and their values, uint8[changes, bytes] from the highest bit on."""
    size = (width + 7) // 8
    times = np.empty(len(chain), np.int64)
    values = np.empty((len(chain), size), np.uint8)
    at, count, time = 0, 0, 0
    while at < len(chain):
        head, at = _varint(chain, at)
        if head & 1:
            times[0] = -1  # a value that is neither 0 nor 1
            return times[:1], values[:1]
        if width == 1:
            time += head >> 2
            values[count, 0] = (head >> 1 & 1) << 7
        else:
            time += head >> 1
            for n in range(size):
                values[count, n] = chain[at + n]
            at += size
        times[count] = time
        count += 1
    return times[:count], values[:count]


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """A block of changes: its times, the signals' first values, and where their chains lie in the file."""

    times: np.ndarray
    first: np.ndarray
    chains: np.ndarray
    begin: np.ndarray
    end: np.ndarray


class Waveform:
    """An FST file.

    Members
    -------
    signals : (handle, width) of every signal by its path, whose scopes are joined by dots
    """

    def __init__(self, path: Path) -> None:
        data = np.fromfile(path, np.uint8)
        if not len(data) or data[0] != 0:
            raise WaveformError(f"{path}: must be an FST waveform, and it is none")
        self.signals: dict[str, tuple[int, int]] = {}
        self._blocks: list[Block] = []
        widths: list[int] = []
        at = 0
        blocks = []
        while at < len(data):
            kind, length = int(data[at]), int.from_bytes(data[at + 1 : at + 9].tobytes(), "big")
            content = data[at + 9 : at + 1 + length]
            if kind in HIERARCHY:
                size = int.from_bytes(content[:8].tobytes(), "big")
                widths = self._read_hierarchy(_unpack(content[8:], size).tobytes())
            elif kind == CHANGES:
                blocks.append(content)
            at += 1 + length
        self._offsets = np.cumsum([0, *widths])
        self._widths = widths
        self._blocks = [self._block(content) for content in blocks]

    @property
    def end(self) -> int:
        """The last time at which anything was recorded."""
        return int(self._blocks[-1].times[-1])

    def _read_hierarchy(self, data: bytes) -> list[int]:
        """Take in the signals; return the width of each handle."""
        at, scopes, widths = 0, [], []

        def text() -> str:
            nonlocal at
            end = data.index(0, at)
            found, at = data[at:end].decode(), end + 1
            return found

        def number() -> int:
            nonlocal at
            value, shift = 0, 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while at < len(data):
            tag = data[at]
            at += 1
            if tag == SCOPE:
                at += 1
                scopes.append(text())
                text()
            elif tag == UPSCOPE:
                scopes.pop()
            elif tag == ATTRIBUTE:
                at += 2
                text()
                number()
            elif tag != END_OF_ATTRIBUTE:
                at += 1
                name = text()
                width, alias = number(), number()
                if not alias:
                    widths.append(width)
                self.signals[".".join([*scopes, name.partition(" [")[0]])] = (alias or len(widths), width)
        return widths

    def _block(self, data: np.ndarray) -> Block:
        count = int.from_bytes(data[-8:].tobytes(), "big")
        packed, size = (int.from_bytes(data[-n - 8 : -n].tobytes(), "big") for n in (8, 16))
        raw = data[len(data) - 24 - packed : len(data) - 24].tobytes()
        text = raw if packed == size else zlib.decompress(raw)
        deltas, times, at = np.frombuffer(text, np.uint8), np.empty(count, np.int64), 0
        for n in range(count):
            times[n], at = _varint(deltas, at)
        after = len(data) - 24 - packed
        length = int.from_bytes(data[after - 8 : after].tobytes(), "big")
        positions = data[after - 8 - length : after - 8]
        at = 24
        size, at = _varint(data, at)
        packed, at = _varint(data, at)
        signals, at = _varint(data, at)
        raw = data[at : at + packed].tobytes()
        first = np.frombuffer(raw if packed == size else zlib.decompress(raw), np.uint8) == ord("1")
        at += packed
        _, at = _varint(data, at)
        chains = data[at:]  # positions count from the byte that names the kind of packing
        begin, end = _positions(positions, signals)
        end[end == -2] = after - 8 - length - at
        return Block(times=np.cumsum(times), first=first, chains=chains, begin=begin, end=end)

    def sample(self, handle: int, times: np.ndarray) -> np.ndarray:
        """Return the values of a signal at ascending times, bool[width, times], of which row 0 is its lowest bit."""
        width, index = self._widths[handle - 1], handle - 1
        offset = self._offsets[index]
        found = np.zeros((len(times), width), bool)
        for number, block in enumerate(self._blocks):
            inside = times >= block.times[0]
            if number + 1 < len(self._blocks):
                inside &= times < self._blocks[number + 1].times[0]
            if not inside.any():
                continue
            values = block.first[offset : offset + width][None]
            steps = np.zeros(0, np.int64)
            source = index if block.begin[index] >= -1 else -2 - block.begin[index]
            if block.begin[source] >= 0:
                chain = block.chains[block.begin[source] : block.end[source]]
                size, at = _varint(chain, 0)
                chain = _unpack(chain[at:], size) if size else chain[at:]
                steps, packed = _changes(chain, width)
                if len(steps) and steps[0] < 0:
                    raise WaveformError("values of a waveform must be 0 or 1")
                values = np.concatenate([values, np.unpackbits(packed, axis=1)[:, :width].astype(bool)])
            now = np.searchsorted(block.times, times[inside], "right") - 1
            found[inside] = values[np.searchsorted(steps, now, "right")]
        return found.T[::-1]
