"""Reads the tensors of a pickle, as published simulators and ``torch.save`` write them, and runs nothing of it.

Three forms are known: a dictionary of tensors that ``pickle.dump`` wrote, whose storages are pickles of their own
inside of it; the older form of ``torch.save``, a row of pickles with the storages' bytes behind them; and its newer
form, a zip. What a pickle may name is the closed list :data:`CALLS` with the storages of :data:`STORAGES`
(:mod:`reprise.model.files.plain_pickle` goes through the instructions). PyTorch is not needed.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import MOST_BYTES, ArrayFileError, Header, check_size
from .plain_pickle import INTEGERS, Names, PickleError, arrays_of, read_pickle

STORAGES = {
    "BoolStorage": "b1", "ByteStorage": "u1", "CharStorage": "i1", "ShortStorage": "i2", "IntStorage": "i4",
    "LongStorage": "i8", "HalfStorage": "f2", "FloatStorage": "f4", "DoubleStorage": "f8", "BFloat16Storage": "bf",
}  # fmt: skip
"""NumPy's types by PyTorch's storages; "bf", the upper half of a float32, is no type of NumPy."""

MAGIC = 0x1950A86A20F9469CFC6C
"""The number with which the older form of ``torch.save`` begins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Storage:
    """The values of a tensor in a row: their type, how many there are, and what gives their bytes."""

    kind: str
    count: int
    content: Callable[[], bytes | memoryview]

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return 2 if self.kind == "bf" else np.dtype(self.kind).itemsize

    def values(self) -> np.ndarray:
        """Return all values."""
        content = self.content()
        if len(content) < self.count * self.size:
            raise ArrayFileError(f"a storage must have {self.count * self.size} bytes, not {len(content)}")
        if self.kind == "bf":
            halves = np.frombuffer(content, "<u2", self.count).astype(np.uint32)
            return (halves << 16).view(np.float32)
        if self.kind == "b1":
            return np.frombuffer(content, np.uint8, self.count) != 0
        return np.frombuffer(content, np.dtype(self.kind).newbyteorder("<"), self.count)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def header(self) -> Header:
        kind = "f4" if self.storage.kind == "bf" else self.storage.kind
        return Header(dtype=np.dtype(kind), shape=self.shape)

    def values(self) -> np.ndarray:
        """Return the tensor as an array."""
        if self.header.bytes > MOST_BYTES:
            raise ArrayFileError(f"a tensor of shape {self.shape} must be at most {MOST_BYTES} bytes")
        flat = self.storage.values()[self.offset :]
        strides = tuple(stride * flat.itemsize for stride in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False).copy()


def _whole(value: object) -> bool:
    return isinstance(value, tuple) and all(type(one) is int and 0 <= one < 1 << 40 for one in value)


def _tensor(given: object) -> _Tensor:
    """Return what ``torch._utils._rebuild_tensor`` and its second version rebuild."""
    parts = given if isinstance(given, tuple) else ()
    if len(parts) < 4 or not isinstance(parts[0], _Storage) or not (_whole(parts[2]) and _whole(parts[3])):
        raise PickleError("a tensor must have a storage, an offset, a shape and strides")
    storage, offset, shape, strides = parts[:4]
    if type(offset) is not int or offset < 0 or len(shape) != len(strides) or len(shape) > 8:
        raise PickleError(f"a tensor of shape {shape} has the offset {str(offset)[:20]} and the strides {strides}")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.count:
        raise PickleError(f"a tensor of shape {shape} reads beyond the {storage.count} values of its storage")
    return _Tensor(storage=storage, offset=offset if math.prod(shape) else 0, shape=shape, strides=strides)


def _parameter(given: object) -> _Tensor:
    parts = given if isinstance(given, tuple) else ()
    if not parts or not isinstance(parts[0], _Tensor):
        raise PickleError("a parameter must have a tensor")
    return parts[0]


def _from_bytes(given: object) -> _Storage:
    """Return the storage whose own pickles these bytes are."""
    if not isinstance(given, tuple) or len(given) != 1 or not isinstance(given[0], bytes):
        raise PickleError("a storage must be made of bytes")
    found = _legacy(io.BytesIO(given[0]), deeper=False)
    if not isinstance(found, _Storage):
        raise PickleError("a storage must be made of its own bytes")
    return found


def _ordered(given: object) -> dict:
    if given != ():
        raise PickleError("a dictionary must begin empty")
    return {}


def _no_call(_given: object) -> Any:
    raise PickleError("a storage's type is no function")


RULE = "a capture holds tensors and arrays only"
CALLS: dict[str, Callable[[Any], Any]] = {
    **arrays_of((*INTEGERS, "b1", "f2", "f4", "f8"), "numbers"),
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "torch.storage _load_from_bytes": _from_bytes,
    "collections OrderedDict": _ordered,
    **{f"torch {name}": _no_call for name in STORAGES},
}
"""Everything that a pickle may name, and what stands for a call of it."""

PLAIN = Names(rule=RULE, calls=CALLS)
INNER = Names(rule=RULE, calls={name: call for name, call in CALLS.items() if name != "torch.storage _load_from_bytes"})
"""What a storage's own pickles may name: no storage in a storage."""


