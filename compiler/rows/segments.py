"""The segments of a layer's K tiles: which pieces of lines its rows are made of."""

from __future__ import annotations

import numpy as np

from ..lower import Pitch
from .inputs import Input

Piece = tuple[int, int, int, int]
"""Bits of a row that follow each other in one line: the line's address, the first bit, ky, and how many."""


def _pieces(i: Input, pitch: Pitch) -> list[Piece]:
    """Return the pieces of a source's rows in order: the KW * Cb bits of one block and one ky follow each other."""
    f, (kh, kw) = i.feature, i.kernel
    row, run = f.lines_per_row * pitch.line, kw * f.block_channels
    return [(block * pitch.block + ky * row, 0, ky, run) for block in range(i.blocks) for ky in range(kh)]


def _mask_pieces(i: Input, pitch: Pitch, source: Input) -> list[Piece]:
    """Return what masks the pieces of a source, bit by bit.

    A mask may have other blocks than its source, and one that has a level for each channel is read again for each
    place of the kernel. Where it has no more channels, the source's are zero, and the piece has the address -1.
    """
    f, own, step = i.feature, i.feature.block_channels, source.feature.block_channels
    if i.stride and own == step:
        return _pieces(i, pitch)
    found = []
    for first in range(source.first * step, (source.first + source.blocks) * step, step):
        for ky, kx in np.ndindex(source.kernel):
            ky, kx = (ky, kx) if i.stride else (0, 0)
            channel = first
            while channel < first + step:
                block, at = divmod(channel, own)
                length = min(first + step - channel, own - at)
                address = block * pitch.block + ky * f.lines_per_row * pitch.line
                found.append((address if block < f.blocks else -1, kx * own + at, ky, length))
                channel += length
    return found


def _cut(pieces: list[Piece], tile_depth: int, source: int, mask: int) -> list[list[dict[str, int]]]:
    """Return the segments of each K tile of a source: its pieces, cut at the borders of the K tiles."""
    tiles: list[list[dict[str, int]]] = []
    k = 0
    for address, first, ky, count in pieces:
        bit, end = first, first + count
        while bit < end:
            shift = k % tile_depth
            length = min(end - bit, tile_depth - shift)
            place = {"address": address, "bit": bit, "ky": ky, "length": length, "shift": shift}
            if shift == 0:
                tiles.append([])
            if address >= 0:
                tiles[-1].append(place | {"source": source, "mask": mask})
            k, bit = k + length, bit + length
    return tiles


def segments(inputs: tuple[Input, ...], pitches: tuple[Pitch, ...], tile_depth: int) -> list[list[dict[str, int]]]:
    """Return the segments of each K tile of a layer, as fields of reprise.hw.arch.program.SEGMENT.

    Those of a mask follow those of its source in each K tile. A layer without inputs has a K tile of one segment, which
    reads outside of all lines.
    """
    if not inputs:
        return [[{"length": 1, "last": 1}]]
    tiles: list[list[dict[str, int]]] = []
    for n, (i, pitch) in enumerate(zip(inputs, pitches, strict=True)):
        if i.masks:
            masks = _cut(_mask_pieces(i, pitch, inputs[n - 1]), tile_depth, n, 1)
            tiles = [tile + mask for tile, mask in zip(tiles, masks, strict=True)]
        else:
            tiles += _cut(_pieces(i, pitch), tile_depth, n, 0)
    return [[entry | {"last": int(entry is tile[-1])} for entry in tile] for tile in tiles]
