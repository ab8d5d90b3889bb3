"""Naive oracles straight from the definitions, for the tests: slow, plain Python, sharing no code with ``model``."""

from math import floor

import numpy as np

from reprise.model.network.layer import Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron


def naive_tile(bits: np.ndarray, one_bit_matches: bool = False) -> dict:
    """Product sparsity of one tile (docs/model.md) over every pair of rows.

    bits: bool[m, k]. With one_bit_matches a row of one bit may have an equal one as its prefix.
    Gives prefix (list, -1 for none), residual (bool[m, k]), order (list) and the counts.
    """
    rows = [frozenset(np.flatnonzero(row).tolist()) for row in bits]
    prefix = []
    for i, row in enumerate(rows):
        best = -1
        if len(row) >= 2 or one_bit_matches:
            for j, other in enumerate(rows):
                candidate = j != i and len(other) >= 1 and other <= row and (other != row or j < i)
                if candidate and (best < 0 or len(other) > len(rows[best])):  # ties: the lowest index stays
                    best = j
        prefix.append(best)
    residual = np.array(bits, dtype=bool)
    for i, p in enumerate(prefix):
        if p >= 0:
            residual[i] &= ~bits[p]
    return {
        "prefix": prefix,
        "residual": residual,
        "order": sorted((i for i, row in enumerate(rows) if row), key=lambda i: (len(rows[i]), i)),
        "rows": len(rows),
        "nonzero": sum(len(row) >= 1 for row in rows),
        "multi_bit": sum(len(row) >= 2 for row in rows),
        "exact": sum(p >= 0 and rows[p] == rows[i] for i, p in enumerate(prefix)),
        "set_bits": sum(len(row) for row in rows),
        "residual_bits": int(residual.sum()),
        "residual_pairs": sum(max(sum(row[n::2]) for n in range(2)) for row in residual.tolist()),
        "residual_quads": sum(max(sum(row[n::4]) for n in range(4)) for row in residual.tolist()),
    }


