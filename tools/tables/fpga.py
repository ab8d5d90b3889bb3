"""Tables of area and clock on FPGAs, from ``docs/measured/resources.json``, and of the accelerator as a chip.

``reprise fpga synth --record`` and ``reprise fpga route --record`` add what they measure to that file. What reports
need of it comes with the package, in ``estimate/area/measured.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from reprise.estimate.area.measured import from_records
from reprise.estimate.area.model import fits
from reprise.estimate.area.netlist import is_earlier
from reprise.estimate.baselines import published
from reprise.flow.asic import page as asic_page
from reprise.flow.asic import report as asic_report
from reprise.flow.asic.library import library
from reprise.flow.energy import measure
from reprise.flow.energy import page as energy_page
from reprise.flow.fpga import results
from reprise.flow.fpga.parts import ECP5_PARTS, RESOURCES, TARGETS
from tools.energy import tables as energy

from . import MEASURED, markdown, number, record


def records(**wanted: object) -> list[dict]:
    """Return the records that have the given values."""
    return [r for r in results.load(MEASURED / results.RESOURCES.name) if wanted.items() <= r.items()]


def _command(record: dict) -> str:
    return f"`{record['command'].removeprefix('reprise fpga ')}`"


def _netlist(record: dict) -> str:
    return "earlier" if is_earlier(record) else "present"


def synthesized() -> str:
    """Make a table with a line for each synthesized design."""
    rows = []
    for r in records(kind="synthesis"):
        logic = sum(n for kind, n in r["cells"].items() if kind.startswith("LUT"))
        figures = (number(n) for n in (r["lut"], logic, r["ff"], r["ram"], r["dsp"]))
        rows.append((r["config"], r["block"], r["target"], *figures, _netlist(r), _command(r)))
    luts = ("LUT4 or LUT6", "of these logic LUTs")
    head = ("configuration", "block", "family", *luts, "FF", "block RAM", "DSP", "netlist", "command")
    units = "; ".join(f"{t.name}: {t.ram_unit}" for t in TARGETS.values())
    return f"{markdown(head, rows)}\n\nBlock RAM is in units of: {units}."


def fitting() -> str:
    """Make the table that says which part of ECP5 holds which design, and how full it is."""
    rows = []
    for r in records(kind="synthesis", target="ecp5"):
        if r["block"] in ("core", "accelerator") and not r["config"].startswith("tiny-"):
            part = next((p for p, has in ECP5_PARTS.items() if fits(r, has)), None)
            has = ECP5_PARTS[part or "85k"]
            shares = (f"{r[kind] / has[unit]:.0%}" for kind, unit in (("lut", "luts"), ("ff", "luts"), ("ram", "rams")))
            verdict = f"LFE5U-{part}" if part else f"none: {number(r['ram'])} of {has['rams']} block RAMs"
            rows.append((f"`{r['config']}`", r["block"], verdict, *shares))
    return markdown(("configuration", "block", "smallest part that holds it", "LUTs", "FFs", "block RAM"), rows)


def blocks(config: str) -> str:
    """Make the table of the instances of a core on ECP5, two levels deep."""
    rows = []
    for r in records(kind="synthesis", config=config, block="core", target="ecp5"):
        for path, figures in r["blocks"].items():
            if path.count(".") < 2:
                rows.append((f"`{path.partition('$')[0]}`", *(number(figures[k]) for k in RESOURCES)))
    return markdown(("instance", "LUT", "FF", "block RAM", "DSP"), rows)


def routed() -> str:
    """Make a table with a line for each routed design."""
    rows = []
    for r in records(kind="route"):
        used = (number(r["utilization"][k][0]) for k in ("lut", "ff", "ram"))
        path = r["critical"].partition(":")[0]
        rows.append(
            (r["config"], r["block"], f"{r['part']}, {r['grade']}", r["fmax"], *used, path, _netlist(r), _command(r))
        )
    head = (
        "configuration",
        "block",
        "part, grade",
        "Fmax (MHz)",
        "LUT4",
        "FF",
        "block RAM",
        "critical path",
        "netlist",
        "command",
    )
    return markdown(head, rows)


def tools() -> str:
    """Name the versions of the tools."""
    return f"Tools: {', '.join(sorted({r['tool'] for r in records()}))}."


def faults() -> str:
    """Say how many random faults the delivered testbench finds, and name those that it does not."""
    found = json.loads((MEASURED / "handoff_faults.json").read_text())

    def code(text: str) -> str:
        short = text.strip() if len(text) <= 80 else f"{text[:80]}..."
        return f"`{short}`".replace("|", chr(92) + "|")

    runs = [
        (
            one["seed"],
            one["count"] + len(one["without_effect"]),
            len(one["without_effect"]),
            f"{one['found']} of {one['count']}",
            f"{one['longest']:.1f} good ones",
            _netlist(one),
            f"`{one['command']}`",
        )
        for one in found
    ]
    rows = [
        (
            record["seed"],
            code(one["module"].strip(chr(92)).removeprefix("reprise.")),
            one["kind"],
            code(one["good"]),
            code(one["bad"]),
            "yes" if key == "without_effect" else "",
        )
        for record in found
        for key in ("missed", "without_effect")
        for one in record[key]
    ]
    heads = ("seed", "drawn", "without effect", "found of the others", "longest run", "netlist", "command")
    told = ("seed", "module", "kind", "in the Verilog", "with the fault", "proven to be without effect")
    return f"{markdown(heads, runs)}\n\nThese are not found:\n\n{markdown(told, rows)}"


def core(*configs: str) -> str:
    """Make the table of the parts of several cores, side by side."""
    known = [records(kind="synthesis", config=c, block="core", target="ecp5")[0] for c in configs]

    def figures(of: dict) -> str:
        return " / ".join(number(of[k]) for k in ("lut", "ff", "ram"))

    def inside(record: dict, *names: str) -> float:
        found = [f["ram"] for path, f in record["blocks"].items() if path.startswith(names) and path.count(".") == 1]
        if not sum(found):
            raise ValueError(f"{record['config']}: no instance that begins with {' or '.join(names)} has block RAM")
        return sum(found)

    rows = [[name, *(figures(r["blocks"][name]) for r in known)] for name in ("frontend", "processor", "neurons")]
    rows.append(["whole core", *(figures(r) for r in known)])
    for title, place in (("tile results", "processor.pe_array"), ("partial sums", "processor.bank")):
        rows.append([f"block RAM of {title}", *(number(inside(r, place)) for r in known)])
    return markdown(("LUT / FF / block RAM", *(f"`{c}`" for c in configs)), rows)


EARLIER = " (with an earlier netlist)"

CHIPS = {"tiny": ("asic_tiny", "energy_tiny"), "paper": ("asic_paper", "energy_paper")}
"""The records of area and of energy by preset: report.json of ``reprise asic --config PRESET`` and of ``reprise energy
digits --config PRESET``."""


def chip(preset: str, what: str) -> str:
    """Make a table of a chip's area by ``blocks`` or ``memories``, or of energy by ``layers`` or ``parts``.

    With ``total``, ``clock`` or ``energy``, make sentences.
    """
    area, energy = (record(name) for name in CHIPS[preset])
    sentences = {
        "total": lambda: asic_page.total_line(area),
        "clock": lambda: asic_page.clock_line(area),
        "energy": lambda: "\n".join(f"- {line}" for line in energy_page.verdicts(energy)),
    }
    if what in sentences:
        old = is_earlier(energy if what == "energy" else area)
        return sentences[what]() + old * {"energy": "\n- The netlist was an earlier one."}.get(what, EARLIER)
    lines = {
        "blocks": lambda: asic_page.block_lines(area),
        "memories": lambda: asic_page.memory_lines(area),
        "layers": lambda: energy_page.layer_lines(energy),
        "parts": lambda: energy_page.block_lines(energy),
    }[what]()
    return markdown(lines.head, lines.rows)


def claims() -> str:
    """Make a table of multi-level against binary spikes, by every account of energy that there is.

    The binary network is that of ``reprise train digits --set levels=1 --set timesteps=4 -o binary.yaml``.
    """
    levels, binary = record("energy_paper")["total"], record("energy_binary")["total"]
    rows = []
    for name, keys in (
        ("cycles", ("cycles",)),
        ("measured, chip, nJ", ("chip_nj",)),
        ("measured, chip without the clock of flip-flops, nJ", ("logic_nj", "memories_nj", "leakage_nj")),
        ("measured, chip and DRAM, nJ", ("chip_nj", "dram_nj")),
        ("operation count, 45 nm, nJ", ("operation_count_nj",)),
    ):
        few, many = (sum(one[key] for key in keys) for one in (levels, binary))
        rows.append((name, f"{few:,.0f}", f"{many:,.0f}", f"{many / few:.2f}x"))
    told = markdown(("account", "levels 0..4, T = 1", "binary, T = 4", "binary / levels"), rows)
    return (
        told
        + any(map(is_earlier, map(record, ("energy_paper", "energy_binary")))) * "\n\nThe netlist was an earlier one."
    )


def published_energy() -> str:
    """Say how much energy the published tables save, over PTB and over a machine with bit sparsity."""
    means = {one["name"]: one["energy_saving"] for one in published.means("Prosperity")}
    ratios = {name: 1 / value for name, value in means.items()}
    return (
        f"In the published tables Prosperity takes {ratios['PTB']:.1f}x less energy than PTB, {ratios['A100']:.0f}x "
        f"less than an A100, and {ratios['MINT']:.1f}x less than MINT, which has bit sparsity and no product sparsity."
    )


def limits(of: str) -> str:
    """Make the list of what figures of ``area`` or ``energy`` leave out."""
    return "\n".join(
        f"- {limit}" for limit in library().limits({"area": asic_report.LIMITS, "energy": measure.LIMITS}[of])
    )


def table(kind: str, *words: str) -> str:
    """Make one of the tables above."""
    known: dict[str, Callable[..., str]] = {
        f.__name__: f for f in (synthesized, fitting, blocks, routed, tools, faults, core)
    }
    known |= {f.__name__: f for f in (chip, limits, claims, published_energy)}
    of_modes = energy.modes, energy.modes_energy, energy.modes_levels, energy.recipes
    known |= {f.__name__: f for f in (*of_modes, energy.fitted, energy.scaled, energy.enables, energy.ratios)}
    return known[kind](*words)


def shipped() -> str:
    """Return the content of ``estimate/area/measured.json``."""
    lines = ",\n".join(json.dumps(one) for one in from_records(records()))
    return f'{{"format": 1, "records": [\n{lines}\n]}}\n'


FILES = {"estimate/area/measured.json": shipped}
