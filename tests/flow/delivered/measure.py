"""Counts how many random faults in the delivered Verilog the delivered testbench finds.

    python -m tests.flow.delivered.measure --seed 1 --count 50 --write

builds the testbench of `tiny` once in Verilator, plays every fault, and tries to prove that those which it does not
find change nothing. For each that is proven so, another one is drawn. With --write the outcome goes to
docs/measured/handoff_faults.json, in place of that of this seed.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from dataclasses import asdict
from pathlib import Path

from reprise.estimate.area.netlist import NETLIST
from reprise.flow.handoff.handoff import write_handoff
from reprise.hw.arch.config import HardwareConfig
from tests.flow.delivered.equivalent import proven
from tests.flow.delivered.verilog_mutants import build, draw, play

CONFIG = "tiny"
SPARE = 15
"""Faults that are drawn in place of those that are proven to change nothing, at most."""

RECORD = Path("docs/measured/handoff_faults.json")


def measured(seed: int, count: int, work: Path) -> dict:
    """Draw faults, play them, print what is found, and return the record."""
    folder = write_handoff(CONFIG, HardwareConfig.load(CONFIG), work / CONFIG)
    text = (folder / "rtl" / "reprise.v").read_text()
    faults = draw(text, seed, count + SPARE)
    command = build(folder, faults)
    good = float(re.findall(r"Verilator: cpu ([\d.]+) s", (folder / "sim" / "verilator.log").read_text())[-1])
    print(f"seed {seed}; the good run: {good:.2f} s of CPU", flush=True)
    longest, same, missed = 0.0, list[dict](), list[dict]()
    for n, fault in enumerate(faults, 1):
        if n > count + len(same):
            break
        (one,) = play(folder / "sim", command, [n], 10 * good + 600)
        longest, word = max(longest, one["cpu"] / good), "found"
        if not one["found"]:
            without_effect = proven(text, fault, work / f"proof{n}")
            (same if without_effect else missed).append(asdict(fault))
            word = "PROVEN" if without_effect else "NOT FOUND"
        told = f"{fault.module} {fault.kind}: {fault.good} -> {fault.bad}: {one['told']}"
        print(f"{n:3} {word} {one['cpu']:.2f} s  {told}", flush=True)
    assert len(same) < SPARE, "more faults than there are spare ones change nothing"
    print(f"{count - len(missed)} of {count} found, {len(same)} drawn anew; the longest run: {longest:.2f}")
    return {
        "netlist": NETLIST,
        "command": f"python -m tests.flow.delivered.measure --seed {seed} --count {count} --write",
        "config": CONFIG,
        "seed": seed,
        "count": count,
        "found": count - len(missed),
        "longest": round(longest, 2),
        "missed": missed,
        "without_effect": same,
    }


def main() -> None:
    """Measure, and write the record if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--write", action="store_true", help=f"record the outcome in {RECORD}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        record = measured(given.seed, given.count, Path(work))
    if given.write:
        others = [one for one in json.loads(RECORD.read_text()) if one["seed"] != given.seed]
        records = sorted([*others, record], key=lambda one: one["seed"])
        RECORD.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
