"""Reads the files of image data sets: IDX files as of MNIST, and the batches of CIFAR-10.

They may be damaged or come from strangers. What a header says is compared with what the file holds before memory is
taken for it, and nothing in a file is run.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ...model.files.arrays import exactly
from ...model.files.plain_pickle import PickleError, read_pickle
from ...support.errors import RepriseError

MAX_FILE = 1 << 30
"""Bytes of the largest file, and of what a compressed one may hold; no data set that is read here has more in one."""


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE:
        raise RepriseError(where=str(path), field="the file", rule=f"at most {MAX_FILE} bytes", value=size)
    return path.read_bytes()


def _idx(path: Path, stream: io.BufferedIOBase) -> np.ndarray:
    start = exactly(stream, 4)
    if len(start) < 4 or start[:3] != b"\0\0\x08":
        raise RepriseError(f"{path}: an IDX file of bytes begins with 00 00 08, not {start[:3].hex(' ')}")
    header = exactly(stream, 4 * start[3])
    if not 1 <= start[3] <= 4 or len(header) < 4 * start[3]:
        raise RepriseError(f"{path}: number of dimensions must be 1..4 and the header complete, not {start[3]}")
    shape = struct.unpack(f">{start[3]}I", header)
    count = math.prod(shape)
    if count > MAX_FILE:
        raise RepriseError(f"{path}: header says {shape}, and at most {MAX_FILE} bytes are read")
    data = exactly(stream, count)
    more = 0
    while part := stream.read(1 << 20):
        more += len(part)
        if more > MAX_FILE:
            break
    if len(data) + more != count:
        raise RepriseError(f"{path}: header says {shape}, the file holds {len(data) + more} bytes of data")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, compressed or not, as an array.

    Raises
    ------
    RepriseError
        It is no such file; the message names the file, the rule and the value.
    """
    path = Path(path)
    data = _content(path)
    if data[:2] != b"\x1f\x8b":
        return _idx(path, io.BytesIO(data))
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return _idx(path, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise RepriseError(f"{path}: must be a whole gzip file ({error}): fetch it again") from None


def _labels(path: Path, labels: object, count: int) -> np.ndarray:
    given = labels.tolist() if isinstance(labels, np.ndarray) and labels.ndim == 1 else labels
    whole = isinstance(given, list) and all(type(one) is int and 0 <= one < 256 for one in given)
    if not whole or not isinstance(given, list):
        raise RepriseError(f"{path}: b'labels' must be a list of integers in 0..255, not {type(labels).__name__}")
    if len(given) != count:
        raise RepriseError(f"{path}: b'labels' must be one per image ({count}), not {len(given)}")
    return np.asarray(given, dtype=np.int64)


def read_cifar_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the images uint8[n, 3, 32, 32] and labels int64[n] of one binary (.bin) or python batch.

    Raises
    ------
    RepriseError
        The file is no such batch; the message names the file, the rule and the value.
    """
    path = Path(path)
    content = _content(path)
    if path.suffix == ".bin":
        data = np.frombuffer(content, np.uint8)
        if not len(data) or len(data) % 3073:
            raise RepriseError(f"{path}: a CIFAR-10 binary batch is a multiple of 3073 bytes, not {len(data)}")
        data = data.reshape(-1, 3073)
        return data[:, 1:].reshape(-1, 3, 32, 32), data[:, 0].astype(np.int64)
    try:
        batch = read_pickle(content)
    except PickleError as error:
        raise RepriseError(f"{path}: must be a CIFAR-10 python batch ({error})") from None
    images, labels = (batch.get(k) if isinstance(batch, dict) else None for k in (b"data", b"labels"))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 3072:
        raise RepriseError(
            f"{path}: b'data' must be uint8[n, 3072], not {getattr(images, 'shape', type(images).__name__)}"
        )
    return images.reshape(-1, 3, 32, 32), _labels(path, labels, len(images))
