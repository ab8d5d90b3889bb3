"""A feature map in memory: blocks of channels, lines of packed bits.

``[image][block][y][t][plane]`` is a *line*: bit ``x * block_channels + c`` of a bit string, LSB first in bytes, filled
with zeros to a whole bus word. All blocks have ``block_channels = ceil(C / ceil(C / lanes))`` channels; channels beyond
C (in the last block) hold level 0. The potentials of a readout are ``[image][block][y]`` lines of int32 ``[x][t][c]``.
"""

from __future__ import annotations

import builtins
from dataclasses import asdict, dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class FeatureMap:
    """Where and how one feature map lies in memory.

    Parameters
    ----------
    name : "input" or the name of the layer that writes it.
    kind : "planes" (levels in binary planes) or "potentials" (int32, of a readout).
    images, timesteps, channels, height, width : sizes.
    levels : N, the largest level; 0 for potentials.
    signed : two's complement of 8 planes.
    encoding : "bitplane" or "thermometer".
    planes : planes of a level in memory; planes that the levels don't need are zero.
    repeat : all timesteps are the same and one of them is stored (a static input).
    block_channels : channels of a block (Cb).
    bus_bytes : bytes of a bus word: lines are whole ones.
    address : byte address of the first line.
    """

    name: str
    kind: str
    images: int
    timesteps: int
    channels: int
    height: int
    width: int
    levels: int
    signed: bool
    encoding: str
    planes: int
    block_channels: int
    bus_bytes: int
    repeat: bool = False
    address: int = 0

    @property
    def blocks(self) -> int:
        """Blocks of channels."""
        return -(-self.channels // self.block_channels)

    @property
    def frames(self) -> int:
        """Timesteps that are stored."""
        return 1 if self.repeat else self.timesteps

    @property
    def lines_per_row(self) -> int:
        """Lines of one image row y: stored timesteps * P, or one line of potentials."""
        return 1 if self.kind == "potentials" else self.frames * self.planes

    @property
    def line_bits(self) -> int:
        """Bits of a line that mean something."""
        size = self.width * self.block_channels
        return size * self.timesteps * 32 if self.kind == "potentials" else size

    @property
    def line_bytes(self) -> int:
        """Bytes of a line, whole bus words."""
        return -(-self.line_bits // (8 * self.bus_bytes)) * self.bus_bytes

    @property
    def block_bytes(self) -> int:
        return self.height * self.lines_per_row * self.line_bytes

    @property
    def image_bytes(self) -> int:
        return self.blocks * self.block_bytes

    @property
    def bytes(self) -> int:
        return self.images * self.image_bytes

    def at(self, address: int) -> FeatureMap:
        """The same map at another address."""
        return replace(self, address=address)

    def to_dict(self) -> dict:
        derived = ("blocks", "line_bits", "line_bytes", "block_bytes", "image_bytes", "bytes")
        return asdict(self) | {name: getattr(self, name) for name in derived}

    @classmethod
    def from_dict(cls, fields: dict) -> FeatureMap:
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__})

    def _planes_of(self, codes: np.ndarray) -> np.ndarray:
        """uint8 codes [...] -> 0/1 [..., P]."""
        p = np.arange(self.planes, dtype=np.uint8)
        if self.encoding == "thermometer":
            return (codes[..., None] > p).astype(np.uint8)
        return (codes[..., None] >> p) & np.uint8(1)

    def pack(self, levels: np.ndarray) -> builtins.bytes:
        """Memory bytes of levels (images, T, C, H, W).

        Raises
        ------
        ValueError
            For another shape, or a level out of range.
        """
        shape = (self.images, self.timesteps, self.channels, self.height, self.width)
        levels = np.asarray(levels)
        if self.kind != "planes":
            raise ValueError(
                f"feature {self.name!r} must be of levels, not {self.kind}: only levels are written by a host"
            )
        if levels.shape != shape:
            raise ValueError(
                f"feature {self.name!r} must be of shape (images, T, C, H, W) = {shape}, not {levels.shape}"
            )
        low, high = (-128, 127) if self.signed else (0, self.levels)
        if levels.min() < low or levels.max() > high:
            raise ValueError(
                f"levels of feature {self.name!r} must be {low}..{high}, not {levels.min()}..{levels.max()}:"
                " the network was quantized for that range"
            )
        if self.repeat and (levels != levels[:, :1]).any():
            raise ValueError(f"feature {self.name!r}: all timesteps must be the same: one of them is stored")
        cb = self.block_channels
        codes = np.zeros((self.images, self.frames, self.blocks * cb, self.height, self.width), np.uint8)
        codes[:, :, : self.channels] = levels[:, : self.frames].astype(np.uint8)
        codes = codes.reshape(self.images, self.frames, self.blocks, cb, self.height, self.width)
        bits = self._planes_of(codes)  # n t b c y x p
        bits = bits.transpose(0, 2, 4, 1, 6, 5, 3)  # n b y t p x c
        lines = np.zeros((*bits.shape[:5], self.line_bytes * 8), np.uint8)
        lines[..., : self.line_bits] = bits.reshape(*bits.shape[:5], -1)
        return np.packbits(lines, axis=-1, bitorder="little").tobytes()

    def unpack(self, data: builtins.bytes | np.ndarray) -> np.ndarray:
        """Levels uint8 (int8 if signed) or potentials int32, (images, T, C, H, W), of the map's memory bytes.

        Raises
        ------
        ValueError
            When there are not ``bytes`` bytes, or a bit is set that means nothing (filler bits of a line, channels
            beyond C, planes in an order that no level has).
        """
        data = np.frombuffer(data, np.uint8) if isinstance(data, (bytes, bytearray)) else np.asarray(data, np.uint8)
        if data.size != self.bytes:
            raise ValueError(f"feature {self.name!r} must be {self.bytes} bytes, not {data.size}")
        if self.kind == "potentials":
            return self._unpack_potentials(data)
        shape = (self.images, self.blocks, self.height, self.frames, self.planes)
        bits = np.unpackbits(data.reshape(*shape, self.line_bytes), axis=-1, bitorder="little")
        if bits[..., self.line_bits :].any():
            raise ValueError(f"feature {self.name!r}: bits after the end of a line must be 0")
        bits = bits[..., : self.line_bits].reshape(*shape, self.width, self.block_channels)
        weights = np.uint8(1) << np.arange(self.planes, dtype=np.uint8)
        if self.encoding == "thermometer":
            weights = np.ones(self.planes, np.uint8)
        codes = np.tensordot(bits, weights, axes=(4, 0)).astype(np.uint8)  # n b y t x c
        if not np.array_equal(self._planes_of(codes), bits.transpose(0, 1, 2, 3, 5, 6, 4)):
            raise ValueError(f"feature {self.name!r}: thermometer planes must be nested")
        codes = codes.transpose(0, 3, 1, 5, 2, 4)
        codes = codes.reshape(self.images, self.frames, -1, self.height, self.width)
        if codes[:, :, self.channels :].any():
            raise ValueError(f"feature {self.name!r}: channels beyond {self.channels} must hold level 0")
        levels = np.repeat(codes[:, :, : self.channels], self.timesteps // self.frames, axis=1)
        return levels.astype(np.int8) if self.signed else levels

    def _unpack_potentials(self, data: np.ndarray) -> np.ndarray:
        shape = (self.images, self.blocks, self.height)
        lines = np.ascontiguousarray(data.reshape(*shape, self.line_bytes)).view("<i4")
        if lines[..., self.line_bits // 32 :].any():
            raise ValueError(f"potentials {self.name!r}: words after the end of a line must be 0")
        lines = lines[..., : self.line_bits // 32]
        values = lines.reshape(*shape, self.width, self.timesteps, self.block_channels).transpose(0, 4, 1, 5, 2, 3)
        values = values.reshape(self.images, self.timesteps, -1, self.height, self.width)
        return values[:, :, : self.channels].astype(np.int32)
