"""Random convolution geometries: what a compiler would put in the tables, and the rows NumPy finds."""

from __future__ import annotations

import dataclasses

import numpy as np

from reprise.hw.arch.program import LOOPS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Geometry:
    """One source of a layer: ``blocks`` blocks of ``channels`` channels, ``q`` planes x timesteps."""

    height: int
    width: int
    channels: int
    blocks: int = 1
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: int = 0
    masks: bool = False  # it masks the geometry before it instead of adding rows of its own

    @property
    def channel_mask(self) -> bool:
        """Whether there is one value for each channel, which all positions read."""
        return self.masks and self.stride == 0

    def out(self) -> tuple[int, int]:
        kh, kw = self.kernel
        return (
            (self.height + 2 * self.padding - kh) // self.stride + 1,
            (self.width + 2 * self.padding - kw) // self.stride + 1,
        )


class Job:
    """The tables of one run, its feature words, and the expected K tiles of rows, of ``tile_depth`` bits each."""

    def __init__(
        self, config, sources, *, images=1, q=1, pool=1, positions=None, rng, density=0.5, base=0, tile_depth=None
    ):
        self.tile_depth = tile_depth or config.tile_k
        self.config, self.sources, self.q = config, sources, q
        oh, ow = sources[0].out()
        counts = (q, pool, pool, ow // pool, oh // pool, images)
        self.bits = [rng.random((g.blocks, images, g.height, q, g.width, g.channels)) < density for g in sources]
        self.fields = {f"loop{n}_count": counts[n] for n in range(LOOPS)}
        self.words: dict[int, int] = {}
        self.segments = []
        align = config.bus_bits // config.feature_bits if config.bus_bits > config.feature_bits else 1
        free = base
        for s in range(2):
            if s < len(sources):
                free = self._source(s, sources[s], counts, pool, free, align)
            else:
                self._unused(s)
        assert free <= config.feature_words, "the geometry doesn't fit the feature buffer"
        self._tiles(images, counts, pool, positions)

    def _unused(self, s):
        names = [f"line_bits{s}", f"lines{s}", f"row_address{s}", f"row_x{s}", f"row_y{s}"]
        names += [f"loop{n}_{d}{s}" for n in range(LOOPS) for d in ("x", "y", "address")]
        self.fields |= dict.fromkeys(names, 0)

    def _source(self, s, g, counts, pool, base, align):
        fb, q = self.config.feature_bits, self.q
        images = counts[-1]
        pitch = -(-(g.width * g.channels) // fb)
        pitch = -(-pitch // align) * align
        line = q * pitch  # words from y to y + 1
        block = images * g.height * line
        for (b, i, y, p), _ in np.ndenumerate(self.bits[s][..., 0, 0]):
            bits = self.bits[s][b, i, y, p].reshape(-1)
            value = sum(1 << int(n) for n in np.flatnonzero(bits))
            for w in range(pitch):
                address = base + b * block + (i * g.height + y) * line + p * pitch + w
                self.words[address] = (value >> (fb * w)) & ((1 << fb) - 1)
        strides = {  # of the loops, innermost first
            "address": (pitch, 0, g.stride * line, 0, pool * g.stride * line, g.height * line),
            "x": (0, g.stride * g.channels, 0, pool * g.stride * g.channels, 0, 0),
            "y": (0, 0, g.stride, 0, pool * g.stride, 0),
        }
        for name, steps in strides.items():
            for n in range(LOOPS):
                back = sum(steps[i] * (counts[i] - 1) for i in range(n))
                self.fields[f"loop{n}_{name}{s}"] = steps[n] - back
        self.fields |= {
            f"line_bits{s}": g.width * g.channels,
            f"lines{s}": g.height,
            f"row_address{s}": base - g.padding * line,
            f"row_x{s}": -g.padding * g.channels,
            f"row_y{s}": -g.padding,
        }
        tiles = self._segments(s, g, line, block)
        if g.masks:
            tiles = [own + masks for own, masks in zip(self.tiles, tiles, strict=True)]
        for tile in tiles:
            for entry in tile:
                entry["last"] = int(entry is tile[-1])
        self.tiles = tiles
        self.segments = ([] if g.masks else self.segments) + [entry for tile in tiles for entry in tile]
        return base + g.blocks * block

    def _segments(self, s, g, line, block):
        """The segments of one source, K tile by K tile."""
        kh, kw = g.kernel
        if g.channel_mask:
            pieces = [(b * block, 0, 0, g.channels) for b in range(g.blocks) for _ in range(kh * kw)]
        else:
            pieces = [(b * block + ky * line, 0, ky, kw * g.channels) for b in range(g.blocks) for ky in range(kh)]
        k, tile, found = 0, self.tile_depth, []
        for address, bit, ky, left in pieces:
            while left:
                length = min(left, tile - k % tile)
                entry = {"address": address & 0xFFFF, "bit": bit, "ky": ky, "length": length, "shift": k % tile}
                if k % tile == 0:
                    found.append([])
                found[-1].append(entry | {"source": s, "mask": int(g.masks)})
                k, bit, left = k + length, bit + length, left - length
        return found

    def rows(self, images, counts, pool):
        """All rows [row, k] with every source padded to whole K tiles: the oracle, straight from the definition."""
        parts = []
        for g, bits in zip(self.sources, self.bits, strict=True):
            kh, kw = g.kernel
            p = g.padding
            padded = np.pad(bits, ((0, 0), (0, 0), (p, p), (0, 0), (p, p), (0, 0)))
            rows = []
            for i in range(images):
                for wy in range(counts[4]):
                    for wx in range(counts[3]):
                        for dy in range(pool):
                            for dx in range(pool):
                                y, x = (wy * pool + dy) * g.stride, (wx * pool + dx) * g.stride
                                for q in range(self.q):
                                    window = padded[:, i, y : y + kh, q, x : x + kw, :]
                                    if g.channel_mask:
                                        window = np.broadcast_to(window[:, :1, :1], (g.blocks, kh, kw, g.channels))
                                    rows.append(window.reshape(-1))
            rows = np.array(rows)
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % self.tile_depth)))
            if g.masks:
                parts[-1] = parts[-1] & rows
            else:
                parts.append(rows)
        return np.concatenate(parts, axis=1)

    def _tiles(self, images, counts, pool, positions):
        tile_k = self.tile_depth
        rows = self.rows(images, counts, pool)
        per_tile = (positions or self.config.tile_m // self.q) * self.q
        m_tiles = [rows[i : i + per_tile] for i in range(0, len(rows), per_tile)]
        self.expected = [[tile[:, k : k + tile_k] for k in range(0, rows.shape[1], tile_k)] for tile in m_tiles]
        self.fields |= {
            "m_tiles": len(m_tiles),
            "k_tiles": rows.shape[1] // tile_k,
            "tile_depth": tile_k,
            "rows": min(per_tile, len(rows)),
            "rows_last": len(m_tiles[-1]),
            "segment_first": 0,
        }


def random_job(config, rng, **changes):
    """A random geometry that fits the configuration's feature buffer and segment table."""
    while True:
        q = int(rng.integers(1, 5))
        pool = int(rng.choice([1, 1, 2, 3]))
        kernel = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
        stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 4))
        height, width = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        main = Geometry(
            height=height,
            width=width,
            channels=int(rng.integers(1, 9)),
            blocks=int(rng.integers(1, 3)),
            kernel=kernel,
            stride=stride,
            padding=min(padding, min(kernel) - 1),
        )
        oh, ow = main.out()
        if oh < pool or ow < pool:
            continue
        sources = [main]
        if config.masks and rng.random() < 0.6:  # a mask, of the same size or of a value for each channel
            each = dict(height=1, width=1, stride=0, padding=0) if rng.random() < 0.5 else {}
            sources.append(dataclasses.replace(main, masks=True, **each))
        elif rng.random() < 0.4:  # a shortcut of the same output size, read with a stride of its own
            step = int(rng.integers(1, 3))
            sources.append(Geometry(height=oh * step, width=ow * step, channels=int(rng.integers(1, 9)), stride=step))
        try:
            job = Job(config, sources, images=int(rng.integers(1, 3)), q=q, pool=pool, rng=rng, **changes)
        except AssertionError:
            continue
        if len(job.segments) <= config.segments and sum(len(m) for m in job.expected) <= 60:
            return job
