"""The arithmetic of the golden interpreter: it makes rows out of bits, and computes sums, neurons and output lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...hw.arch.program import LOOPS, OVERLAPPING_POOL, SOURCES
from ...support.kernels import kernel


class WidthExceeded(ValueError):
    """A sum left its register's width; the message names the command, the sum, its range and the width.

    The compiler has proved that no sum can, so this is no mistake of a user.
    """


def wrap(values: np.ndarray, bits: int) -> np.ndarray:
    """Return integers as they stand in a signed register of ``bits`` bits, which keeps their lowest bits."""
    half = np.int64(1) << (bits - 1)
    return ((values.astype(np.int64) + half) & (2 * half - 1)) - half


def check_width(command: int, what: str, low: int, high: int, bits: int) -> None:
    """Raise WidthExceeded unless ``low..high`` fits ``bits`` in two's complement."""
    if low < -(1 << (bits - 1)) or high >= 1 << (bits - 1):
        raise WidthExceeded(f"command {command}: {what} must fit {bits} bits, not {low}..{high}")


@kernel()
def gather(
    bits: np.ndarray,
    word_bits: int,
    places: np.ndarray,
    segments: np.ndarray,
    tiles: np.ndarray,
    lines: np.ndarray,
    packed: np.ndarray,
    used: np.ndarray,
) -> bool:
    """Build rows from the feature buffer by the segment table.

    Parameters
    ----------
    bits : uint8[words * word_bits], the feature buffer bit by bit
    word_bits : bits of an on-chip word
    places : int64[rows, sources, 3], where each row begins (line address, x bits, y)
    segments : int64[n, 7] (address, bit, ky, length, shift, source, mask)
    tiles : int64[n], the K tile of each segment
    lines : int64[sources, 2] (bits of a line, lines); what lies outside of them reads as zero
    packed : uint64[rows, k_tiles], into which the bits of every segment are ORed; those that mask are ANDed instead
    used : uint8[words], in which the words that are read are marked

    Returns
    -------
    bool : False if a row reads beyond the end of the feature buffer
    """
    for r in range(len(places)):
        for n in range(len(segments)):
            address, bit, ky, length, shift, source, mask = segments[n]
            y = places[r, source, 2] + ky
            first = ((places[r, source, 0] + address) & 0xFFFF) * word_bits
            x = places[r, source, 1] + bit
            word = np.uint64(0)
            inside = 0 <= y < lines[source, 1]
            for i in range(max(0, -x), min(length, lines[source, 0] - x) if inside else 0):
                at = first + x + i
                if at >= len(bits):
                    return False
                used[at // word_bits] = 1
                word |= np.uint64(bits[at]) << np.uint64(shift + i)
            if mask:
                filled = ((np.uint64(1) << np.uint64(length)) - np.uint64(1)) << np.uint64(shift)
                packed[r, tiles[n]] &= word | ~filled
            else:
                packed[r, tiles[n]] |= word
    return True


@kernel()
def _sum_rows(
    packed: np.ndarray, weights: np.ndarray, psums: np.ndarray, total: np.ndarray, result: np.ndarray
) -> tuple[int, int]:
    low = high = 0
    for r in range(packed.shape[0]):
        total[:] = 0
        for k in range(packed.shape[1]):
            word = packed[r, k]
            if word == 0:
                continue
            result[:] = 0
            for j in range(weights.shape[1]):
                if (word >> np.uint64(j)) & np.uint64(1):
                    result += weights[k, j]
            total += result
            low, high = min(low, total.min()), max(high, total.max())
        psums[r] = total
    return low, high


def sum_rows(packed: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Compute the partial sums of binary rows. (The result of one K tile fits its register, whatever the weights.)

    Parameters
    ----------
    packed : uint64[M, k_tiles]
    weights : int8[k_tiles, tile_k, lanes]

    Returns
    -------
    (psums, low, high) : int32[M, lanes], the least and the largest partial sum after any K tile
    """
    lanes = weights.shape[2]
    psums = np.empty((len(packed), lanes), np.int32)
    wide = weights.astype(np.int32)
    found = _sum_rows(packed, wide, psums, np.zeros(lanes, np.int32), np.zeros(lanes, np.int32))
    return psums, int(found[0]), int(found[1])


def combine_planes(psums: np.ndarray, f: dict[str, int]) -> np.ndarray:
    """Add up the planes of every position and timestep: int64[positions, T, channels].

    The rows ``psums`` of a timestep are its planes, the lowest first. A sign plane is
    subtracted. All count 2**shift times.
    """
    planes = f["planes"]
    rows = psums.astype(np.int64).reshape(-1, f["timesteps"], planes, psums.shape[1])
    total = np.zeros((rows.shape[0], f["timesteps"], psums.shape[1]), np.int64)
    for p in range(planes):
        term = rows[:, :, p] << (f["shift"] + (p if f["weigh"] else 0))
        total = total - term if f["signed"] and p == planes - 1 else total + term
    return total


def addend(read: Callable[[int, int], np.ndarray], f: dict[str, int], lanes: int, bus_bits: int) -> np.ndarray | int:
    """Return the integers of a RUN's addend int64[positions, T, lanes], or 0 if there is none.

    ``read`` takes an address and a number of bytes.
    """
    if not f["addend_bytes"]:
        return 0
    bus, size = bus_bits // 8, f["channels"] * f["addend_bytes"]
    found = np.zeros((f["images"], f["out_lines"], f["out_width"], f["timesteps"], lanes), np.int64)
    for image, y, x, t in np.ndindex(found.shape[:-1]):
        at = image * f["addend_image"] + y * f["addend_y"] + x * f["addend_x"] + t * f["addend_t"]
        string = read(f["output"] + f["addend"] * bus + at, -(-size // bus) * bus).view(f"<i{f['addend_bytes']}")[
            :lanes
        ]
        found[image, y, x, t, : len(string)] = string
    return found.reshape(-1, f["timesteps"], lanes)


def fire(
    command: int, sums: np.ndarray, table: np.ndarray, f: dict[str, int], membrane_bits: int, *, strict: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the levels, uint8, and membrane potentials, int64, of all timesteps: [positions, T, channels].

    ``sums`` are those of the planes, with the addend, of the same shape.

    A potential before firing that leaves ``membrane_bits`` raises WidthExceeded if ``strict``, and wraps otherwise.

    The level is found as hardware finds it, by a greedy search with the threshold times 2**k for descending k.
    """
    bias, threshold, v0, leak = table.T
    levels = np.zeros(sums.shape, np.uint8)
    potentials = np.zeros(sums.shape, np.int64)
    v = np.broadcast_to(v0, sums[:, 0].shape)
    for t in range(f["timesteps"]):
        u = ((v * leak) >> 8) + sums[:, t] + bias
        if strict:
            check_width(command, "membrane potential", int(u.min()), int(u.max()), membrane_bits)
        u = wrap(u, membrane_bits)
        z, rest = np.zeros_like(u), u.copy()
        for k in reversed(range(0 if f["readout"] else f["levels"].bit_length())):
            step = threshold << k
            take = (z + (1 << k) <= f["levels"]) & (rest >= step)
            rest = np.where(take, rest - step, rest)
            z += take.astype(np.int64) << k
        v = (rest, np.where(z > 0, 0, u), u)[2 if f["readout"] else f["reset"]]
        levels[:, t], potentials[:, t] = z, v
    return levels, potentials


def pool_levels(levels: np.ndarray, f: dict[str, int], above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the maximum over each window: over positions that follow each other, or over 3x3 that other windows share.

    Parameters
    ----------
    levels : [positions, T, channels]
    above : the line above the first one, where a RUN goes on below the RUN before, [columns, T, channels]

    Returns
    -------
    The same with a window in place of a position, and the last line before the pool, where windows overlap.
    """
    if f["pool"] != OVERLAPPING_POOL:
        return levels.reshape(-1, f["pool"] ** 2, *levels.shape[1:]).max(axis=1), above
    height, width = f["out_lines"], f["out_width"]
    halo, odd_x, odd_y = f["pool_halo_x"], f["pool_odd_x"], f["pool_odd_y"]
    maps = levels.reshape(f["images"], 2 * height - odd_y, 2 * width + halo - odd_x, *levels.shape[1:])
    padded = np.pad(maps, [(0, 0), (1, odd_y), (1 - halo, odd_x), (0, 0), (0, 0)])  # so all windows have three lines
    if f["pool_ready"]:
        padded[:, 0, 1 - halo : padded.shape[2] - odd_x] = above
    lines = np.maximum.reduce([padded[:, dy : dy + 2 * height : 2] for dy in range(3)])
    found = np.maximum.reduce([lines[:, :, dx : dx + 2 * width : 2] for dx in range(3)])
    return found.reshape(-1, *levels.shape[1:]), maps[-1, -1]


def line_bytes(values: np.ndarray, f: dict[str, int], bus_bits: int) -> np.ndarray:
    """Return the output lines uint8[images, lines, q, bytes] of levels [images, lines, width, T, channels]."""
    images, lines, width, timesteps, channels = values.shape
    p = np.arange(f["out_planes"], dtype=np.uint8)
    codes = values[..., None]
    planes = (codes > p) if f["out_thermometer"] else (codes >> p) & 1
    bits = planes.transpose(0, 1, 3, 5, 2, 4).reshape(images, lines, timesteps * len(p), width * channels)
    return _whole_words(np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little"), bus_bits)


def _whole_words(data: np.ndarray, bus_bits: int) -> np.ndarray:
    """Fill the last axis of bytes with zeros to whole bus words."""
    return np.pad(data, [(0, 0)] * (data.ndim - 1) + [(0, -data.shape[-1] % (bus_bits // 8))])


def integer_bytes(
    values: np.ndarray, f: dict[str, int], neuron_lanes: int, bus_bits: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the strings of an integer map of values [images, lines, width, T, channels].

    Each comes with its offset from the run's output address.
    """
    size = f["int_bytes"]
    values = values.astype(np.int64).clip(-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1).astype(f"<i{size}")
    part = f["int_groups"] * neuron_lanes
    for image, y, x, t in np.ndindex(values.shape[:-1]):
        at = image * f["image_stride"] + y * f["int_y"] + x * f["line_bytes"] + t * f["int_t"]
        for block in range(-(-values.shape[-1] // part)):
            string = np.ascontiguousarray(values[image, y, x, t, block * part : (block + 1) * part]).view(np.uint8)
            yield (at + block * f["int_block"]) % (1 << 32), _whole_words(string, bus_bits)


def output_bytes(
    values: np.ndarray, f: dict[str, int], neuron_lanes: int, bus_bits: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the strings that a RUN writes, each with its offset from the output's address.

    ``values`` are potentials or pooled levels [positions, T, lanes].
    """
    shape = (f["images"], f["out_lines"], f["out_width"], f["timesteps"])
    values = values[..., : f["channels"]].reshape(*shape, f["channels"])
    if f["int_bytes"]:
        yield from integer_bytes(values, f, neuron_lanes, bus_bits)
        return
    lines = line_bytes(values, f, bus_bits)  # images, lines, q, bytes
    for image in range(lines.shape[0]):
        for y in range(lines.shape[1]):
            for q in range(lines.shape[2]):
                offset = image * f["image_stride"] + (y * lines.shape[2] + q) * f["line_bytes"]
                yield offset, lines[image, y, q]


def places(f: dict[str, int], rows: int) -> np.ndarray:
    """Step through the loops and return int64[rows, sources, 3]: line address, x bit and y of every row."""
    start = [[f[f"row_{what}{s}"] for what in ("address", "x", "y")] for s in range(SOURCES)]
    deltas = [
        [[f[f"loop{n}_{what}{s}"] for what in ("address", "x", "y")] for s in range(SOURCES)] for n in range(LOOPS)
    ]
    number = np.arange(1, rows)
    outer, size = np.zeros(rows - 1, np.int64), 1
    for n in range(LOOPS):  # find the outermost loop that steps before a row: all inside it have come round
        outer[number % size == 0] = n
        size *= f[f"loop{n}_count"]
    steps = np.concatenate([np.array([start]), np.array(deltas)[outer]]) if rows > 1 else np.array([start])
    found = np.cumsum(steps, axis=0)
    return np.concatenate([found[..., :1] % (1 << 16), wrap(found[..., 1:], 16)], axis=-1)
