"""Product sparsity: the prefix, the residual and the issue order of every row of every tile.

Within one tile, a row with two or more set bits may reuse the result of another row (Prosperity, HPCA 2025, arXiv
2503.03379, sections III to V). Its candidates are the rows ``j != i`` that are not zero and are subsets of it
(``row_j & ~row_i == 0``); an equal row is a candidate only if ``j < i``. The prefix is the candidate with the most set
bits, and among several of these the one with the lowest index. What remains to be added is
``residual_i = row_i ^ row_prefix``. Rows that are not zero are issued by ascending number of set bits, and rows with
equally many in the order of their indices, so that a prefix is finished before its users. This is, bit for bit, the
rule of the paper's published simulator.

With ``one_bit_matches`` a row with one set bit may reuse a result, too, that of an equal row with a lower index. The
accelerator then has less to add (``HardwareConfig.one_bit_matches``). That is not the paper's rule, so densities and
figures of the published simulator never have it.

The search itself is in ``reprise.model.prosparsity.search``. A whole matrix is taken in blocks, so that memory stays
bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

import numpy as np

from ...support.checks import require, require_int
from ...support.threads import threads_for
from .rows import pack_rows
from .search import FEWEST, N_COUNTS, search_tile, search_tiles

T = TypeVar("T", bound=int | np.ndarray)

MAX_TILE_M = 4096
STEPS_PER_ROW = 40  # of the search, roughly
NO_PREFIX = 65  # set bits that no row has
BLOCK_BYTES = 128 << 20  # packed words per block of a streamed matrix


@dataclass(frozen=True, kw_only=True)
class Counts(Generic[T]):
    """What was found in tiles: int64 arrays of one shape with a value per tile, or integers for a single tile.

    Members
    -------
    rows : the rows of the tile; a row of the matrix is one of each of its tiles along K
    nonzero : rows with a set bit
    multi_bit : rows with two or more set bits
    exact : exact matches, which are rows whose prefix equals them
    set_bits : bits that are one
    residual_bits : bits that remain to be added when prefixes are reused
    residual_pairs, residual_quads : the steps in which they can be added if the weights lie in 2 or in 4 banks, by the
        bit's index modulo that number: each bank gives a weight row a step
    """

    rows: T
    nonzero: T
    multi_bit: T
    exact: T
    set_bits: T
    residual_bits: T
    residual_pairs: T
    residual_quads: T

    def add_steps(self, weight_banks: int) -> T:
        """Return the steps in which the residual bits are added with 1, 2 or 4 banks of weights."""
        return {1: self.residual_bits, 2: self.residual_pairs, 4: self.residual_quads}[weight_banks]

    @classmethod
    def from_array(cls, array: np.ndarray) -> "Counts[np.ndarray]":
        """Take the counts from int64[..., N_COUNTS], whose last axis has the order of the fields."""
        return Counts(**{f.name: array[..., i] for i, f in enumerate(fields(cls))})

    @classmethod
    def join(cls, parts: list["Counts[np.ndarray]"]) -> "Counts[np.ndarray]":
        """Put the counts of several blocks one after the other along the first axis, which is that of M."""
        return Counts(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    def total(self) -> "Counts[int]":
        """Sum over all tiles. ``rows`` then counts a row once per tile along K, so it is no number of rows."""
        return Counts(**{f.name: int(np.sum(getattr(self, f.name))) for f in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One analysed tile of m rows.

    Members
    -------
    rows, residual : uint64[m]
    prefix : int32[m]
        Index of each row's prefix, -1 where there is none.
    order : int32[nonzero]
        Indices of the rows that are not zero, in the order in which they are issued.
    counts : Counts of integers
    """

    rows: np.ndarray
    prefix: np.ndarray
    residual: np.ndarray
    order: np.ndarray
    counts: Counts[int]

    @property
    def exact(self) -> np.ndarray:
        """bool[m]: true for exact matches, the rows whose prefix equals them."""
        return (self.prefix >= 0) & (self.residual == 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class TileBlock:
    """The analysed tiles of a block of rows.

    Members
    -------
    rows, residual : uint64[M, KT]
    prefix, order : int32[M, KT]
        Relative to the first row of the tile. Behind a tile's rows that are not zero, ``order`` is filled with -1.
    starts : int64[MT + 1]
        First row of each tile along M, and M.
    counts : Counts of int64[MT, KT]
    """

    rows: np.ndarray
    prefix: np.ndarray
    residual: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    counts: Counts[np.ndarray]

    def tile(self, m: int, k: int) -> Tile:
        """Return tile number ``m`` along M and ``k`` along K."""
        cut = slice(self.starts[m], self.starts[m + 1])
        counts = Counts(**{f.name: int(getattr(self.counts, f.name)[m, k]) for f in fields(Counts)})
        return Tile(
            rows=self.rows[cut, k],
            prefix=self.prefix[cut, k],
            residual=self.residual[cut, k],
            order=self.order[cut, k][: counts.nonzero],
            counts=counts,
        )

    def __iter__(self) -> Iterator[Tile]:
        """Give all tiles in the order in which hardware takes them: K runs fastest."""
        for m in range(len(self.starts) - 1):
            for k in range(self.rows.shape[1]):
                yield self.tile(m, k)


def tile_starts(rows: int, tile_m: int) -> np.ndarray:
    """Cut a matrix every ``tile_m`` rows: int64[tiles + 1], the first row of every tile, and the end."""
    require_int("tile_m", tile_m, 1, MAX_TILE_M)
    return np.append(np.arange(0, rows, tile_m), rows).astype(np.int64)


def _checked(packed: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    packed, starts = np.asarray(packed), np.asarray(starts, dtype=np.int64)
    require(packed.dtype == np.uint64, "packed", "uint64 (see rows.pack_rows)", str(packed.dtype))
    require(packed.ndim == 2, "packed", "a matrix of words (M, KT)", packed.shape)
    sizes = np.diff(starts)
    ends_fit = starts.ndim == 1 and len(starts) > 0 and starts[0] == 0 and starts[-1] == len(packed)
    require(ends_fit, "starts", f"from 0 to the number of rows ({len(packed)})", starts.tolist()[:8])
    sizes_fit = sizes.size == 0 or (sizes.min() > 0 and sizes.max() <= MAX_TILE_M)
    require(sizes_fit, "tile sizes", f"in 1..{MAX_TILE_M}", (sizes.min(initial=0), sizes.max(initial=0)))
    return packed, starts


def fewest_bits(one_bit_matches: bool | int, prefixes: bool = True) -> int:
    """Return how many set bits a row has at least that may have a prefix; more than there are, if none may."""
    return (1 if one_bit_matches else FEWEST) if prefixes else NO_PREFIX


def analyze_tile(rows: np.ndarray, *, one_bit_matches: bool | int = False) -> Tile:
    """Analyse one tile.

    Parameters
    ----------
    rows : uint64[m]
        One word per row, at most 4096 of them; m = 0 gives an empty tile.
    one_bit_matches : bool or int
        A row with one set bit may be an exact match.
    """
    rows = np.ascontiguousarray(rows, dtype=np.uint64)
    require(rows.ndim == 1 and len(rows) <= MAX_TILE_M, "rows", f"up to {MAX_TILE_M} words", rows.shape)
    prefix, order = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.int32)
    residual, counts = np.empty(len(rows), dtype=np.uint64), np.zeros(N_COUNTS, dtype=np.int64)
    search_tile(rows, prefix, residual, order, counts, fewest_bits(one_bit_matches))
    totals = Counts.from_array(counts).total()
    return Tile(rows=rows, prefix=prefix, residual=residual, order=order[: totals.nonzero], counts=totals)


def analyze_packed(
    packed: np.ndarray, starts: np.ndarray, *, one_bit_matches: bool | int = False, prefixes: bool = True
) -> TileBlock:
    """Analyse every tile of packed rows.

    Parameters
    ----------
    packed : uint64[M, KT]
        Word k of row r holds the bits of tile k along K (``rows.pack_rows``).
    starts : int64[MT + 1]
        First row of each tile along M, and M at the end (:func:`tile_starts`).
    one_bit_matches : bool or int
        A row with one set bit may be an exact match.
    prefixes : bool
        Without them no row has one, so that all its bits remain.

    The result takes 16 bytes of memory per word of ``packed``.
    """
    packed, starts = _checked(packed, starts)
    prefix, order = (np.empty(packed.shape, dtype=np.int32) for _ in range(2))
    residual = np.empty(packed.shape, dtype=np.uint64)
    counts = np.zeros((len(starts) - 1, packed.shape[1], N_COUNTS), dtype=np.int64)
    with threads_for(STEPS_PER_ROW * packed.size):
        search_tiles(packed, starts, prefix, residual, order, counts, fewest_bits(one_bit_matches, prefixes))
    return TileBlock(
        rows=packed,
        prefix=prefix,
        residual=residual,
        order=order,
        starts=starts,
        counts=Counts.from_array(counts),
    )


def count_packed(
    packed: np.ndarray, starts: np.ndarray, *, one_bit_matches: bool | int = False, prefixes: bool = True
) -> Counts:
    """Count what :func:`analyze_packed` finds, and keep nothing else."""
    packed, starts = _checked(packed, starts)
    counts = np.zeros((len(starts) - 1, packed.shape[1], N_COUNTS), dtype=np.int64)
    nothing, no_words = np.empty((0, 0), dtype=np.int32), np.empty((0, 0), dtype=np.uint64)
    with threads_for(STEPS_PER_ROW * packed.size):
        search_tiles(packed, starts, nothing, no_words, nothing, counts, fewest_bits(one_bit_matches, prefixes))
    return Counts.from_array(counts)


def _blocks(bits: np.ndarray, tile_m: int, tile_k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    require_int("tile_m", tile_m, 1, MAX_TILE_M)
    require_int("tile_k", tile_k, 1, 64, "a row of a tile is one machine word")
    require(np.ndim(bits) == 2, "bits", "a matrix (M, K)", np.shape(bits))
    words = max(1, -(-bits.shape[1] // tile_k))
    step = max(1, BLOCK_BYTES // (8 * words * tile_m)) * tile_m
    for low in range(0, len(bits), step):
        packed = pack_rows(bits[low : low + step], tile_k)
        yield packed, tile_starts(len(packed), tile_m)


def analyze_rows(bits: np.ndarray, tile_m: int, tile_k: int) -> Iterator[TileBlock]:
    """Analyse a binary matrix block by block, in bounded memory; the tiles of a block are whole.

    Parameters
    ----------
    bits : bool[M, K]
        An array, or anything that slices into one (a memory map).
    tile_m, tile_k : int
        1..4096 rows and 1..64 bits; the last tiles may be smaller.
    """
    for packed, starts in _blocks(bits, tile_m, tile_k):
        yield analyze_packed(packed, starts)


def count_rows(bits: np.ndarray, tile_m: int, tile_k: int) -> Counts:
    """Count every tile of a binary matrix, in bounded memory: Counts of int64[MT, KT]."""
    parts = [count_packed(packed, starts) for packed, starts in _blocks(bits, tile_m, tile_k)]
    if parts:
        return Counts.join(parts)
    return Counts.from_array(np.zeros((0, -(-bits.shape[1] // tile_k), N_COUNTS), dtype=np.int64))
