"""Tables of the hardware configuration: what each field means and must be, and what a step of it costs.

Meanings are those of the docstring of ``HardwareConfig``, limits are those that it checks, and the presets are read.
The costs are in ``docs/measured/config_costs.json``, which ``python -m tools.config_costs --write`` writes.
"""

from __future__ import annotations

import dataclasses
import inspect
import re

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.config_rules import LIMITS, RELATIONS
from reprise.support.presets import HARDWARE

from . import markdown, number, record

PRESETS = ("tiny", "small", "small-t", "board85", "paper", "fast", "paper2", "paper-t")
RESOURCES = {"lut": "LUT4", "ff": "FF", "ram": "block RAM", "dsp": "multipliers"}


def meanings() -> dict[str, str]:
    """Return what the docstring of ``HardwareConfig`` says of each field."""
    text = inspect.getdoc(HardwareConfig) or ""
    found = re.findall(r"^(\w+) : (.*(?:\n    .*)*)", text, flags=re.MULTILINE)
    return {name: " ".join(words.split()).replace("``", "`") for name, words in found}


def fields() -> str:
    """Make the table of all fields: what each means, and its value in each preset."""
    presets = {name: HardwareConfig.load(name) for name in PRESETS}
    if set(presets) != {path.stem for path in HARDWARE.glob("*.yaml")}:
        raise ValueError("PRESETS must name all presets of configs/hardware")
    about, defaults = meanings(), HardwareConfig().to_dict()
    rows = []
    for field in dataclasses.fields(HardwareConfig):
        text = about[field.name]
        values = (getattr(preset, field.name) for preset in presets.values())
        rows.append((f"`{field.name}`", text[0].upper() + text[1:], defaults[field.name], *values))
    return markdown(("field", "meaning", "default", *(f"`{name}`" for name in presets)), rows)


def rules() -> str:
    """Make the table of what each field must be, and why."""
    rows = []
    for field in dataclasses.fields(HardwareConfig):
        limit = LIMITS[field.name]
        found = [(limit.rule(), limit.why), *((r.plain(), r.why) for r in RELATIONS if r.field == field.name)]
        for rule, why in found:
            rows.append((f"`{field.name}`", re.sub(r"\b([a-z]+_[a-z_]+)\b", r"`\1`", rule), _sentence(why)))
    return markdown(("field", "must be", "because"), rows)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _step(new: float, old: float) -> str:
    if new == old:
        return "the same"
    return f"{new - old:+,} ({new / old - 1:+.1%})"


def costs() -> str:
    """Make the table of what a step of each field costs in area and gains in cycles."""
    found = record("config_costs")
    base, preset = found["base"], HardwareConfig.load(found["preset"])
    rows = [(f"`{found['preset']}`", "", *(number(base[k]) for k in RESOURCES), number(base["cycles"]))]
    for one in found["steps"]:
        area = (_step(one[k], base[k]) for k in RESOURCES)
        cycles = _step(one["cycles"], base["cycles"]) if "cycles" in one else "refused"
        rows.append((f"`{one['field']}`", f"{getattr(preset, one['field'])} to {one['value']}", *area, cycles))
    return markdown(("field", "step", *RESOURCES.values(), "cycles"), rows)


def refusals() -> str:
    """List why steps are refused."""
    return "\n".join(
        f"- `{one['field']}={one['value']}`: {one['refused']}"
        for one in record("config_costs")["steps"]
        if "refused" in one
    )


def table(kind: str) -> str:
    """Make one of the tables above."""
    return {"fields": fields, "rules": rules, "costs": costs, "refusals": refusals}[kind]()
