"""Replays recorded spikes through the core's RTL, and shows cycles by cause beside the bound and the published model.

The command is ``python -m tools.replay_core CAPTURE [--config paper] [--json OUT]``. Weights are random, from a seed,
and inputs are always ready. Each layer runs alone, and every output channel is compared with the model. It runs in
blocks of ``lanes`` channels, each of which repeats the layer's tiles, so that cycles, bound and published figure are
those of all blocks. Then all layers run without a pause between them, and one group of channels is compared. This is
done twice:

- *unit*: partial sums are taken as they come, by a readout of every row. This is the processor by itself, which is what
  the bound and the published model count. The fill of the first tile and the drain of the last sums are in it.
- *together*: the layers run with their neurons and timesteps, up to the last level.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from reprise.cosim.bench.core import CoreBench
from reprise.cosim.jobs.core_job import join, make_job, make_jobs, play, sums_job
from reprise.estimate.baselines.prosperity import published_model_cycles
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, load_capture
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.bound import bound
from reprise.model.prosparsity.tiles import count_packed
from reprise.support.command_line import INPUT_FILE, OUTPUT_FILE, at_least, commands, example, main
from tools.tables.captures import figures

NAME = "python -m tools.replay_core"
app = commands()


def neuron_for(channels: int, rng: np.random.Generator) -> Neuron:
    """Make random IF neurons with soft reset."""
    return Neuron(
        kind="if",
        levels=4,
        reset="soft",
        threshold=rng.integers(200, 2000, channels),
        bias=rng.integers(-100, 100, channels),
        v0=rng.integers(0, 500, channels),
        leak=np.full(channels, 256),
    )


def replay(capture: Path, config: HardwareConfig, *, seed: int = 1, bench: CoreBench | None = None) -> dict:
    """Replay every layer alone and all of them together; a difference from the model raises AssertionError."""
    rng = np.random.default_rng(seed)
    bench = bench or CoreBench(config)
    report: dict[str, Any] = {"configuration": config.to_dict(), "seed": seed, "layers": []}
    jobs, sums, passes, wall, simulated = [], [], [], 0.0, 0
    for captured in load_capture(capture):
        tiles = captured.tiles(config.tile_m, config.tile_k)
        weights = np.zeros_like(tiles.weights)
        weights[: captured.depth] = rng.integers(-128, 128, (captured.depth, captured.outputs))
        tiles = replace(tiles, weights=weights)
        neuron = neuron_for(captured.outputs, rng)
        counts = count_packed(tiles.packed, tiles.starts)  # by the rule of the published model
        own = count_packed(tiles.packed, tiles.starts, one_bit_matches=config.one_bit_matches)
        start = time.perf_counter()
        results = [play(bench, job, seed=seed) for job in make_jobs(tiles, neuron, config, bitplane=True)]
        wall += time.perf_counter() - start
        simulated += sum(int(result.cycles[-1]) for result in results)
        counted = {
            "tiles": tiles.m_tiles * tiles.k_tiles,
            "bound": bound(own, banks=config.banks, weight_banks=config.weight_banks),
            "published_model": published_model_cycles(counts),
        }
        entry = {"name": captured.name, "blocks": len(results)}
        entry |= {key: value * len(results) for key, value in counted.items()}
        entry["cycles"] = sum(result.elapsed for result in results)
        entry["events"] = {key: sum(result.events[key] for result in results) for key in results[0].events}
        report["layers"].append(entry)
        passes.append(counted)
        head = config.neuron_lanes
        padded = np.zeros((len(weights), head), np.int8)
        padded[:, : min(head, captured.outputs)] = weights[:, :head]
        common = neuron_for(head, np.random.default_rng(seed))
        jobs.append(make_job(replace(tiles, weights=padded), common, config, bitplane=True))
        sums.append(sums_job(tiles, config))
    for name, parts in (("unit", sums), ("together", jobs)):
        result = play(bench, join(parts), seed=seed)
        report[name] = {"cycles": result.elapsed, "events": result.events}
        for key in ("bound", "published_model", "tiles"):
            report[name][key] = sum(one[key] for one in passes)
    report["simulated_khz"] = simulated / wall / 1e3
    return report


@app.command(epilog=example(f"{NAME} spikes.npz --config tiny --json cycles.json"))
def replay_core(
    capture: Annotated[
        Path,
        typer.Argument(metavar="CAPTURE", callback=INPUT_FILE, help="recorded spikes (.npz with its .yaml)"),
    ] = SAMPLE,
    config: Annotated[
        list[str], typer.Option(metavar="NAME|FILE", help="hardware: a preset or a YAML file; may be repeated")
    ] = ["paper", "paper2"],  # noqa: B006
    seed: Annotated[int, typer.Option(metavar="N", callback=at_least(0), help="of weights and neurons")] = 1,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", callback=OUTPUT_FILE, help="write the figures as JSON, too")
    ] = None,
) -> None:
    """Replay recorded spikes through the core's RTL, and show its cycles by cause. Each element is compared."""
    console, reports = Console(), {}
    load_capture(capture)  # what is wrong with it is told before minutes of building
    for name, parameters in {name: HardwareConfig.load(name) for name in config}.items():
        start = time.perf_counter()
        bench = CoreBench(parameters)
        console.print(
            f"{name}: model {'found' if bench.model.cached else 'built'} in {time.perf_counter() - start:.0f} s"
        )
        report = reports[name] = replay(capture, parameters, seed=seed, bench=bench)
        speed = report.pop("simulated_khz")  # this says something of the machine and nothing of the core
        head, *rows = figures(report)
        console.width = max(console.width, 20 + 12 * len(head))  # a figure is never cut to fit
        table = Table(*head, title=name)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print(f"{speed:.0f} kHz simulated (with start-up)")
    if out:
        out.write_text(json.dumps(reports, indent=1) + "\n")


if __name__ == "__main__":
    main(app, NAME)
