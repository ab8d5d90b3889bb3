"""``make fpga-check`` compares the ``small`` core, synthesized and routed, with the committed baseline."""

from __future__ import annotations

import json
from pathlib import Path

BASELINE = Path("docs/measured/fpga_baseline.json")
SEED = 3
"""The seed of the placer."""

FIGURES = ("lut", "ff", "ram", "dsp", "fmax")
LIMITS = {"lut": 0.03, "ff": 0.03, "ram": 0.0, "dsp": 0.0, "fmax": -0.08}
"""How far a figure may change and still count as noise, as a share of the baseline.

A positive limit says how much more it may be, and a negative one how much less; nextpnr's Fmax scatters with the seed.
"""


def compare(baseline: dict, measured: dict) -> list[dict]:
    """Return a row for each figure: its name, the baseline, what was measured, and the change as a share.

    The row also says whether the figure is worse than ``LIMITS`` allow.
    """
    rows = []
    for name in FIGURES:
        if name not in measured or name not in baseline:
            continue
        old, new = baseline[name], measured[name]
        change = (new - old) / old if old else float(new != old)
        limit = LIMITS[name]
        worse = change < limit if limit < 0 else change > limit
        rows.append({"figure": name, "baseline": old, "measured": new, "change": change, "worse": worse})
    return rows


def load(path: Path = BASELINE) -> dict:
    """Return the committed baseline.

    Raises
    ------
    FileNotFoundError
        There is none yet; ``reprise fpga check --update`` writes it.
    """
    return json.loads(path.read_text())


def save(measured: dict, path: Path = BASELINE) -> None:
    """Make the measured figures the baseline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=1) + "\n")
