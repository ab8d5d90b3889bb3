"""Tables of what the soak has run and of what it cannot draw, and of how the fuzz's mutated programs ended.

``reprise soak --json docs/measured/soak.json`` writes a record that counts over all calls, and ``reprise fuzz --json
docs/measured/fuzz.json`` adds the counts of a configuration to one. Whether counts are those of the RTL as it is now is
told by the Verilog of presets, which is compared with that of the record.
"""

from __future__ import annotations

from collections import Counter

from reprise.cosim.fuzz.run import WAYS, verilog_sha256
from reprise.cosim.soak.draw import PRESETS
from reprise.cosim.soak.traits import KINDS, NEVER, NUMBERED
from reprise.hw.arch.config import HardwareConfig
from reprise.support.terminal import counted

from . import markdown, number, record

SHOWN = ("lanes", "neuron_lanes", "tile_m", "tile_k", "bus_bits", "queries", "banks", "weight_bits", "feature_words")
"""The fields of a configuration that its line shows."""

COUNTED = {"equal": "equal", "exact": "in all cycles, too", "mismatch": "mismatch", "failed": "failed"}


def changed() -> list[str]:
    """Return the presets whose Verilog is not that of the record."""
    digests = {one["name"]: one["verilog_sha256"] for one in record("soak")["configurations"]}
    return [n for n in PRESETS if n in digests and verilog_sha256(HardwareConfig.load(n)) != digests[n]]


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
    """Make the table of how many equal networks have each trait, which is none of one that the record does not know."""
    found = Counter(record("soak")["traits"])
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


SAID = {
    "equal": "both run it, and their memories are equal byte for byte",
    "refused": "both refuse it with the same error code",
    "order": "a rule of order is broken: the interpreter names it, and the RTL ends and writes inside its window only",
    "wrong": "anything else",
}
"""What each way to end means."""


def fuzz() -> str:
    """Make the table of the ways to end, with a column for each configuration."""
    found = record("fuzz")["configurations"]
    rows = []
    for way in sorted(WAYS, key=list(SAID).index):
        details = sorted({d for one in found.values() for d in one["ways"][way]} - {""})
        rows.append((SAID[way], "", *(number(sum(one["ways"][way].values())) for one in found.values())))
        rows += [
            ("", f"`{detail}`", *(number(one["ways"][way].get(detail, 0)) for one in found.values()))
            for detail in details
        ]
    rows.append(("all programs", "", *(number(one["programs"]) for one in found.values())))
    rows.append(("networks from which they were made", "", *(number(one["networks"]) for one in found.values())))
    return markdown(("how a mutated program ends", "code or rule", *(f"`{name}`" for name in found)), rows)


def fuzzed() -> str:
    """Name the commands, and say whether it was this RTL."""
    found = record("fuzz")["configurations"]
    stale = [n for n, one in found.items() if verilog_sha256(HardwareConfig.load(n)) != one["verilog_sha256"]]
    names = " and ".join(f"`{name}`" for name in stale)
    now = (
        f"The RTL has changed since: the Verilog of {names} is another now." if stale else "The RTL is this version's."
    )
    commands = " and ".join(f"`{one['command']}`" for one in found.values())
    return f"Measured by {commands}, with `--json docs/measured/fuzz.json`. {now}"


def table(kind: str) -> str:
    """Make one of the tables and sentences above."""
    return {one.__name__: one for one in (count, configurations, traits, never, fuzz, fuzzed)}[kind]()
