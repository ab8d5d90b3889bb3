"""What was synthesized and routed, as the package knows it, and what the parts of the ECP5 family hold.

``measured.json`` is made of ``docs/measured/resources.json`` by ``make docs``. It holds no more than a report needs.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from .netlist import is_earlier

MEASURED = Path(__file__).resolve().parent / "measured.json"

ECP5_PARTS = {
    "25k": {"luts": 24288, "rams": 56, "dsps": 28},
    "45k": {"luts": 43848, "rams": 108, "dsps": 72},
    "85k": {"luts": 83640, "rams": 208, "dsps": 156},
}
"""What each part of the ECP5 family holds, by its data sheet; nextpnr's reports say the same."""

RESOURCES = ("lut", "ff", "ram", "dsp")


def from_records(records: list[dict]) -> list[dict]:
    """Return what ``measured.json`` holds, from the records of ``docs/measured/resources.json``.

    A routed record names its configuration only; its fields are those of the synthesis of the same name and block.
    """
    known = {(r["config"], r["block"]): r["configuration"] for r in records if r["kind"] == "synthesis"}
    found = []
    for r in records:
        configuration = known.get((r["config"], r["block"]))
        if r["block"] not in ("core", "accelerator") or configuration is None:
            continue
        one = {"configuration_sha256": HardwareConfig.from_dict(configuration).digest()}
        one |= {key: r[key] for key in ("kind", "block", "target", "command")} | {"netlist": r.get("netlist")}
        if r["kind"] == "route":
            one |= {key: r[key] for key in ("part", "grade")} | {"fmax_mhz": r["fmax"]}
        else:
            one |= {key: r[key] for key in RESOURCES}
        found.append(one)
    return found


@functools.cache
def load(path: Path = MEASURED) -> tuple[dict, ...]:
    """Return what was measured: records with ``kind``, ``block`` and figures."""
    return tuple(json.loads(path.read_text())["records"])


def _of(config: HardwareConfig, kind: str, block: str, target: str) -> list[dict]:
    wanted = {"configuration_sha256": config.digest(), "kind": kind, "block": block, "target": target}
    found = [record for record in load() if wanted.items() <= record.items()]
    return [record | {"earlier_netlist": is_earlier(record)} for record in found]


def synthesized(config: HardwareConfig, block: str = "accelerator", target: str = "ecp5") -> dict | None:
    """Return the record of a synthesis of this very configuration, with ``lut``, ``ff``, ``ram``, ``dsp``, or None.

    Its ``earlier_netlist`` says whether the sources have changed their netlist since.
    """
    return next(iter(_of(config, "synthesis", block, target)), None)


@functools.cache
def beside_ecp5(target: str) -> dict[str, float]:
    """Return how much a design takes of each resource for one unit on ECP5: the most that any design took.

    The designs are those that were synthesized for both families, from the same netlist if there are any. Units
    differ: an ECP5 has LUTs of four inputs and block RAMs of 18 kbit, and a Xilinx part LUTs of six inputs and block
    RAMs of 36 kbit.
    """
    found: dict[str, dict[tuple, dict]] = {"ecp5": {}, target: {}}
    for record in load():
        if record["kind"] == "synthesis" and record["target"] in found:
            found[record["target"]][record["configuration_sha256"], record["block"]] = record
    both = [(found["ecp5"][key], found[target][key]) for key in found["ecp5"] if key in found[target]]
    both = [pair for pair in both if pair[0]["netlist"] == pair[1]["netlist"]] or both
    return {name: max(other[name] / one[name] for one, other in both) for name in RESOURCES}


def routed(config: HardwareConfig, block: str = "accelerator") -> list[dict]:
    """Return the fastest routing of this very configuration for each part and speed grade, the fastest first.

    Each has ``part``, ``grade``, ``fmax_mhz``, ``command`` and ``earlier_netlist``.
    """
    fastest: dict[tuple, dict] = {}
    for record in sorted(_of(config, "route", block, "ecp5"), key=lambda one: -one["fmax_mhz"]):
        fastest.setdefault((record["part"], record["grade"]), record)
    return list(fastest.values())
