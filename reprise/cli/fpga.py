"""``reprise fpga`` takes the accelerator to an FPGA: hand-off, synthesis, routing, and a check against the baseline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ..support.command_line import OUTPUT_FOLDER, POSITIVE, at_least, commands, example, one_of, within
from .area import number
from .options import Config, Set, hardware, terminal

app = commands(
    "From Verilog to an FPGA: hand-off folder, synthesis, place and route.",
    example("reprise fpga handoff --config small --target ecp5"),
)

FAMILIES = ("ecp5", "xc7", "xcup")
PARTS = ("25k", "45k", "85k")
BLOCKS = ("core", "accelerator", "frontend", "processor", "neurons", "im2col", "output")
"""What can be synthesized, for which family, and routed on which ECP5. A test compares them with the room ``flow``."""

Record = Annotated[bool, typer.Option("--record", help="add the figures to docs/measured/resources.json")]


@app.command(epilog=example("reprise fpga handoff --config small --target ecp5"))
def handoff(
    config: Config = "small",
    changes: Set = None,
    target: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            callback=one_of(lambda: ("ecp5", "xilinx", "all")),
            help="whose constraints and scripts to write: ecp5, xilinx or all",
        ),
    ] = "all",
    network: Annotated[
        str, typer.Option(metavar="NETWORK", help="what testbench and image hold: sample, or a network file or preset")
    ] = "sample",
    images: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1), help="images of a batch of that network")
    ] = 2,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", callback=OUTPUT_FOLDER, help="where to write it (default: build/handoff/CONFIG)"
        ),
    ] = None,
) -> None:
    """Write the hand-off folder: RTL, constraints, FuseSoC core, drivers, and a testbench that checks itself."""
    from ..flow.handoff.handoff import TARGETS, write_handoff
    from ..support.progress import doing

    chosen, console = hardware(config, changes), terminal()
    out = out or Path("build/handoff") / chosen.name
    targets = TARGETS if target == "all" else (target,)
    start = time.perf_counter()
    with doing(console, f"hand-off {out}", "Verilog takes 10 to 60 seconds"):
        write_handoff(chosen.name, chosen.config, out, targets=targets, network=network, images=images)
    files = [p for p in out.rglob("*") if p.is_file()]
    console.print(f"{out}: {len(files)} files, {time.perf_counter() - start:.1f} s; begin with {out / 'README.md'}")


@app.command(epilog=example("reprise fpga synth --config small --set lanes=32 --block processor"))
def synth(
    config: Config = "small",
    changes: Set = None,
    target: Annotated[
        str, typer.Option(metavar="NAME", callback=one_of(lambda: FAMILIES), help="family: ecp5, xc7 or xcup")
    ] = "ecp5",
    block: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            callback=one_of(lambda: (*BLOCKS, "all")),
            help="what to synthesize: core, accelerator, a block of them, or all",
        ),
    ] = "core",
    wires: Annotated[bool, typer.Option("--wires", help="show which wires reach most, and which join blocks")] = False,
    record: Record = False,
) -> None:
    """Synthesize with Yosys, and show what it takes of the FPGA; a netlist that is known is not made again.

    Blocks: core, accelerator, frontend, processor, neurons, im2col, output.
    """
    from ..flow.fpga import results
    from ..flow.fpga.synth import synthesize
    from ..support.progress import doing
    from ..support.terminal import Figures

    chosen, console = hardware(config, changes), terminal()
    for one in BLOCKS if block == "all" else [block]:
        with doing(console, f"Yosys, {chosen.name} {one} for {target}", "1 to 10 minutes"):
            found = synthesize(chosen.config, name=chosen.name, block=one, target=target)
        shown = results.options(config, chosen.changes)
        if record:
            results.save(results.synthesis_record(chosen.name, chosen.config, found, shown))
        title = f"{chosen.name} {one}, {target}, {found.tool}, {found.seconds:.0f} s"
        table = Figures("instance", "LUT", "FF", "RAM", "DSP", title=title)
        rows = {"(all)": found.resources, **{p: f for p, f in found.blocks.items() if p.count(".") < 2}}
        for path, figures in rows.items():
            table.add_row(path, *(number(figures[r]) for r in ("lut", "ff", "ram", "dsp")))
        console.print(table)
        if wires:
            from ..flow.fpga.wires import tables

            console.print(*tables(found.netlist, one), sep="\n")


@app.command(epilog=example("reprise fpga route --config small --part 45k --grade 8"))
def route(
    config: Config = "small",
    changes: Set = None,
    block: Annotated[
        str,
        typer.Option(
            metavar="NAME", callback=one_of(lambda: BLOCKS), help="what to route: core, accelerator or a block of them"
        ),
    ] = "core",
    part: Annotated[
        str, typer.Option(metavar="NAME", callback=one_of(lambda: PARTS), help="size of the LFE5U: 25k, 45k or 85k")
    ] = "85k",
    grade: Annotated[
        int,
        typer.Option(metavar="N", callback=within("6, 7 or 8", (6, 7, 8).__contains__), help="speed grade 6, 7 or 8"),
    ] = 6,
    seed: Annotated[int, typer.Option(metavar="N", callback=at_least(0), help="seed of the placer")] = 1,
    limit: Annotated[
        float, typer.Option(metavar="MINUTES", callback=POSITIVE, help="time after which nextpnr is stopped")
    ] = 120,
    ripup: Annotated[bool, typer.Option("--ripup", help="let the router try nets again that are too slow")] = False,
    goal: Annotated[float, typer.Option(metavar="MHZ", callback=POSITIVE, help="clock that the placer aims at")] = 80,
    free: Annotated[bool, typer.Option("--free", help="leave block RAMs and multipliers to the placer")] = False,
    ends: Annotated[bool, typer.Option("--ends", help="show how late the inputs of registers are, by block")] = False,
    record: Record = False,
) -> None:
    """Synthesize, place and route for ECP5, and show clock, resources and critical path."""
    from ..flow.fpga import results
    from ..flow.fpga.floorplan import place_macros
    from ..flow.fpga.route import check_route, place_and_route
    from ..flow.fpga.synth import synthesize, with_harness
    from ..support.progress import doing

    check_route(part, grade, goal)  # before minutes of synthesis
    chosen, console = hardware(config, changes), terminal()
    name, parameters = chosen.name, chosen.config
    with doing(console, f"Yosys, {name} {block}", "1 to 10 minutes"):
        design = synthesize(parameters, name=name, block=block)
        netlist = with_harness(parameters, design)
        if part == "85k" and not free:
            netlist = place_macros(netlist, parameters)
    with doing(console, f"nextpnr, {name} {block}, LFE5U-{part}, grade {grade}", "2 to 40 minutes"):
        found = place_and_route(netlist, part=part, grade=grade, seed=seed, goal=goal, limit=60 * limit, ripup=ripup)
    shown = results.options(config, chosen.changes)
    measured = results.route_record(name, parameters, block, found, shown, free=free and part == "85k")
    if record:
        results.save(results.synthesis_record(name, parameters, design, shown))
        results.save(measured)
    console.print(
        f"{name} {block}, LFE5U-{part}, grade {grade}, seed {seed}: [bold]{found.fmax} MHz[/]", highlight=False
    )
    used = ", ".join(f"{k} {u:,}/{n:,}" for k, (u, n) in found.utilization.items())
    console.print(f"used (with harness): {used}\ncritical path: {measured['critical']}", highlight=False)
    if ends:
        from ..flow.fpga.endpoints import table

        console.print(table(found.ends))


@app.command(epilog=example("reprise fpga check --no-fmax"))
def check(
    update: Annotated[bool, typer.Option("--update", help="make what is measured the baseline, and record it")] = False,
    fmax: Annotated[bool, typer.Option(help="place and route, too, which takes minutes")] = True,
) -> None:
    """Compare resources and clock of the small core with docs/measured/fpga_baseline.json. Exit code 1 if worse."""
    from ..flow.fpga import baseline, results
    from ..flow.fpga.floorplan import place_macros
    from ..flow.fpga.route import place_and_route
    from ..flow.fpga.synth import synthesize, with_harness
    from ..support.errors import RepriseError
    from ..support.progress import doing
    from ..support.terminal import Figures

    parameters, console = hardware("small").config, terminal()
    if not update and not baseline.BASELINE.is_file():
        raise RepriseError(f"{baseline.BASELINE} is missing: reprise fpga check --update writes it")
    with doing(console, "Yosys, small core", "1 to 10 minutes"):
        design = synthesize(parameters, name="small")
    measured: dict[str, Any] = {"config": "small", "block": "core", "part": "85k", "grade": 6, "seed": baseline.SEED}
    measured |= {**design.resources, "tools": [design.tool]}
    if fmax:
        with doing(console, "nextpnr, small core, LFE5U-85k, grade 6", "2 to 40 minutes"):
            netlist = place_macros(with_harness(parameters, design), parameters)
            routed = place_and_route(netlist, seed=baseline.SEED)
        measured["fmax"] = routed.fmax
        measured["tools"].append(routed.tool)
    rows = baseline.compare(baseline.load(), measured) if baseline.BASELINE.is_file() else []
    title = f"small core, LFE5U-85k, grade 6, seed {baseline.SEED}"
    table = Figures("figure", "baseline", "measured", "change", title=title)
    for row in rows:
        mark = " [red]worse[/]" if row["worse"] else ""
        table.add_row(row["figure"], str(row["baseline"]), str(row["measured"]), f"{row['change']:+.1%}{mark}")
    console.print(table)
    if update:
        baseline.save(measured)
        shown = results.options("small", {})
        results.save(results.synthesis_record("small", parameters, design, shown))
        if fmax:
            results.save(results.route_record("small", parameters, "core", routed, shown))
        console.print(f"wrote {baseline.BASELINE} and {results.RESOURCES}")
    elif any(row["worse"] for row in rows):
        raise typer.Exit(1)
