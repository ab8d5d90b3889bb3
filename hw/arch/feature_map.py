"""A feature map in memory: it is cut into blocks of channels, and each block into lines of packed bits.

There is a *line* for each ``[image][block][y][t][plane]``, and the lines lie in memory in this order. A line is a
string of bits, with the lowest bit first in each byte, and it is filled with zeros to a whole bus word. Its bit
``x * block_channels + c`` belongs to pixel x and channel c of the block. All blocks have
``block_channels = ceil(C / ceil(C / lanes))`` channels; those of the last block that are beyond C hold level 0.

The input may be stored *gathered*, for a layer whose kernel has ``taps`` rows: a row of the map then holds, for each of
its output lines, all image rows that the kernel reads there, one after the other as so many times the channels. So a
row's bits lie in one line instead of one for each row of the kernel.

A map of planes may be stored in an *order* of its channels, so that those that fire together lie side by side.

An *integer map*, such as the potentials of a readout, has a string of integers for each ``[image][block][t][y][x]``, in
this order in memory, or with ``rows_first`` for each ``[image][block][y][t][x]``. It holds the block's channels as
little-endian integers in two's complement, and is filled with zeros to a whole bus word. ``spare`` positions hold
nothing; they are behind the last position of each timestep, or with ``rows_first`` of each row of a timestep.
"""

from __future__ import annotations

import builtins
from dataclasses import asdict, dataclass, replace

import numpy as np

from ...support.checks import LARGEST, from_fields, require, require_int
from .program import INT_BYTES

KINDS, ENCODINGS = ("planes", "potentials", "integers"), ("bitplane", "thermometer")
DERIVED = ("blocks", "line_bits", "line_bytes", "timestep_bytes", "row_bytes", "block_bytes", "image_bytes", "bytes")
"""Sizes that follow from the fields of a map, and stand in files beside them."""

GATHERED = {"taps": 1, "row_step": 1, "row_padding": 0, "image_rows": 0}
"""The fields of a gathered map, which others leave out of files, as those in natural order leave out ``order``."""

POSITIVE = ("taps", "row_step", "images", "timesteps", "channels", "height", "width", "block_channels", "bus_bytes")


