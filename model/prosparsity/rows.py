"""Binary rows from levels.

A level is never multiplied. It is expanded into binary planes, and a product is the weighted sum of the planes'
products. There are three encodings. Bit-planes: ``ceil(log2(N+1))`` planes, of which plane b weighs 2**b. Thermometer:
N planes, of which plane l is ``z >= l+1`` and weighs 1, so that each plane is a subset of the one before. A signed
input has the 8 bit-planes of its two's complement, and the last one, the sign plane, weighs -2**7.
"""

import numba as nb
import numpy as np

from ...support.checks import require, require_int
from ...support.kernels import kernel
from ...support.threads import threads_for
from ..network.layer import Encoding

SIGNED_PLANES = 8


def plane_weights(n_levels: int, encoding: Encoding, signed: bool = False) -> np.ndarray:
    """Return the weight of every plane, int64[P], from the least significant plane up.

    Parameters
    ----------
    n_levels : int
        N, the largest level: 1..255.
    encoding : "bitplane" or "thermometer"
    signed : bool
        The levels are two's complement of 8 bits, which only bit-planes can express.
    """
    require_int("n_levels", n_levels, 1, 255)
    encodings = ("bitplane", "thermometer")
    require(encoding in encodings, "encoding", f"one of {encodings}", encoding)
    if signed:
        require(encoding == "bitplane", "encoding", "'bitplane'", encoding, "signed input has a sign plane")
        weights = 2 ** np.arange(SIGNED_PLANES, dtype=np.int64)
        weights[-1] *= -1
        return weights
    if encoding == "thermometer":
        return np.ones(n_levels, dtype=np.int64)
    return 2 ** np.arange(int(n_levels).bit_length(), dtype=np.int64)


def plane_table(n_levels: int, encoding: Encoding, signed: bool = False) -> np.ndarray:
    """Return the planes of every value, uint8[256, P], indexed by the value's low 8 bits.

    An unsigned value above N has no meaning and is all zero here; :func:`encode_planes` refuses it.
    """
    weights = plane_weights(n_levels, encoding, signed)
    values = np.arange(256)
    if encoding == "thermometer":
        table = (values[:, None] >= np.arange(1, len(weights) + 1)).astype(np.uint8)
    else:
        table = ((values[:, None] >> np.arange(len(weights))) & 1).astype(np.uint8)
    if not signed:
        table[n_levels + 1 :] = 0
    return table


def check_levels(levels: np.ndarray, n_levels: int, signed: bool = False, name: str = "levels") -> np.ndarray:
    """Return the levels as uint8, in two's complement if they are signed.

    Raises
    ------
    ValueError
        The levels are not integers, or one is out of range.
    """
    levels = np.asarray(levels)
    if levels.dtype == np.bool_:
        levels = levels.view(np.uint8)
    require(np.issubdtype(levels.dtype, np.integer), name, "an array of integers or booleans", str(levels.dtype))
    low, high = (-128, 127) if signed else (0, n_levels)
    if levels.size and not (levels.dtype == np.uint8 and not signed and high == 255):
        least, most = int(levels.min()), int(levels.max())
        require(low <= least and most <= high, name, f"in {low}..{high}", (least, most))
    return levels.astype(np.uint8)


def encode_planes(
    levels: np.ndarray, n_levels: int, encoding: Encoding, signed: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Expand levels into binary planes.

    Parameters
    ----------
    levels : integers [...]
        0..N, or -128..127 if signed.
    n_levels, encoding, signed
        As for :func:`plane_weights`.

    Returns
    -------
    planes : bool[..., P]
    weights : int64[P]
        ``(planes * weights).sum(-1) == levels``.

    Raises
    ------
    ValueError
        A level is out of range, or the encoding is unknown.
    """
    weights = plane_weights(n_levels, encoding, signed)
    codes = check_levels(levels, n_levels, signed)
    return plane_table(n_levels, encoding, signed)[codes].astype(bool), weights


@kernel(parallel=True)
def _pack(bits: np.ndarray, tile_k: int, packed: np.ndarray) -> None:
    rows, depth = bits.shape
    for r in nb.prange(rows):
        for tile in range(packed.shape[1]):
            word = np.uint64(0)
            start = tile * tile_k
            for j in range(min(tile_k, depth - start)):
                word |= np.uint64(bits[r, start + j]) << np.uint64(j)
            packed[r, tile] = word


def pack_rows(bits: np.ndarray, tile_k: int) -> np.ndarray:
    """Cut binary rows into words of ``tile_k`` bits.

    Parameters
    ----------
    bits : bool (or 0/1 uint8) [M, K]
    tile_k : int
        1..64.

    Returns
    -------
    uint64[M, ceil(K / tile_k)]
        Bit j of word i is column ``i * tile_k + j``. The last word is filled up with zeros.
    """
    require_int("tile_k", tile_k, 1, 64, "a row of a tile is one machine word")
    bits = np.asarray(bits)
    require(bits.ndim == 2, "bits", "a matrix (M, K)", bits.shape)
    if bits.dtype != np.bool_:
        bits = check_levels(bits, 1, name="bits")
    packed = np.empty((bits.shape[0], -(-bits.shape[1] // tile_k)), dtype=np.uint64)
    with threads_for(bits.size):
        _pack(bits.view(np.uint8), tile_k, packed)
    return packed


def unpack_rows(packed: np.ndarray, tile_k: int, depth: int | None = None) -> np.ndarray:
    """Undo :func:`pack_rows`: uint64[M, tiles] -> bool[M, depth], or all columns if no depth is given."""
    shifts = np.arange(tile_k, dtype=np.uint64)
    bits = (packed[:, :, None] >> shifts) & np.uint64(1)
    bits = bits.astype(bool).reshape(packed.shape[0], packed.shape[1] * tile_k)
    return bits if depth is None else bits[:, :depth]
