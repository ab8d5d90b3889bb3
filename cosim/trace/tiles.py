"""The figures of the K tiles and m tiles of a job, in the order in which all blocks take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Figures = Mapping[str, np.ndarray]
"""Arrays with a value for each tile, by what the values say."""


def spans(found: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the tiles that have events at all, and the cycles of the first one and after the last one of each.

    Parameters
    ----------
    found : the cycles of all events
    counts : how many of them each tile has; the result is None if there are more or fewer
    """
    ends = np.cumsum(counts)
    if len(found) != (ends[-1] if len(ends) else 0):
        return None
    which = np.flatnonzero(counts)
    return which, found[ends[which] - counts[which]], found[ends[which] - 1] + 1


def tiles(runs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return the figures of all K tiles of all RUNs in their order."""
    parts: dict[str, list[np.ndarray]] = {}
    for one in runs:
        counts = one["counts"]
        m, k = np.indices(counts.rows.shape)
        of_run = {"m": m, "k": k, "tile": np.arange(m.size), "weight_rows": one["weight_rows"]}
        of_run |= {"beats": one["beats"], "rows": counts.rows, "nonzero_rows": counts.nonzero}
        of_run |= {
            "set_bits": counts.set_bits,
            "residual_bits": counts.residual_bits,
            "add_steps": one["add_steps"],
            "exact_matches": counts.exact,
        }
        of_run |= {f"reuse{bank}": one["reuses"][bank] for bank in range(2)}
        of_run |= {key: np.full(m.size, one[key], object) for key in ("layer", "command")}
        for key, values in of_run.items():
            parts.setdefault(key, []).append(np.asarray(values).ravel())
    return {key: np.concatenate(values) for key, values in parts.items()}


def m_tiles(runs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return the figures of all m tiles of all RUNs in their order."""
    rows = [one["counts"].rows[:, 0] for one in runs]
    items = [one["items"] for one in runs]
    found = {"m": np.concatenate([np.arange(len(one)) for one in rows])}
    found |= {"rows": np.concatenate(rows), "items": np.concatenate(items)}
    found |= {"drained": np.concatenate([one["drained"] for one in runs])}
    return found | {
        key: np.concatenate([np.full(len(n), one[key], object) for n, one in zip(rows, runs, strict=True)])
        for key in ("layer", "command")
    }
