"""Tables for whoever chooses a preset: cycles of the networks that come with Reprise, what limits them, the FPGA part,
and the clock.

Cycles are computed by the exact cycle model. Area and clock are those of the records in
``docs/measured/resources.json``, which ``reprise fpga synth`` and ``reprise fpga route`` write.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reprise.compiler import CompileError
from reprise.estimate.area.model import fits, load, predict
from reprise.estimate.helps import add_helps
from reprise.estimate.network import estimate
from reprise.estimate.report.speed import clock_of
from reprise.estimate.tables import helps_lines, limits_lines
from reprise.export.find import choose_images, open_network
from reprise.flow.fpga.fit import need_of, part_named
from reprise.flow.fpga.parts import ECP5_PARTS, PARTS, TARGETS
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.network import Network
from tools.benches import presets as presets_bench

from . import markdown, record
from .configuration import PRESETS
from .fpga import records

BATCHES = (1, 8)


def _cycles(network: str, preset: str) -> list[str]:
    """Return the cycles for each size of a batch, or that the preset refuses the network."""
    config = HardwareConfig.load(preset)
    file = open_network(network, config)
    try:
        return [f"{_total(file.network, config, choose_images(file, n, 0).images):,}" for n in BATCHES]
    except CompileError:
        return ["refused"] * len(BATCHES)


def _total(network: Network, config: HardwareConfig, images: np.ndarray) -> int:
    return int(estimate(network, config, images)["total"]["cycles"]["cycle_model"])


def cycles(*networks: str) -> str:
    """Make the table of the cycles of networks on each preset."""
    rows = [(f"`{network}`", f"`{preset}`", *_cycles(network, preset)) for network in networks for preset in PRESETS]
    return markdown(("network", "preset", "cycles of 1 image", *(f"of {n} images" for n in BATCHES[1:])), rows)


def _part(preset: str, block: str) -> str:
    """Return the smallest part that holds a block, by its synthesis, or by the estimate if it was not synthesized."""
    known = records(kind="synthesis", config=preset, block=block, target="ecp5")
    has = known[0] if known else predict(HardwareConfig.load(preset), load(), block).resources
    part = next((name for name, part in ECP5_PARTS.items() if fits(has, part)), None)
    return f"{f'LFE5U-{part}' if part else 'none'}{'' if known else ' (estimated)'}"


def _clock(preset: str, block: str) -> str:
    """Return the best routed clock of a block on each speed grade that was tried."""
    best: dict[int, float] = {}
    for one in records(kind="route", config=preset, block=block):
        best[one["grade"]] = max(best.get(one["grade"], 0), one["fmax"])
    return ", ".join(f"{fmax:.1f} MHz (grade {grade})" for grade, fmax in sorted(best.items())) or "not routed"


def hardware() -> str:
    """Make the table of the part that holds each preset, and of its clock."""
    rows = []
    for preset in PRESETS:
        parts = (_part(preset, block) for block in ("accelerator", "core"))
        clocks = (_clock(preset, block) for block in ("accelerator", "core"))
        rows.append((f"`{preset}`", *parts, *clocks))
    head = ("preset", "smallest ECP5 for the accelerator", "for its core", "clock of the accelerator", "of its core")
    return markdown(head, rows)


def parts(network: str) -> str:
    """Make the table of presets and parts: whether one holds the other, the clock, and frames of a network a second."""
    rows = []
    names = {"lut": "LUTs", "ff": "FFs", "ram": "block RAMs", "dsp": "multipliers"}
    for preset in PRESETS:
        config = HardwareConfig.load(preset)
        file = open_network(network, config)
        cycles_of = _total(file.network, config, choose_images(file, BATCHES[-1], 0).images) / BATCHES[-1]
        for part in PARTS:
            need, clock = need_of(config, part.target), clock_of(config, part=part)
            share = max((need.resources[kind] / getattr(part, kind), kind) for kind in names)
            fit = f"{'no' if need.lacking(part) else 'yes'}: {share[0]:.0%} of the {names[share[1]]} ({need.source})"
            origin = "earlier netlist" if clock.get("earlier_netlist") else clock["source"]
            told = (f"{clock['mhz']:g} MHz ({origin})", f"{clock['mhz'] * 1e6 / cycles_of:,.0f} (estimated)")
            rows.append((f"`{preset}`", part.name, fit, *(("-", "-") if need.lacking(part) else told)))
    head = ("preset", "part", "fits: the resource that is fullest", "clock", f"frames of `{network}` a second")
    return markdown(head, rows)


def products(name: str) -> str:
    """Make the table of presets and buses by cycles, by time and by LUTs, as a part names them, of what was measured.

    The cycles are those of ``python -m tools.bench --out docs/measured/bench.json presets``.
    """
    part = part_named(name)
    rows = []
    for key, figures in record("bench")["results"].items():
        topic, _, about = key.partition(".")
        for number, (call, config) in enumerate(presets_bench.configurations().items() if topic == "presets" else ()):
            preset, _, bus = call.partition("_")
            need, clock = need_of(config, part.target), clock_of(config, part=part)
            cycles, published = figures[f"{call}_cycles"], figures["published_cycles"]
            shown = f"{cycles:,} ({cycles / published:.3f})"
            time, cost = f"{cycles / clock['mhz']:,.0f}", f"{cycles * need.resources['lut'] / 1e9:,.2f}"
            title = about.replace("_capture", ", capture")
            rows.append(("" if number else title, f"`{preset}`", bus, shown, time, cost))
    head = ("", "preset", "bus", "cycles (of published)", f"us at {part.mhz:g} MHz", "cycles x LUTs, in 10^9")
    return markdown(head, rows)


def families(*presets: str) -> str:
    """Make the table of what accelerators take of each family of FPGAs."""
    rows = []
    for preset in presets:
        for target in TARGETS:
            need = need_of(HardwareConfig.load(preset), target)
            has = (f"{need.resources[kind]:,}" for kind in ("lut", "ff", "ram", "dsp"))
            rows.append((f"`{preset}`", target, *has, need.source))
    return markdown(("preset", "family", "LUT", "FF", "block RAM", "multipliers", "known from"), rows)


def limits(network: str, preset: str, images: str) -> str:
    """Make the table of what limits the layers of a network on a preset, as ``reprise estimate`` shows it."""
    config = HardwareConfig.load(preset)
    file = open_network(network, config)
    batch = choose_images(file, int(images), 0)
    report = estimate(file.network, config, batch.images, limits=True)
    lines = limits_lines(report["layers"], report["total"])
    return markdown(lines.head, lines.rows)


def helps(network: str, preset: str, images: str) -> str:
    """Make the table of the changes of a preset that would help a network, without what they cost of an FPGA."""
    config = HardwareConfig.load(preset)
    file = open_network(network, config)
    batch = choose_images(file, int(images), 0)
    report = estimate(file.network, config, batch.images)
    add_helps(report, file.network, config, batch.images, areas=False)
    lines = helps_lines(report["total"])
    return markdown(lines.head[:3], [row[:3] for row in lines.rows])


def table(kind: str, *words: str) -> str:
    """Make one of the tables above."""
    makers: dict[str, Callable[..., str]] = {
        "cycles": cycles,
        "hardware": hardware,
        "parts": parts,
        "products": products,
        "families": families,
        "limits": limits,
        "helps": helps,
    }
    return makers[kind](*words)