def _stored(storages: dict[str, _Storage], content: Callable[[str], Callable[[], bytes | memoryview]]) -> Callable:
    """Return what makes the storage of an identity ('storage', type, key, place, count, ...), each once by its key."""

    def storage(given: object) -> _Storage:
        parts = given if isinstance(given, tuple) else ()
        known = len(parts) >= 5 and parts[0] == "storage" and isinstance(parts[2], str) and type(parts[4]) is int
        kind = STORAGES.get(str(getattr(parts[1], "text", "")).removeprefix("torch ")) if known else None
        if not known or kind is None or not 0 <= parts[4] <= MOST_BYTES:
            raise PickleError("what lies outside of a pickle must be a storage of numbers")
        key = parts[2]
        if key not in storages:
            storages[key] = _Storage(kind=kind, count=parts[4], content=content(key))
        if storages[key].kind != kind:
            raise PickleError(f"the storage {key[:40]!r} has two types")
        return storages[key]

    return storage


def _legacy(stream: io.BytesIO, *, deeper: bool = True) -> Any:
    """Read what the older form of ``torch.save`` wrote: numbers, what was saved, the keys, and the storages' bytes."""
    contents: dict[str, memoryview] = {}
    storages: dict[str, _Storage] = {}
    names = replace(PLAIN if deeper else INNER, stored=_stored(storages, lambda key: lambda: contents[key]))
    if read_pickle(stream, PLAIN) != MAGIC:
        raise PickleError("it does not begin as torch.save does")
    version, system = read_pickle(stream, PLAIN), read_pickle(stream, PLAIN)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise PickleError(f"version {str(version)[:20]}: its bytes must be in little-endian order")
    found, keys = read_pickle(stream, names), read_pickle(stream, PLAIN)
    if not isinstance(keys, list) or set(map(str, keys)) != set(storages):
        raise PickleError("the keys of its storages must be those that it uses")
    whole, at = memoryview(stream.getbuffer()).toreadonly(), stream.tell()
    for key in map(str, keys):
        bytes_of = storages[key].count * storages[key].size
        if int.from_bytes(whole[at : at + 8], "little") != storages[key].count or at + 8 + bytes_of > len(whole):
            raise PickleError(f"the storage {key[:40]!r} must have {bytes_of} bytes, and the file is cut")
        contents[key] = whole[at + 8 : at + 8 + bytes_of]
        at += 8 + bytes_of
    return found


def _zipped(data: io.BytesIO) -> Any:
    """Read what the newer form of ``torch.save`` wrote."""
    with zipfile.ZipFile(data) as archive:
        sizes = {one.filename: one.file_size for one in archive.infolist()}
        if sum(sizes.values()) > MOST_BYTES:
            raise PickleError(f"it must unpack to at most {MOST_BYTES} bytes")
        names = [name for name in sizes if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise PickleError("a zip of torch.save has one data.pkl")
        folder = names[0].removesuffix("data.pkl")
        if sizes.get(f"{folder}byteorder") and archive.read(f"{folder}byteorder").strip() != b"little":
            raise PickleError("its bytes must be in little-endian order")
        contents: dict[str, bytes] = {}

        def content(key: str) -> Callable[[], bytes]:
            if f"{folder}data/{key}" not in sizes:
                raise PickleError(f"the storage {key[:40]!r} is missing in the zip")
            contents[key] = archive.read(f"{folder}data/{key}")
            return lambda: contents[key]

        return read_pickle(archive.read(names[0]), replace(PLAIN, stored=_stored({}, content)))


class TensorFile:
    """The tensors and arrays of a file, by their names; a list of them has a number behind its name.

    Members
    -------
    headers : type and shape of each

    Raises
    ------
    ArrayFileError
        The file is damaged, too large, or holds anything else.
    """

    def __init__(self, path: Path) -> None:
        check_size(path)
        data = io.BytesIO(path.read_bytes())
        try:
            if bytes(data.getbuffer()[:4]) == b"PK\3\4":
                found = _zipped(data)
            else:
                found = read_pickle(data, PLAIN)
                if type(found) is int:
                    data.seek(0)
                    found = _legacy(data)
        except PickleError as error:
            raise ArrayFileError(str(error)) from None
        except Exception as error:  # what zipfile raises for a damaged file depends on where the damage is
            raise ArrayFileError(f"it is damaged: {' '.join(str(error).split())[:120]}") from None
        if not isinstance(found, dict):
            raise ArrayFileError(f"it must hold a dictionary of tensors by name, not {type(found).__name__.strip('_')}")
        self._parts: dict[str, _Tensor | np.ndarray] = {}
        for name, value in found.items():
            text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
            if isinstance(value, list):
                self._parts.update({f"{text}_{i}": self._part(text, one) for i, one in enumerate(value)})
            else:
                self._parts[text] = self._part(text, value)
        self.headers = {
            name: one.header if isinstance(one, _Tensor) else Header(dtype=one.dtype, shape=one.shape)
            for name, one in self._parts.items()
        }

    @staticmethod
    def _part(name: str, value: Any) -> _Tensor | np.ndarray:
        if not isinstance(value, _Tensor | np.ndarray):
            kind = type(value).__name__.strip("_")
            raise ArrayFileError(f"{name[:40]!r} must be a tensor or a list of tensors, not {kind}")
        return value

    def read(self, name: str) -> np.ndarray:
        """Return one array."""
        one = self._parts[name]
        return one.values() if isinstance(one, _Tensor) else one
