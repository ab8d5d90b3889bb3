"""Tables of what the soak has run and of what it cannot draw, from ``docs/measured/soak.json``.

``reprise soak --json docs/measured/soak.json`` writes that file, which counts over all calls. Whether its counts are
those of the RTL as it is now is told by the Verilog of presets, which is compared with that of the record.
"""

from __future__ import annotations

import hashlib

from reprise.cosim.soak.draw import PRESETS
from reprise.cosim.soak.traits import KINDS, NEVER, NUMBERED
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.emission import verilog_of
from reprise.support.terminal import counted

from . import markdown, number, record

SHOWN = ("lanes", "neuron_lanes", "tile_m", "tile_k", "bus_bits", "queries", "banks", "weight_bits", "feature_words")
"""The fields of a configuration that its line shows."""

COUNTED = {"equal": "equal", "exact": "in all cycles, too", "mismatch": "mismatch", "failed": "failed"}


def changed() -> list[str]:
    """Return the presets whose Verilog is not that of the record."""
    digests = {one["name"]: one["verilog_sha256"] for one in record("soak")["configurations"]}
    now = {name: verilog_of(HardwareConfig.load(name)).text.encode() for name in PRESETS if name in digests}
    return [name for name, text in now.items() if hashlib.sha256(text).hexdigest() != digests[name]]


def count() -> str:
    """Say how many networks were run, how they ended, and whether it was this RTL."""
    found = record("soak")
    total, several = found["total"], counted(len(found["configurations"]), "configuration")
    stale = changed()
    of_this = (
        f"**The RTL has changed since**: the Verilog of {' and '.join(f'`{name}`' for name in stale)} is another now."
        if stale
        else "The Verilog is that of this version."
    )
    return (
        f"**{number(found['networks'] - total['refused'])} random networks were run on {several}:"
        f" {number(total['equal'])} equal the models, {number(total['mismatch'])} differ, and {number(total['failed'])}"
        f" failed.** {number(total['exact'])} of them met no random stalls, and took exactly the cycles of the cycle"
        f" model; all took {number(total['rtl_cycles'])} cycles together. The compiler refused"
        f" {number(total['refusals'])} networks for their configuration, and others were drawn in their place."
        f" {of_this} Measured by `{found['command']}` and calls before it, which it counts."
    )


def configurations() -> str:
    """Make the table of the configurations with the counts of each."""
    rows = [
        (
            f"`{one['name']}`",
            *(one["configuration"][field] for field in SHOWN),
            *(number(one[key]) for key in COUNTED),
        )
        for one in record("soak")["configurations"]
    ]
    return markdown(("configuration", *(f"`{field}`" for field in SHOWN), *COUNTED.values()), rows)


def traits() -> str:
    """Make the table of how many equal networks have each trait."""
    found = record("soak")["traits"]
    rows = []
    for name, values in NUMBERED.items():
        cells = (f"{value} ({number(found[f'{name} {value}'])})" for value in values)
        rows.append((f"`{name}`" if "_" in name or name.islower() else name, ", ".join(cells)))
    for name, kinds in KINDS.items():
        rows.append((name, ", ".join(f"{kind} ({number(found[kind])})" for kind in kinds)))
    return markdown(("trait", "equal networks that have it"), rows)


def never() -> str:
    """Make the table of what cannot be drawn."""
    return markdown(("what is never drawn", "why"), [(what, f"{why[0].upper()}{why[1:]}.") for what, why in NEVER])


def table(kind: str) -> str:
    """Make one of the tables and sentences above."""
    return {one.__name__: one for one in (count, configurations, traits, never)}[kind]()
