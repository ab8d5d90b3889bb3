"""What a layer reads, as hardware reads it: a feature map through a kernel, or some part of it, or lines as planes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...hw.arch.feature_map import FeatureMap
from ...model.network.layer import Source


@dataclass(frozen=True, kw_only=True, eq=False)
class Input:
    """One source of a layer as hardware reads it, or the map that masks the source before it.

    A gathered map has the rows of the kernel as channels, so that the kernel has one row, and steps by one row.

    Members
    -------
    feature : FeatureMap
    weight : int8[O, C, KH, KW]; a mask has those of its source, of which only the kernel counts
    stride, padding : int; a mask of one level for each channel has stride 0, as all positions read the same
    masks : whether it is a mask, which has no K tiles of its own
    part : whether it reads only a part of the map: ``count`` blocks from ``first`` on, and rows from ``top`` on
    fold : planes that read the map one kernel below the other (:mod:`reprise.compiler.rows.planes`)
    """

    feature: FeatureMap
    weight: np.ndarray
    stride: int
    padding: int
    masks: bool = False
    part: bool = False
    first: int = 0
    count: int = 0
    top: int = 0
    fold: int = 1

    @property
    def blocks(self) -> int:
        """Blocks of channels that are read."""
        return self.count if self.part else self.feature.blocks

    @property
    def row_stride(self) -> int:
        """Rows of the map from one output line to the next."""
        return 1 if self.feature.taps > 1 else self.stride

    @property
    def row_padding(self) -> int:
        """Rows above the map that the first output line reads."""
        return (0 if self.feature.taps > 1 else self.padding) - self.top

    @property
    def kernel(self) -> tuple[int, int]:
        """(KH, KW)."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def lines(self) -> int:
        """Lines of the map that an output position reads."""
        return self.kernel[0] * self.fold

    @property
    def depth(self) -> int:
        """Bits of a row that this source fills: blocks * KH * KW * block_channels."""
        return self.blocks * self.feature.block_channels * self.kernel[0] * self.kernel[1]

    def weight_rows(self) -> np.ndarray:
        """Return the weights int8[depth, O] in the hardware's order; those of channels beyond C are zero."""
        f = self.feature
        outputs, channels, kh, kw = self.weight.shape
        padded = np.zeros((outputs, self.blocks * f.block_channels, kh, kw), np.int8)
        padded[:, :channels] = self.weight
        blocks = padded.reshape(outputs, self.blocks, f.block_channels, kh, kw)
        return blocks.transpose(1, 3, 4, 2, 0).reshape(self.depth, outputs)


def lower_source(source: Source, feature: FeatureMap) -> Input:
    """Join a source with its feature map; the weight of one that flattens becomes a kernel as large as the map."""
    weight = source.weight
    if source.flatten:
        shape = (len(weight), feature.height, feature.width, feature.channels)
        weight = weight.reshape(shape).transpose(0, 3, 1, 2)
    if feature.taps > 1:
        weight = weight.transpose(0, 2, 1, 3).reshape(len(weight), -1, 1, weight.shape[3])
    return Input(feature=feature, weight=weight, stride=source.stride, padding=source.padding)


def lower_part(whole: Input) -> Input:
    """Return what a source reads of its map if all other weights are zero: some blocks, and some rows of the kernel."""
    f, used = whole.feature, whole.weight != 0
    if f.taps > 1 or not used.any():
        return whole
    blocks = np.flatnonzero(used.any(axis=(0, 2, 3))) // f.block_channels
    rows = np.flatnonzero(used.any(axis=(0, 1, 3)))
    first, last, top = int(blocks[0]), int(blocks[-1]), int(rows[0])
    channels = slice(first * f.block_channels, (last + 1) * f.block_channels)
    weight = whole.weight[:, channels, top : int(rows[-1]) + 1]
    return replace(whole, weight=weight, part=True, first=first, count=last - first + 1, top=top)


def lower_mask(masked: Input, feature: FeatureMap) -> Input:
    """Return the mask of a source, which is read at the same positions if it has a level for each of them."""
    f = masked.feature
    if (feature.height, feature.width) == (f.height, f.width):
        return replace(masked, feature=feature, masks=True)
    return Input(feature=feature, weight=masked.weight[..., :1, :1], stride=0, padding=0, masks=True)
