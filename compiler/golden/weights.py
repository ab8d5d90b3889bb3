"""The weights that RUNs fetch, keep for the next RUN or take over from the one before, and the slots that they take."""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.products import WEIGHT_WORDS, total
from ...hw.arch.program import DENSE
from .arithmetic import wrap
from .memory import Memory


def tiles_fetched(f: dict[str, int]) -> np.ndarray:
    """Return bool[m_tiles, k_tiles]: the weights of this K tile are fetched for this m tile of a RUN."""
    found = np.zeros((f["m_tiles"], f["k_tiles"]), bool)
    if not f["weights_ready"]:
        found[: 1 if f["weights_keep"] else None] = True
    return found


def rows_fetched(f: dict[str, int], packed: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return uint64[m_tiles, k_tiles], which weight rows are fetched: a bit for each row.

    All rows of the first ``whole_tiles`` K tiles, of a dense RUN and of weights that are kept are; of others, those
    that are used.

    Parameters
    ----------
    f : fields of the RUN
    packed : uint64[M, k_tiles], its rows
    starts : int64[m_tiles + 1], the first row of each m tile, and M
    """
    number = np.arange(f["m_tiles"] * f["k_tiles"]).reshape(f["m_tiles"], f["k_tiles"])
    whole = (number < f["whole_tiles"]) | bool(f["weights_keep"]) | (f["mode"] == DENSE)
    used = np.bitwise_or.reduceat(packed, starts[:-1], axis=0)
    masks = np.where(whole, np.uint64((1 << f["tile_depth"]) - 1), used)
    return np.where(tiles_fetched(f), masks, np.uint64(0))


class Weights:
    """Keeps the weights of the RUN in progress.

    Members
    -------
    first_slot : the weight slot of the first K tile of the RUN in progress
    """

    def __init__(self, config: HardwareConfig, memory: Memory) -> None:
        self._config, self._memory = config, memory
        self._slot = self.first_slot = 0
        self._held: np.ndarray | None = None  # those that the last RUN leaves to the next one

    def _bytes(self, f: dict[str, int]) -> int:
        return total((WEIGHT_WORDS,), f) * self._config.bus_bits // 8

    def require_window(self, command: int, f: dict[str, int]) -> None:
        """Require that all weights of a RUN lie in the read window, unless it fetches none.

        Raises
        ------
        ProgramError
            Some of them leave it.
        """
        if not f["weights_ready"]:
            self._memory.within(command, f["weights"], self._bytes(f))

    def take(self, command: int, f: dict[str, int], rows: np.ndarray) -> np.ndarray:
        """Return the weights int8[k_tiles, tile_k, lanes] of a RUN, and take the weight slots that it takes.

        ``rows`` says which rows are fetched (:func:`rows_fetched`), and so how many bytes are read.

        Raises
        ------
        ProgramError
            The memory does not hold them, or an earlier RUN wrote them, for which nothing has waited.
        """
        c, k_tiles = self._config, f["k_tiles"]
        if not f["weights_ready"]:
            self.first_slot = self._slot
        fetched = k_tiles if f["weights_keep"] else k_tiles * f["m_tiles"]
        self._slot = (self.first_slot + fetched) % c.weight_tiles
        weights = self._held
        if weights is None or not f["weights_ready"]:
            row = f["weight_beats"] * c.bus_bits // 8
            data = self._memory.read(command, f["weights"], self._bytes(f), early=True).view(np.int8)
            self._memory.read_by[command] += int(np.bitwise_count(rows).sum()) * row - len(data)
            data = data.reshape(k_tiles, f["tile_depth"], row)[..., : c.lanes]
            weights = np.zeros((k_tiles, c.tile_k, c.lanes), np.int8)
            weights[:, : f["tile_depth"], : data.shape[2]] = wrap(data, c.weight_bits)
        self._held = weights if f["weights_keep"] and f["weights_hold"] else None
        return weights