@dataclass(frozen=True, kw_only=True)
class FeatureMap:
    """Says where and how one feature map lies in memory.

    Parameters
    ----------
    name : "input" or the name of the layer that writes the map.
    kind : "planes" for levels in binary planes, "potentials" for the int32 potentials of a readout, or "integers" for
        sums or levels that are read as integers.
    images, timesteps, channels, height, width : sizes of the map.
    levels : N, the largest level; 0 for potentials and sums.
    signed : the levels are in two's complement, in 8 planes.
    encoding : "bitplane" or "thermometer".
    planes : number of planes of a level in memory; planes that the levels do not need are zero.
    repeat : all timesteps are the same and only one of them is stored, as of a static input.
    block_channels : channels of a block (Cb).
    bus_bytes : bytes of a bus word; a line is a whole number of bus words.
    address : byte address of the first line.
    int_bytes : bytes of an integer of an integer map: 1, 2 or 4; 0 if the map is of planes.
    spare, rows_first : where an integer map has positions that hold nothing, and whether rows come before timesteps.
    taps : image rows that a row of a gathered map holds; 1 if the map is not gathered. Channel ``tap * C + c`` of row y
        is channel c of the image's row ``y * row_step - row_padding + tap``, or level 0 outside of the image.
    row_step, row_padding, image_rows : of a gathered map, as ``taps`` says, and the rows of an image.
    order : the channels in the order in which they lie in the map, or empty if they lie in their own.
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
    int_bytes: int = 0
    spare: int = 0
    rows_first: bool = False
    taps: int = 1
    row_step: int = 1
    row_padding: int = 0
    image_rows: int = 0
    order: tuple[int, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what the map holds, which is not gathered."""
        return self.channels // self.taps, self.image_rows or self.height, self.width

    @property
    def blocks(self) -> int:
        """Number of blocks of channels."""
        return -(-self.channels // self.block_channels)

    @property
    def frames(self) -> int:
        """Number of timesteps that are stored."""
        return 1 if self.repeat else self.timesteps

    @property
    def lines_per_row(self) -> int:
        """Number of lines of one image row y of a block, which are stored timesteps times planes; 0 for integers."""
        return self.frames * self.planes

    @property
    def line_bits(self) -> int:
        """Bits of a line, or of a string of integers, before the filler at its end."""
        return self.block_channels * (8 * self.int_bytes or self.width)

    @property
    def line_bytes(self) -> int:
        """Bytes of a line, or of a string of integers, which is a whole number of bus words."""
        return -(-self.line_bits // (8 * self.bus_bytes)) * self.bus_bytes

    @property
    def block_bytes(self) -> int:
        """Bytes of one block of one image."""
        if self.int_bytes:
            return self.height * self.row_bytes if self.rows_first else self.timesteps * self.timestep_bytes
        return self.height * self.lines_per_row * self.line_bytes

    @property
    def timestep_bytes(self) -> int:
        """Bytes from one timestep of a block of an integer map to the next; 0 for planes."""
        positions = (1 if self.rows_first else self.height) * self.width
        return (positions + self.spare) * self.line_bytes if self.int_bytes else 0

    @property
    def row_bytes(self) -> int:
        """Bytes from one image row of a timestep of an integer map to the next; 0 for planes."""
        inside = self.timesteps * self.timestep_bytes if self.rows_first else self.width * self.line_bytes
        return inside if self.int_bytes else 0

    @property
    def image_bytes(self) -> int:
        """Bytes of all blocks of one image."""
        return self.blocks * self.block_bytes

    @property
    def bytes(self) -> int:
        """Bytes of the whole map."""
        return self.images * self.image_bytes

    def at(self, address: int) -> FeatureMap:
        """Return the same map at another byte address."""
        return replace(self, address=address)

    def to_dict(self) -> dict:
        """Return the fields and the sizes that follow from them, ready for JSON."""
        left = (*(() if self.taps > 1 else GATHERED), *(() if self.order else ("order",)))
        fields = {name: value for name, value in asdict(self).items() if name not in left}
        return fields | {name: getattr(self, name) for name in DERIVED}

    @classmethod
    def from_dict(cls, fields: dict) -> FeatureMap:
        """Make a map from what :meth:`to_dict` returned.

        Raises
        ------
        RepriseError
            A field is missing, unknown, of another type or out of range, or a size does not follow from the others.
        """
        where = "the feature map"
        require(isinstance(fields, dict), where, "a mapping of fields", fields)
        own = {name: value for name, value in fields.items() if name not in DERIVED}
        made = from_fields(cls, {"order": ()} | (own if "taps" in own else GATHERED | own), where)
        where = f"the feature map {made.name!r}"
        for name in POSITIVE:
            require_int(f"{where}: {name}", getattr(made, name), 1)
        require(made.kind in KINDS, f"{where}: kind", f"one of {', '.join(KINDS)}", made.kind)
        require(made.encoding in ENCODINGS, f"{where}: encoding", f"one of {', '.join(ENCODINGS)}", made.encoding)
        require_int(f"{where}: levels", made.levels, 255 if made.signed else 0, 255)
        sizes = {"planes": (0,), "potentials": (4,), "integers": INT_BYTES}[made.kind]
        require(made.int_bytes in sizes, f"{where}: int_bytes", f"one of {sizes} for {made.kind}", made.int_bytes)
        require_int(f"{where}: spare", made.spare, 0, LARGEST if made.int_bytes else 0, "planes have none")
        require(made.int_bytes > 0 or not made.rows_first, f"{where}: rows_first", "false for planes", made.rows_first)
        require(made.taps > 1 or "taps" not in fields, f"{where}: taps", "above 1", made.taps, "others have no taps")
        if made.taps > 1:
            named = made.name == "input" and made.kind == "planes" and made.channels % made.taps == 0
            require(named, f"{where}: taps", "a divisor of the input's channels", made.taps)
            require_int(f"{where}: image_rows", made.image_rows, 1)
        if made.order or "order" in fields:
            legal = sorted(made.order) == [*range(made.channels)] and made.kind == "planes" and made.taps == 1
            require(legal, f"{where}: order", "every channel of a map of planes once", made.order)
        for name in DERIVED:
            value, given = getattr(made, name), fields.get(name)
            require(type(given) is int and given == value, f"{where}: {name}", str(value), given, "it follows")
        return made

    def _planes_of(self, codes: np.ndarray) -> np.ndarray:
        """Return the planes, 0 or 1, of shape [..., P], of levels that are given as uint8 [...]."""
        p = np.arange(self.planes, dtype=np.uint8)
        if self.encoding == "thermometer":
            return (codes[..., None] > p).astype(np.uint8)
        return (codes[..., None] >> p) & np.uint8(1)

    def pack(self, levels: np.ndarray) -> builtins.bytes:
        """Return the bytes that levels of shape (images, T, C, H, W) take in memory.

        Raises
        ------
        ValueError
            When the map is not of levels, the shape is another, a level is out of range, or timesteps differ in a map
            that stores only one.
        """
        shape = (self.images, self.timesteps, *self.image_shape)
        levels = np.asarray(levels)
        if self.kind != "planes":
            raise ValueError(f"feature {self.name!r} must be of levels, not {self.kind}: a host writes only levels")
        if levels.shape != shape:
            axes = f"(images, T, C, H, W) = {shape}"
            raise ValueError(f"feature {self.name!r} must be of shape {axes}, not {levels.shape}")
        low, high = (-128, 127) if self.signed else (0, self.levels)
        if levels.min() < low or levels.max() > high:
            rule = f"{low}..{high}, not {levels.min()}..{levels.max()}: the network was quantized for that range"
            raise ValueError(f"levels of feature {self.name!r} must be {rule}")
        if self.repeat and (levels != levels[:, :1]).any():
            raise ValueError(f"feature {self.name!r}: all timesteps must be the same: one of them is stored")
        cb, levels = self.block_channels, self._gather(levels)
        codes = np.zeros((self.images, self.frames, self.blocks * cb, self.height, self.width), np.uint8)
        codes[:, :, : self.channels] = levels[:, : self.frames].astype(np.uint8)
        codes = codes.reshape(self.images, self.frames, self.blocks, cb, self.height, self.width)
        # The axes are n: image, t: timestep, b: block, c: channel of the block, y, x, and p: plane.
        bits = self._planes_of(codes)  # n t b c y x p
        bits = bits.transpose(0, 2, 4, 1, 6, 5, 3)  # n b y t p x c
        lines = np.zeros((*bits.shape[:5], self.line_bytes * 8), np.uint8)
        lines[..., : self.line_bits] = bits.reshape(*bits.shape[:5], -1)
        return np.packbits(lines, axis=-1, bitorder="little").tobytes()

    def _gather(self, levels: np.ndarray) -> np.ndarray:
        """Return the levels that the rows of the map hold, (images, T, channels, height, W), of those of images."""
        if self.taps == 1:
            return levels[:, :, list(self.order)] if self.order else levels
        last = (self.height - 1) * self.row_step + self.taps  # rows from the first one that is read on
        below = max(0, last - self.row_padding - self.image_rows)
        padded = np.pad(levels, ((0, 0),) * 3 + ((self.row_padding, below), (0, 0)))
        rows = [padded[..., tap : tap + last - self.taps + 1 : self.row_step, :] for tap in range(self.taps)]
        return np.concatenate(rows, axis=2)

    def _scatter(self, levels: np.ndarray) -> np.ndarray:
        """Return the levels of images, (images, T, C, H, W), of those that the rows of the map hold."""
        if self.taps == 1:
            return levels[:, :, np.argsort(self.order)] if self.order else levels
        channels, rows, _ = self.image_shape
        found = np.zeros((*levels.shape[:2], *self.image_shape), levels.dtype)
        for y, tap in np.ndindex(self.height, self.taps):
            row = y * self.row_step - self.row_padding + tap
            if 0 <= row < rows:
                found[..., row, :] = levels[:, :, tap * channels : (tap + 1) * channels, y]
        if not np.array_equal(self._gather(found), levels):
            raise ValueError(f"feature {self.name!r}: rows that hold the same image row must be equal")
        return found

    def unpack(self, data: builtins.bytes | np.ndarray) -> np.ndarray:
        """Return what the map's bytes in memory hold, of shape (images, T, C, H, W).

        These are levels (uint8, or int8 if they are signed), or int8, int16 or int32 of an integer map.

        Raises
        ------
        ValueError
            When the number of bytes is not that of the map, or when a bit is set that no legal map has: filler at the
            end of a line or string, a channel beyond C, or a thermometer plane without the planes below it.
        """
        data = np.frombuffer(data, np.uint8) if isinstance(data, (bytes, bytearray)) else np.asarray(data, np.uint8)
        if data.size != self.bytes:
            raise ValueError(f"feature {self.name!r} must be {self.bytes} bytes, not {data.size}")
        if self.int_bytes:
            return self._unpack_integers(data)
        shape = (self.images, self.blocks, self.height, self.frames, self.planes)
        bits = np.unpackbits(data.reshape(*shape, self.line_bytes), axis=-1, bitorder="little")
        if bits[..., self.line_bits :].any():
            raise ValueError(f"feature {self.name!r}: bits after the end of a line must be 0")
        bits = bits[..., : self.line_bits].reshape(*shape, self.width, self.block_channels)
        p = np.arange(self.planes, dtype=np.uint8)
        weights = np.ones_like(p) if self.encoding == "thermometer" else np.uint8(1) << p
        codes = np.tensordot(bits, weights, axes=(4, 0)).astype(np.uint8)  # n b y t x c, the axes as in pack
        if not np.array_equal(self._planes_of(codes), bits.transpose(0, 1, 2, 3, 5, 6, 4)):
            raise ValueError(f"feature {self.name!r}: thermometer planes must be nested")
        codes = codes.transpose(0, 3, 1, 5, 2, 4).reshape(self.images, self.frames, -1, self.height, self.width)
        if codes[:, :, self.channels :].any():
            raise ValueError(f"feature {self.name!r}: channels beyond {self.channels} must hold level 0")
        levels = np.repeat(self._scatter(codes[:, :, : self.channels]), self.timesteps // self.frames, axis=1)
        return levels.astype(np.int8) if self.signed else levels

    def _unpack_integers(self, data: np.ndarray) -> np.ndarray:
        rows = self.height if self.rows_first else 1  # of which each has all timesteps
        size = self.height // rows * self.width
        strings = data.reshape(self.images, self.blocks, rows, self.timesteps, size + self.spare, self.line_bytes)
        values = np.ascontiguousarray(strings[..., :size, :]).view(f"<i{self.int_bytes}")
        if values[..., self.block_channels :].any():
            raise ValueError(f"integers {self.name!r}: those after the end of a string must be 0")
        values = values[..., : self.block_channels].transpose(0, 3, 1, 5, 2, 4)  # n t b c y p
        values = values.reshape(self.images, self.timesteps, -1, self.height, self.width)
        return values[:, :, : self.channels].astype(f"int{8 * self.int_bytes}")