def naive_conv(levels: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Convolution of (C, H, W) by [O, C, KH, KW], one product at a time in Python integers: int64[O, H', W']."""
    channels, height, width = levels.shape
    outputs, _, kh, kw = weight.shape
    size = ((height + 2 * padding - kh) // stride + 1, (width + 2 * padding - kw) // stride + 1)
    out = np.zeros((outputs, *size), dtype=np.int64)
    for o, y, x in np.ndindex(*out.shape):
        total = 0
        for c, ky, kx in np.ndindex(channels, kh, kw):
            iy, ix = y * stride + ky - padding, x * stride + kx - padding
            if 0 <= iy < height and 0 <= ix < width:
                total += int(levels[c, iy, ix]) * int(weight[o, c, ky, kx])
        out[o, y, x] = total
    return out


def naive_sums(source: Source, levels: np.ndarray) -> np.ndarray:
    """Products of one source with a feature (C, H, W): int64[O, H', W']."""
    if source.flatten:
        channels, height, width = levels.shape
        column = [levels[c, y, x] for y in range(height) for x in range(width) for c in range(channels)]
        levels = np.array(column).reshape(-1, 1, 1)
    return naive_conv(levels, source.weight, source.stride, source.padding)


def naive_levels(source: Source, features: dict[str, np.ndarray], t: int) -> np.ndarray:
    """What a source reads at a timestep, (C, H, W): level by level the smaller one, if it has a mask."""
    levels = features[source.feature][t].astype(np.int64)
    if source.mask is None:
        return levels
    mask, own = features[source.mask][t], levels.copy()
    for c, y, x in np.ndindex(*levels.shape):
        other = mask[c, 0, 0] if mask.shape[1:] == (1, 1) else mask[c, y, x]
        own[c, y, x] = other if other < levels[c, y, x] else levels[c, y, x]
    return own


def naive_product(product: Product, feature: np.ndarray, operand: np.ndarray) -> np.ndarray:
    """Product of two maps (C, H, W) of one timestep, one product at a time in Python integers: int64 (C, H, W)."""
    heads, d, (height, width) = product.heads, len(feature) // product.heads, feature.shape[1:]
    if product.over == "channels":
        dv = len(operand)
        out = np.zeros((heads * dv, height, width), dtype=np.int64)
        for head, j, y, x in np.ndindex(heads, dv, height, width):
            terms = (int(feature[head * d + i, y, x]) * int(operand[j, head, i]) for i in range(d))
            out[head * dv + j, y, x] = sum(terms)
        return out
    dv = len(operand) // heads
    out = np.zeros((dv, heads, d), dtype=np.int64)
    for j, head, i in np.ndindex(dv, heads, d):
        k, v = feature[head * d + i], operand[head * dv + j]
        out[j, head, i] = sum(int(k[y, x]) * int(v[y, x]) for y in range(height) for x in range(width))
    return out


def naive_neuron(neuron: Neuron, channel: int, psums: list[int]) -> tuple[list[int], list[int]]:
    """One neuron over time in Python integers: (levels, potentials).

    Levels are potentials for a readout, and integers for a sum, whose potentials are what was shifted.

    The level is found as hardware may: the number of multiples of D, up to N of them, that U reaches.
    """
    v, d = int(neuron.v0[channel]), int(neuron.threshold[channel])
    levels, potentials = [], []
    if neuron.kind == "sum":
        potentials = [int(psum) + int(neuron.bias[channel]) for psum in psums]
        half = 2 ** (neuron.bits - 1)
        return [max(-half, min(half - 1, u // 2**neuron.shift)) for u in potentials], potentials
    for psum in psums:
        leaked = floor(v * int(neuron.leak[channel]) / 256) if abs(v) < 2**40 else (v * int(neuron.leak[channel])) >> 8
        u = leaked + int(psum) + int(neuron.bias[channel])
        z = sum(u >= n * d for n in range(1, neuron.levels + 1))
        if neuron.reset == "soft":
            v = u - z * d
        elif neuron.reset == "hard":
            v = 0 if z > 0 else u
        else:
            v = u
        levels.append(u if neuron.kind == "readout" else z)
        potentials.append(v)
    return levels, potentials


def naive_run(network: Network, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Every feature of a network for one image, from frames (T, C, H, W): name -> (T, C, H, W).

    A readout's entry holds its potentials, and a sum's its integers.
    """
    features = {"input": frames}
    for layer in network.layers:
        p, zero = layer.product, np.zeros((), np.int64)
        sums = np.stack(
            [
                naive_product(p, features[p.feature][t], features[p.operand][t])
                if p
                else sum((naive_sums(s, naive_levels(s, features, t)) for s in layer.convolutions), zero)
                for t in range(network.timesteps)
            ]
        )
        if layer.addend:
            sums = features[layer.addend] + (sums * 2**layer.shift if layer.sources else 0)
        levels = np.zeros_like(sums)
        for o, y, x in np.ndindex(*sums.shape[1:]):
            levels[:, o, y, x], _ = naive_neuron(layer.neuron, o, sums[:, o, y, x].tolist())
        if layer.pool:
            levels = naive_pool(levels, layer.pool.kernel, layer.pool.stride, layer.pool.padding)
        if layer.join:
            own = features[layer.join.feature]
            for place in np.ndindex(*levels.shape):
                levels[place] = min(int(levels[place]) + int(own[place]), layer.join.levels)
        features[layer.name] = levels
    return features


def naive_pool(levels: np.ndarray, k: int, stride: int, padding: int) -> np.ndarray:
    """The largest level of each window of (T, C, H, W); the padding holds none, and windows that hang over are none."""
    height, width = ((size + 2 * padding - k) // stride + 1 for size in levels.shape[2:])
    pooled = np.zeros((*levels.shape[:2], height, width), dtype=np.int64)
    for y, x in np.ndindex(height, width):
        top, left = y * stride - padding, x * stride - padding
        window = levels[:, :, max(0, top) : top + k, max(0, left) : left + k]
        pooled[:, :, y, x] = window.max(axis=(2, 3))
    return pooled


def naive_rows(network: Network, name: str, features: dict[str, np.ndarray], tile_k: int, k_order: str) -> np.ndarray:
    """The binary rows of a layer for one image, bit by bit, from features (T, C, H, W): bool[M, K padded]."""
    layer = network.layer(name)
    height, width = network.geometry[name].computed
    k = layer.pool.kernel if layer.pool and layer.pool.stride == layer.pool.kernel else 1
    positions = [
        (wy * k + dy, wx * k + dx)
        for wy in range(height // k)
        for wx in range(width // k)
        for dy in range(k)
        for dx in range(k)
    ]
    signed = any(network.feature_signed(s.feature) for s in layer.sources)
    top = max(network.feature_levels(s.feature) for s in layer.sources)
    if signed:
        planes = [lambda z, b=b: bool((z >> b) & 1) for b in range(8)]  # Python's >> is two's complement
    elif layer.encoding == "thermometer":
        planes = [lambda z, n=n: z >= n for n in range(1, top + 1)]
    else:
        planes = [lambda z, b=b: bool((z >> b) & 1) for b in range(top.bit_length())]
    rows = []
    for y, x in positions:
        for t in range(network.timesteps):
            for plane in planes:
                row = []
                for source in layer.convolutions:
                    part = [plane(z) for z in _window(source, features[source.feature][t], y, x, k_order)]
                    row += part + [False] * (-len(part) % tile_k)
                rows.append(row)
    return np.array(rows, dtype=bool)


def _window(source: Source, feature: np.ndarray, y: int, x: int, k_order: str) -> list[int]:
    channels, height, width = feature.shape
    kh, kw, top, left = *source.weight.shape[2:], y * source.stride - source.padding, x * source.stride - source.padding
    if source.flatten:
        kh, kw, top, left = height, width, 0, 0

    def level(c: int, ky: int, kx: int) -> int:
        iy, ix = top + ky, left + kx
        return int(feature[c, iy, ix]) if 0 <= iy < height and 0 <= ix < width else 0

    if k_order == "ckk":
        return [level(c, ky, kx) for c in range(channels) for ky in range(kh) for kx in range(kw)]
    return [level(c, ky, kx) for ky in range(kh) for kx in range(kw) for c in range(channels)]


def naive_bits(network: Network, name: str, features: dict[str, np.ndarray]) -> tuple[int, int]:
    """(set bits, all bits) of the rows that a layer reads, from features (n, T, C, H, W), without making a row.

    Every position reads each level of its window once; a level has as many set bits as its planes.
    """
    layer = network.layer(name)
    height, width = network.geometry[name].computed
    signed = any(network.feature_signed(s.feature) for s in layer.sources)
    top = max(network.feature_levels(s.feature) for s in layer.sources)
    planes = 8 if signed else top if layer.encoding == "thermometer" else top.bit_length()
    ones = found = 0
    for source in layer.convolutions:
        levels = features[source.feature].astype(np.int64)
        bits = levels if layer.encoding == "thermometer" else np.bitwise_count(levels & 255).astype(np.int64)
        n, timesteps, channels = bits.shape[:3]
        if source.flatten:
            ones, found = ones + int(bits.sum()), found + bits.size * planes
            continue
        pad = source.padding
        bits = np.pad(bits, [(0, 0)] * 3 + [(pad, pad)] * 2)
        kh, kw = source.weight.shape[2:]
        for ky in range(kh):
            for kx in range(kw):
                rows = slice(ky, ky + source.stride * (height - 1) + 1, source.stride)
                columns = slice(kx, kx + source.stride * (width - 1) + 1, source.stride)
                ones += int(bits[..., rows, columns].sum())
        found += n * timesteps * height * width * channels * kh * kw * planes
    return ones, found


def naive_residual(
    network: Network,
    name: str,
    features: dict[str, np.ndarray],
    tile_m: int,
    tile_k: int,
    one_bit_matches: bool = False,
) -> tuple[int, int]:
    """(residual bits, all bits) of the rows that a layer reads, from features (n, T, C, H, W), every pair of rows of
    every tile compared. Images share tiles where the layer has a single position, as in hardware."""
    images = range(len(features["input"]))
    one = [{feature: levels[image] for feature, levels in features.items()} for image in images]
    found = sum(naive_rows(network, name, part, 1, "kkc").size for part in one)  # tiles of one bit: nothing is padded
    rows = [naive_rows(network, name, part, tile_k, "kkc") for part in one]
    height, width = network.geometry[name].computed
    per_position = len(rows[0]) // (height * width)
    if height * width == 1:
        rows = [np.concatenate(rows)]
    step = tile_m // per_position * per_position
    residual = sum(
        naive_tile(image[m : m + step, k : k + tile_k], one_bit_matches)["residual_bits"]
        for image in rows
        for m in range(0, len(image), step)
        for k in range(0, image.shape[1], tile_k)
    )
    return residual, found


def naive_frames(network: Network, image: np.ndarray) -> np.ndarray:
    """(T, C, H, W) of one input, by its mode."""
    if network.input_mode == "given":
        return image
    blank = image * 0
    return np.stack([image if t == 0 or network.input_mode == "repeat" else blank for t in range(network.timesteps)])
