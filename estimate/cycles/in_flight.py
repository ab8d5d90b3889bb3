"""Joins the rows of the run before, as far as they are under way, and those of a run that begins beside it.

The rows of a run start while the one before is still being drained. So the blocks count rows, tiles and m tiles of both
in one sequence, whose beginning is dropped when a run's rows start: nothing is left of what comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .run_data import RunData
from .state import RING

ROWS = ("bits", "rows", "prefix", "tile_of", "bank_of", "after", "queue_of")
TILES = ("ends", "compute_count", "end_time", "beats", "slot", "release", "last_k", "m_of", "command", "narrow")
COUNTS: dict[str, dict[str, tuple[str, ...]]] = {
    "sort": {
        "tile": ("tile", "loaded", "released", "t_tile", "begun_tiles"),
        "row": ("row",),
        "class": ("c_class", "c_end", "o_class", "kc_class"),
        "visit": ("v_visit",),
    },
    "processor": {
        "tile": ("entered", "tile", "active_tile", "finish_tile", "held_tile", "slot_tile"),
        "row": ("stage", "active", "reuse"),
        "compute": ("c_head",),
        "reuse": ("r_head",),
        "m_tile": ("full_m",),
    },
    "drain": {"m_tile": ("m",)},
}
"""The fields of each record that count something of the sequence."""

_NONE = ("stage", "active", "reuse", "finish_tile")
"""Those that are -1 where there is nothing."""


def _oldest(sort: Any, processor: Any) -> int:
    """Return an even number of tiles that nothing needs any more, so that what a tile's parity chooses stays so."""
    inside = [int(tile) for tile, valid in zip(processor["tile"], processor["valid"], strict=True) if valid]
    return min(int(sort["released"]), int(processor["entered"]), *inside) & ~1


def _dropped(data: RunData, tiles: int, m_tile: int) -> dict[str, Any]:
    """Return how many of everything come before a tile, and before the m tile that is drained."""
    if not tiles:
        return {"tile": 0, "row": 0, "class": 0, "visit": 0, "compute": 0, "reuse": np.zeros(2, np.int64), "m_tile": 0}
    m_tiles = min(m_tile, int(data.m_of[tiles]) if tiles < len(data.m_of) else len(data.walk_end))
    classes = int(data.class_end[tiles - 1])
    return {
        "tile": tiles,
        "row": int(data.ends[tiles - 1]),
        "class": classes,
        "visit": int(data.class_words[:classes].sum()),
        "compute": int(data.compute_count[:tiles].sum()),
        "reuse": data.reuse_count[:, :tiles].sum(axis=1),
        "m_tile": m_tiles,
    }


def _shift(records: Mapping[str, Any], dropped: dict[str, Any]) -> None:
    """Count from the beginning of what is left."""
    for name, kinds in COUNTS.items():
        for kind, fields in kinds.items():
            for field in fields:
                value = records[name][field]
                moved = value - dropped[kind]
                records[name][field] = np.where(value < 0, value, moved) if field in _NONE else moved
    records["sort"]["begin_time"] = np.roll(records["sort"]["begin_time"], -(dropped["tile"] % RING))


def follow(old: RunData, new: RunData, records: Mapping[str, Any]) -> RunData:
    """Return what is left of the rows under way with those of a run behind, and let the records count from there.

    Parameters
    ----------
    old : the rows so far, or :func:`reprise.estimate.cycles.run_data.no_rows`
    new : the rows of the run that begins, which are not changed
    records : of the machine, which are: ``sort``, ``processor`` and ``drain``
    """
    tiles = _oldest(records["sort"], records["processor"]) if len(old.ends) else 0
    gone = _dropped(old, tiles, int(records["drain"]["m"]))
    _shift(records, gone)
    row, classes, visits, m_tile = gone["row"], gone["class"], gone["visit"], gone["m_tile"]
    runs = int(old.run_end[tiles - 1]) if tiles else 0
    steps = int(old.walk_end[m_tile - 1]) if m_tile else 0
    rows = int(old.ends[-1]) - row if len(old.ends) else 0
    left, m_left = len(old.ends) - tiles, len(old.walk_end) - m_tile

    def joined(name: str, cut: int, *, less: int = 0, more: int = 0, end: int | None = None) -> np.ndarray:
        before, after = getattr(old, name), getattr(new, name)
        return np.concatenate([before[cut:end] - less, after + more])

    found: dict[str, Any] = {name: joined(name, row, end=row + rows) for name in ROWS if name != "tile_of"}
    found |= {name: joined(name, tiles) for name in TILES if name not in ("ends", "m_of")}
    found["tile_of"] = joined("tile_of", row, end=row + rows, less=tiles, more=left)
    found["ends"] = joined("ends", tiles, less=row, more=rows)
    found["m_of"] = joined("m_of", tiles, less=m_tile, more=m_left)
    found["class_end"] = joined("class_end", tiles, less=classes, more=len(old.class_words) - classes)
    found["class_words"], found["visit_rows"] = joined("class_words", classes), joined("visit_rows", visits)
    found["run_end"] = joined("run_end", tiles, less=runs, more=len(old.run_first) - runs)
    found["run_first"], found["run_rows"] = joined("run_first", runs), joined("run_rows", runs)
    found["walk_end"] = joined("walk_end", m_tile, less=steps, more=len(old.order) - steps)
    found |= {name: joined(name, steps) for name in ("order", "last_position", "last_plane")}
    counted = int(old.compute_count[tiles:].sum())
    start = gone["compute"]
    found["computes"] = joined("computes", start, end=start + counted, less=row, more=rows)
    banks = []
    for bank, start in enumerate(gone["reuse"]):
        end = start + int(old.reuse_count[bank, tiles:].sum())
        banks.append(np.concatenate([old.reuses[bank, start:end] - row, new.reuses[bank] + rows]))
    found["reuses"] = np.zeros((2, max(map(len, banks))), np.int64)
    for bank, values in enumerate(banks):
        found["reuses"][bank, : len(values)] = values
    found["reuse_count"] = np.concatenate([old.reuse_count[:, tiles:], new.reuse_count], axis=1)
    kept = old if len(old.ends) else new
    return new._replace(**found, push=kept.push.copy(), dirty=kept.dirty.copy(), first=left)


def twin(data: RunData) -> RunData:
    """Return the same rows with copies of what a machine writes."""
    return data._replace(end_time=data.end_time.copy(), push=data.push.copy(), dirty=data.dirty.copy())
