"""``reprise area`` and ``fit`` say what configurations take of an FPGA, without synthesis."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from ..support.command_line import commands, example, one_of
from .options import ClockMhz, Config, Images, Network, Set, configurations, hardware, terminal

app = commands()

LABELS = {"lut": ("LUT4", "luts"), "ff": ("FF", "luts"), "ram": ("EBR", "rams"), "dsp": ("MULT18", "dsps")}
"""Resource -> its name on ECP5, and what a part has of it."""


def number(value: float) -> str:
    """Return a figure as tables show it."""
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


@app.command(epilog=example("reprise area --config paper --set banks=2 --block core"))
def area(
    config: Config = "paper",
    changes: Set = None,
    block: Annotated[
        Literal["core", "accelerator"], typer.Option(help="the block whose resources are wanted")
    ] = "accelerator",
    fit: Annotated[bool, typer.Option("--fit", help="fit the model to docs/measured/resources.json first")] = False,
) -> None:
    """Estimate the ECP5 resources of a configuration in seconds.

    Memories are counted, and logic is fitted to synthesized designs.
    """
    from ..estimate.area import model
    from ..flow.fpga.parts import ECP5_PARTS
    from ..support.terminal import Figures

    console = terminal()
    if fit:
        from ..flow.fpga import results

        model.COEFFICIENTS.write_text(json.dumps(model.calibrate(results.load()), indent=1) + "\n")
        console.print(f"wrote {model.COEFFICIENTS}", highlight=False, soft_wrap=True)
    chosen = hardware(config, changes)
    known = model.load()
    found = model.predict(chosen.config, known, block)
    columns = ("resource", "estimate", "mean error", "worst", *(f"% of {part}" for part in ECP5_PARTS))
    table = Figures(*columns, title=f"{chosen.name} {block}, ECP5")
    for resource, (label, key) in LABELS.items():
        error, value = known["error"][block][resource], found.resources[resource]
        shares = (f"{value / part[key]:.0%}" for part in ECP5_PARTS.values())
        table.add_row(label, number(value), f"{error['mean']:.1%}", f"{error['worst']:.1%}", *shares)
    table.add_row("fits", "", "", "", *("yes" if found.fits(part) else "[red]no[/]" for part in ECP5_PARTS.values()))
    console.print(table)
    for field, (value, least, most) in found.outside.items():
        known_range = f"{least} to {most}" if least < most else f"only {most}"
        console.print(f"[yellow]extrapolates:[/] {field}={value}: synthesized was {known_range}", highlight=False)
    designs = sum(row["block"] == block for row in known["left_out"])
    console.print(
        f"EBR and MULT18 are counted. LUT4 and FF are fitted: the errors are those of predicting each of {designs}"
        f" synthesized {block}s without it.",
        highlight=False,
        soft_wrap=True,
    )


def _parts() -> list[str]:
    from ..flow.fpga.fit import short_name
    from ..flow.fpga.parts import PARTS

    return [short_name(part) for part in PARTS]


@app.command(epilog=example("reprise fit digits --part xc7z020 --images 8"))
def fit(
    network: Network,
    part: Annotated[
        str, typer.Option(metavar="NAME", callback=one_of(_parts), help="the FPGA: lfe5u-85, xc7z020, xczu7ev, ...")
    ] = "lfe5u-85",
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="NAME|FILE[,...]", help="hardware to try", show_default="all presets"),
    ] = None,
    images: Images = 1,
    clock_mhz: ClockMhz = None,
) -> None:
    """Say which presets an FPGA holds, how fast a network is on each of them, and what bounds it."""
    from ..estimate.network import SystemTiming
    from ..export.find import choose_images, open_network
    from ..flow.fpga import fit as fits
    from ..support.presets import HARDWARE, preset_names
    from ..support.progress import doing
    from ..support.terminal import Figures, counted, prose

    chosen, has = configurations(config or ",".join(preset_names(HARDWARE))), fits.part_named(part)
    file = open_network(network, chosen[0].config)
    batch, console, found = choose_images(file, images, 0), terminal(), []
    for one in chosen:
        with doing(console, f"{one.name} on {has.name}") as progress:
            found.append(
                fits.fit(
                    file.network,
                    one.config,
                    batch.images,
                    has,
                    name=one.name,
                    clock_mhz=clock_mhz,
                    progress=progress.note,
                )  # fmt: skip
            )
    title = f"{file.network.name}, {counted(images, 'image')}, on {has.name}"
    heads = ("fits", *(LABELS[name][0] if has.target == "ecp5" else name.upper() for name in LABELS))
    table = Figures("hardware", *heads, "resources", "bus", "cycles", "MHz", "frames/s", prose("bound by"), title=title)
    for one, each in zip(chosen, found, strict=True):
        shares = (f"{each.need.resources[name] / getattr(has, name):.0%}" for name in LABELS)
        clock = f"{each.clock['mhz']:g} {each.clock['source']}"
        speed = ("-", clock, "-", "cannot run it")
        if each.cycles is not None:
            speed = (f"{each.cycles:,}", clock, f"{each.frames_per_second:,.0f}", each.bounds)
        verdict = "[red]no[/]" if each.lacking else "yes"
        table.add_row(one.name, verdict, *shares, each.need.source, str(one.config.bus_bits), *speed)
    console.print(table)
    for each in found:
        if each.lacking:
            console.print(f"{each.name} does not fit: it takes {' and '.join(each.lacking)}", highlight=False)
        if each.refused:
            console.print(f"{each.name} cannot run it: {each.refused}", highlight=False, markup=False)
    for source, meaning in fits.SOURCES.items():
        if any(each.need.source == source for each in found):
            console.print(f"{source}: resources {meaning}", highlight=False)
    console.print(
        f"cycles: exact, with a memory latency of {SystemTiming().latency} cycles. What fits by count may still not "
        "route. A clock is assumed where the accelerator was not routed on this part.",
        highlight=False,
    )
