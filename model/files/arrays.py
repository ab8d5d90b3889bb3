"""Reads files of arrays that may be damaged or come from strangers: ``.npz`` and ``.safetensors``.

What a header says of type and size is compared with what the file holds, and with the limits here, before memory is
taken for an array. A small file that says that it unpacks to gigabytes is refused before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from ...support.errors import RepriseError

MOST_BYTES = 1 << 30
"""Bytes of the largest file, and of all arrays that it unpacks to."""

CHUNK = 1 << 20

DTYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32,
    "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64,
}  # fmt: skip
"""NumPy's types by the names of the safetensors format; there are others, such as BF16, that NumPy does not have."""

MOST_HEADER = 1 << 22
"""Bytes of the longest header of a safetensors file; a tensor takes about 100."""


class ArrayFileError(Exception):
    """What is wrong with a file of arrays, as a sentence that follows its name."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """Type and shape of an array in a file, and whether it lies there in the order of Fortran."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def exactly(stream: IO[bytes] | io.BufferedIOBase, count: int) -> bytes:
    """Read ``count`` bytes, or as many as there are; memory is taken for what is there alone."""
    parts, missing = [], count
    while missing and (part := stream.read(min(missing, CHUNK))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def check_size(path: Path) -> int:
    """Return the bytes of a file, or raise ArrayFileError if they are too many."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ArrayFileError(f"the file must be at most {MOST_BYTES} bytes, not {size}")
    return size


def _npy_header(name: str, stream: IO[bytes]) -> Header:
    try:
        version = npy.read_magic(stream)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"version {version}")
        shape, fortran, dtype = readers[version](stream)
    except Exception as error:  # what NumPy raises for a damaged header depends on where the damage is
        raise ArrayFileError(
            f"its member {name!r} must be a NumPy array: {' '.join(str(error).split())[:120]}"
        ) from None
    if dtype.hasobject:
        raise ArrayFileError("it holds Python objects, which are never unpickled")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ArrayFileError(f"its member {name!r} must be a NumPy array, not one of shape {shape}")
    return Header(dtype=dtype, shape=tuple(shape), fortran=bool(fortran))


class Npz:
    """An ``.npz`` of plain arrays whose headers were read, and of which nothing was unpacked yet.

    Raises
    ------
    ArrayFileError
        It is no such file, it or what it unpacks to is too large, or a member is no plain array.
    """

    def __init__(self, path: Path) -> None:
        check_size(path)
        try:
            with zipfile.ZipFile(path) as file:
                self._members: dict[str, zipfile.ZipInfo] = {}
                for info in file.infolist():
                    name = info.filename.removesuffix(".npy")
                    if name in self._members or name == info.filename:
                        raise ArrayFileError(f"its member {info.filename!r} is no NumPy array, or stands there twice")
                    self._members[name] = info
                total = sum(info.file_size for info in self._members.values())
                if total > MOST_BYTES:
                    raise ArrayFileError(f"its arrays must be at most {MOST_BYTES} bytes, not {total}")
                self.headers = {name: self._header(file, name) for name in self._members}
        except ArrayFileError:
            raise
        except Exception as error:  # what zipfile raises for a damaged file depends on where the damage is
            raise ArrayFileError(f"it is damaged: {' '.join(str(error).split())[:120]}") from None
        self._path = path

    def _header(self, file: zipfile.ZipFile, name: str) -> Header:
        info = self._members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArrayFileError(f"its member {name!r} must be stored or deflated, as NumPy writes it")
        with file.open(info) as stream:
            header = _npy_header(name, stream)
            here = info.file_size - stream.tell()
        if header.bytes != here:
            what = f"{header.dtype}{list(header.shape)}"
            raise ArrayFileError(f"its member {name!r} must hold the {header.bytes} bytes of {what}, not {here}")
        return header

    def read(self, name: str) -> np.ndarray:
        """Unpack one array.

        Raises
        ------
        ArrayFileError
            It is damaged.
        """
        header = self.headers[name]
        try:
            with zipfile.ZipFile(self._path) as file, file.open(self._members[name]) as stream:
                _npy_header(name, stream)
                data = exactly(stream, header.bytes)
                if stream.read(1) or len(data) != header.bytes:
                    raise ArrayFileError(f"its member {name!r} is longer or shorter than it says")
        except ArrayFileError:
            raise
        except Exception as error:  # as above
            raise ArrayFileError(f"its member {name!r} is damaged: {' '.join(str(error).split())[:120]}") from None
        return np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ArrayFileError("its header must name every tensor once")
    return dict(pairs)


def tensor_headers(blob: bytes) -> dict[str, Header]:
    """Return the headers of the tensors in a safetensors file, checked against the bytes that it holds.

    Raises
    ------
    ArrayFileError
        It is no such file, or a tensor is of a type that NumPy does not have.
    """
    size = struct.unpack("<Q", blob[:8])[0] if len(blob) >= 8 else -1
    if not 2 <= size <= min(len(blob) - 8, MOST_HEADER):
        raise ArrayFileError("must be a safetensors file: its header does not end within the file")
    try:
        found = json.loads(blob[8 : 8 + size].decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ArrayFileError(f"must be a safetensors file: its header is no JSON ({str(error)[:80]})") from None
    if not isinstance(found, dict):
        raise ArrayFileError("must be a safetensors file: its header is no mapping")
    headers = {}
    for name, one in found.items():
        if name == "__metadata__":
            continue
        if not isinstance(one, dict) or set(one) != {"dtype", "shape", "data_offsets"}:
            raise ArrayFileError(f"must be a safetensors file: {name!r} must have dtype, shape and data_offsets")
        if not isinstance(one["dtype"], str) or one["dtype"] not in DTYPES:
            known = ", ".join(DTYPES)
            raise ArrayFileError(f"the dtype of {name!r} must be one of {known}, not {one['dtype']!r}: store integers")
        sizes = (one["shape"], one["data_offsets"])
        whole = all(isinstance(part, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in part) for part in sizes)
        if not whole or len(one["data_offsets"]) != 2 or len(one["shape"]) > 8:
            raise ArrayFileError(f"must be a safetensors file: shape and data_offsets of {name!r} must be integers")
        header = Header(dtype=np.dtype(DTYPES[one["dtype"]]), shape=tuple(one["shape"]))
        begin, end = one["data_offsets"]
        if end - begin != header.bytes or end > len(blob) - 8 - size:
            raise ArrayFileError(
                f"{name!r} must have the {header.bytes} bytes of {header.dtype}{list(header.shape)} within the file, "
                f"not {begin}..{end}"
            )
        headers[name] = header
    return headers


def read_tensors(path: Path, blob: bytes, kind: type[RepriseError]) -> Mapping[str, np.ndarray]:
    """Return the tensors of a safetensors file; a fault is raised as an error of ``kind``."""
    try:
        tensor_headers(blob)
        return load_tensors(blob)
    except ArrayFileError as error:
        raise kind(f"{path}: {error}") from None
    except SafetensorError as error:
        raise kind(f"{path}: must be a safetensors file ({error})") from None
