"""``reprise fpga``: hand-off folder, synthesis, routing, baseline check, estimates."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..hw.arch.config import ConfigError, HardwareConfig
from .options import load as load_config

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()

Config = Annotated[str, typer.Option(help="preset (tiny, small, paper, paper2) or YAML file")]
Set = Annotated[list[str] | None, typer.Option("--set", help="change a field: psum_bits=20")]


def fail(message: object) -> typer.Exit:
    """Print an error; what to raise."""
    Console(stderr=True).print(f"[red]error:[/] {message}", highlight=False)
    return typer.Exit(2)


def configuration(name: str, changes: list[str] | None) -> tuple[str, HardwareConfig, dict[str, int]]:
    """Name with its changes, configuration, changes."""
    found = {}
    for change in changes or []:
        field, _, value = change.partition("=")
        if not value.lstrip("-").isdigit():
            raise fail(f"--set must be FIELD=INTEGER, not {change!r}")
        found[field] = int(value)
    config = load_config(name)
    try:
        config = HardwareConfig.from_dict({**config.to_dict(), **found}, origin="--set")
    except ConfigError as error:
        raise fail(error) from None
    return "-".join([Path(name).stem, *(f"{k}{v}" for k, v in found.items())]), config, found


def number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


@app.command()
def handoff(
    config: Config = "small",
    target: Annotated[str, typer.Option(help="ecp5, xilinx or all: whose constraints and scripts")] = "all",
    network: Annotated[str, typer.Option(help="sample, or a network preset or file")] = "sample",
    images: Annotated[int, typer.Option(help="images of the testbench's batch")] = 2,
    board: Annotated[str | None, typer.Option(help="a board of configs/boards, for the ECP5 constraints")] = None,
    out: Annotated[Path | None, typer.Option(help="folder (default build/handoff/CONFIG)")] = None,
):
    """Write the hand-off folder."""
    from ..compiler import CompileError
    from ..flow.handoff.handoff import TARGETS, write_handoff

    name, parameters, _ = configuration(config, None)
    out = out or Path("build/handoff") / name
    targets = TARGETS if target == "all" else (target,)
    start = time.perf_counter()
    try:
        with console.status(f"{out}: Verilog takes 10 to 60 seconds"):
            write_handoff(name, parameters, out, targets=targets, network=network, images=images, board=board)
    except (ValueError, CompileError) as error:
        raise fail(error) from None
    files = [p for p in out.rglob("*") if p.is_file()]
    console.print(f"{out}: {len(files)} files, {time.perf_counter() - start:.1f} s; begin with {out / 'README.md'}")


@app.command()
def synth(
    config: Config = "small",
    target: Annotated[str, typer.Option(help="ecp5, xc7 or xcup")] = "ecp5",
    block: Annotated[
        str, typer.Option(help="core, accelerator, frontend, processor, neurons, im2col, output or all")
    ] = "core",
    changes: Set = None,
):
    """Synthesize with Yosys; figures go to docs/measured/resources.json."""
    from ..flow.fpga import results
    from ..flow.fpga.synth import synthesize
    from ..flow.harness import BLOCKS
    from ..flow.yosys import ToolError

    name, parameters, changed = configuration(config, changes)
    for one in BLOCKS if block == "all" else [block]:
        try:
            with console.status(f"Yosys: {name} {one} for {target}, 1 to 10 minutes"):
                found = synthesize(parameters, name=name, block=one, target=target)
        except (ValueError, ToolError) as error:
            raise fail(error) from None
        results.save(results.synthesis_record(name, parameters, found, results.options(config, changed)))
        table = Table(
            "instance", "LUT", "FF", "RAM", "DSP", title=f"{name} {one}, {target}, {found.tool}, {found.seconds:.0f} s"
        )
        rows = {"(all)": found.resources, **{p: f for p, f in found.blocks.items() if p.count(".") < 2}}
        for path, figures in rows.items():
            table.add_row(path, *(number(figures[r]) for r in ("lut", "ff", "ram", "dsp")))
        console.print(table)


@app.command()
def route(
    config: Config = "small",
    block: Annotated[str, typer.Option(help="core, accelerator, ...")] = "core",
    part: Annotated[str, typer.Option(help="25k, 45k or 85k")] = "85k",
    grade: Annotated[int, typer.Option(help="speed grade 6, 7 or 8")] = 6,
    seed: Annotated[int, typer.Option(help="of the placer")] = 1,
    limit: Annotated[float, typer.Option(help="minutes after which nextpnr is stopped")] = 120,
    ripup: Annotated[bool, typer.Option("--ripup", help="the router tries nets again that are too slow")] = False,
    changes: Set = None,
):
    """Synthesize, place and route for ECP5; figures go to docs/measured/resources.json."""
    from ..flow.fpga import results
    from ..flow.fpga.floorplan import place_macros
    from ..flow.fpga.route import place_and_route
    from ..flow.fpga.synth import synthesize, with_harness
    from ..flow.yosys import ToolError

    name, parameters, changed = configuration(config, changes)
    try:
        with console.status(f"Yosys: {name} {block}"):
            design = synthesize(parameters, name=name, block=block)
            netlist = with_harness(parameters, design)
            if part == "85k":
                netlist = place_macros(netlist, parameters)
        with console.status(f"nextpnr: {name} {block}, LFE5U-{part}, grade {grade}: 2 to 40 minutes"):
            found = place_and_route(netlist, part=part, grade=grade, seed=seed, limit=60 * limit, ripup=ripup)
    except (ValueError, ToolError) as error:
        raise fail(error) from None
    results.save(results.synthesis_record(name, parameters, design, results.options(config, changed)))
    record = results.route_record(name, parameters, block, found, results.options(config, changed))
    results.save(record)
    console.print(
        f"{name} {block}, LFE5U-{part}, grade {grade}, seed {seed}: [bold]{found.fmax} MHz[/]", highlight=False
    )
    used = ", ".join(f"{k} {u:,}/{n:,}" for k, (u, n) in found.utilization.items())
    console.print(f"used (with harness): {used}\ncritical path: {record['critical']}", highlight=False)


@app.command()
def check(
    update: Annotated[bool, typer.Option(help="make what is measured the new baseline, and record it")] = False,
    fmax: Annotated[bool, typer.Option(help="place and route too (minutes)")] = True,
):
    """Resources and clock of the `small` core against docs/measured/fpga_baseline.json; exit status 1 if worse."""
    from ..flow.fpga import baseline, results
    from ..flow.fpga.floorplan import place_macros
    from ..flow.fpga.route import place_and_route
    from ..flow.fpga.synth import synthesize, with_harness
    from ..flow.yosys import ToolError

    parameters = load_config("small")
    try:
        with console.status("Yosys: small core"):
            design = synthesize(parameters, name="small")
        measured = {"config": "small", "block": "core", "part": "85k", "grade": 6, "seed": baseline.SEED}
        measured |= {**design.resources, "tools": [design.tool]}
        if fmax:
            with console.status("nextpnr: small core, LFE5U-85k, grade 6"):
                netlist = place_macros(with_harness(parameters, design), parameters)
                routed = place_and_route(netlist, seed=baseline.SEED)
            measured["fmax"] = routed.fmax
            measured["tools"].append(routed.tool)
    except ToolError as error:
        raise fail(error) from None
    try:
        rows = baseline.compare(baseline.load(), measured)
    except FileNotFoundError:
        if not update:
            raise fail(f"{baseline.BASELINE} is missing: reprise fpga check --update writes it") from None
        rows = []
    title = f"small core, LFE5U-85k, grade 6, seed {baseline.SEED}"
    table = Table("figure", "baseline", "measured", "change", title=title)
    for row in rows:
        mark = " [red]worse[/]" if row["worse"] else ""
        table.add_row(row["figure"], str(row["baseline"]), str(row["measured"]), f"{row['change']:+.1%}{mark}")
    console.print(table)
    if update:
        baseline.save(measured)
        options = results.options("small", {})
        results.save(results.synthesis_record("small", parameters, design, options))
        if fmax:
            results.save(results.route_record("small", parameters, "core", routed, options))
        console.print(f"wrote {baseline.BASELINE} and {results.RESOURCES}")
    elif any(row["worse"] for row in rows):
        raise typer.Exit(1)


@app.command("area")
def estimate(
    config: Config = "paper",
    block: Annotated[str, typer.Option(help="core or accelerator")] = "accelerator",
    changes: Set = None,
    fit: Annotated[bool, typer.Option(help="fit the model anew to docs/measured/resources.json first")] = False,
):
    """ECP5 resources in a second, from the model fitted to synthesized configurations."""
    from ..estimate import area as model
    from ..flow.fpga.parts import ECP5_PARTS

    if fit:
        from ..flow.fpga import results

        model.COEFFICIENTS.write_text(json.dumps(model.calibrate(results.load()), indent=1) + "\n")
        console.print(f"wrote {model.COEFFICIENTS.relative_to(Path.cwd())}")
    if block not in ("core", "accelerator"):
        raise fail(f"--block must be core or accelerator, not {block!r}")
    name, parameters, _ = configuration(config, changes)
    known = model.load()
    try:
        found = model.predict(parameters, known, block)
    except ValueError as error:
        raise fail(error) from None
    table = Table(
        "resource", "estimate", "mean error", "worst", *(f"% of {p}" for p in ECP5_PARTS), title=f"{name} {block}, ECP5"
    )
    for resource, key in (("lut", "luts"), ("ff", "luts"), ("ram", "rams"), ("dsp", "dsps")):
        error = known["error"].get(resource, {"mean": float("nan"), "worst": float("nan")})
        shares = (f"{found[resource] / part[key]:.0%}" for part in ECP5_PARTS.values())
        label = {"lut": "LUT4", "ff": "FF", "ram": "EBR", "dsp": "MULT18"}[resource]
        table.add_row(label, number(found[resource]), f"{error['mean']:.1%}", f"{error['worst']:.1%}", *shares)
    console.print(table)
    for part in model.parts_of(block):
        if known["points"][part] < 3:
            count = known["points"][part]
            console.print(f"[yellow]rough:[/] {part!r} is known from {count} configuration(s) only")
    console.print(
        f"errors: leave-one-out over {len(known['left_out'])} synthesized designs ({model.COEFFICIENTS.name})"
    )


@app.command()
def tables():
    """Write the tables of docs/fpga.md from docs/measured/resources.json."""
    from ..flow.fpga import results
    from ..flow.fpga import tables as page

    page.PAGE.write_text(page.update(page.PAGE.read_text(), results.load()))
    console.print(f"wrote {page.PAGE}")
