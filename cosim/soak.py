"""Runs many random networks on random configurations with random stalls, and then real networks.

All of them must equal the model.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ..hw.arch.config import HardwareConfig
from ..support.progress import counting
from ..support.terminal import Figures
from .jobs.processes import side_by_side

ATTEMPTS = 8  # how many networks are tried where the compiler refuses one for its configuration
PRESETS = ("tiny", "small")  # which are taken beside random configurations
REAL = (
    ("digits", "paper", 8),
    ("digits", "paper2", 8),
    ("digits", "small", 8),
    ("lenet5", "paper", 4),
    ("lenet5-binary", "paper", 4),
    ("resnet-sparse", "paper", 1),
    ("vgg9", "paper", 1),
)
"""The network, the configuration and the number of images of every real job."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One random job: the seed of network and images, the configuration, the number of images, and the memory."""

    seed: int
    config: dict
    config_name: str
    images: int
    latency: int
    stall: float
    gap: int
    engine: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a random job ended: its ``status`` is "equal", "refused" (by the compiler), "mismatch" or "failed"."""

    seed: int
    config_name: str
    status: str
    detail: str
    cycles: int
    estimate: int
    seconds: float


def soak_configs(count: int) -> list[tuple[str, HardwareConfig]]:
    """Return ``count`` configurations with their names: first the presets, and then random ones."""
    from .jobs.random_networks import random_config

    found = [(name, HardwareConfig.load(name)) for name in PRESETS]
    found += [(f"random{seed}", random_config(seed)) for seed in range(1, count)]
    return found[:count]


def cases(networks: int, seed: int, configs: int, engine: str) -> Iterator[Case]:
    """Yield the random jobs, in which those of one configuration follow each other."""
    chosen = soak_configs(configs)
    for n in range(networks):
        name, config = chosen[n * len(chosen) // networks]
        r = np.random.default_rng([seed + n, 123])
        yield Case(
            seed=seed + n,
            config=config.to_dict(),
            config_name=name,
            images=int(r.integers(1, 4)),
            latency=int(r.choice([0, 1, 7, 40])),
            stall=float(r.choice([0, 0.1, 0.5])),
            gap=int(r.choice([0, 0, 1, 3])),
            engine=engine,
        )


def play(case: Case) -> Verdict:
    """Compile, run and compare one random job; it may be in a process of its own."""
    from ..compiler import CompileError, compile_network
    from ..compiler.golden.interpreter import interpret
    from ..model.inference.runner import run
    from .bench.system import SystemBench, Traffic
    from .jobs.compare import compare
    from .jobs.random_networks import random_images, random_network
    from .jobs.run import FILL

    start = time.perf_counter()
    cycles = 0

    def verdict(status: str, detail: str = "") -> Verdict:
        seconds = time.perf_counter() - start
        return Verdict(
            seed=case.seed,
            config_name=case.config_name,
            status=status,
            detail=detail,
            cycles=cycles,
            estimate=0,
            seconds=seconds,
        )

    try:
        config = HardwareConfig.from_dict(case.config)
        for attempt in range(ATTEMPTS):
            seed = case.seed + 10_000 * attempt
            network = random_network(seed, config)
            images = random_images(seed, network, case.images)
            try:
                compiled = compile_network(network, config, case.images, keep_features=case.seed % 3 > 0)
            except CompileError as error:
                refusal = str(error)
                continue
            break
        else:
            return verdict("refused", refusal)
        if case.engine == "rtl":
            from .jobs.host import run_job

            traffic = Traffic(latency=case.latency, stall=case.stall, gap=case.gap, seed=case.seed)
            ran = run_job(SystemBench(config), compiled, images, traffic=traffic, fill=FILL)
            memory, cycles = ran.memory, ran.cycles
        else:
            memory = interpret(compiled, images, fill=FILL)
        expected = run(network, images, record=("features", "potentials"))
        final = {entry.feature for entry in compiled.layers if case.seed % 3 > 0}
        final |= {compiled.layers[-1].feature}
        wrong = [c for c in compare(compiled, memory, expected) if c.mismatches and c.feature in final]
    except Exception as error:  # whatever happens is the verdict of this case, and the others go on
        return verdict("failed", f"{type(error).__name__}: {error}"[:2000])
    if wrong:
        return verdict("mismatch", str(wrong[0].first or wrong[0].error))
    return verdict("equal")


def build_all(configs: list[tuple[str, HardwareConfig]], console: Console) -> None:
    """Build the model of every configuration before the jobs start, so that no two of them wait for one build."""
    from .bench.system import SystemBench

    with counting(console, "Verilator models", len(configs)) as count:
        for name, config in configs:
            count.advance(0, name)
            SystemBench(config)
            count.advance(1, name)


def run_random(jobs: list[Case], processes: int, console: Console) -> list[Verdict]:
    """Run all random jobs, ``processes`` at a time, and return their verdicts in the order of their seeds."""
    found: list[Verdict] = []
    with counting(console, "random networks", len(jobs)) as count:
        for verdict in side_by_side(play, jobs, processes):
            found.append(verdict)
            bad = sum(v.status in ("mismatch", "failed") for v in found)
            count.advance(1, f"{bad} bad" if bad else "")
    return sorted(found, key=lambda v: v.seed)


def run_real(data: Path | None, engine: str, out: Path, console: Console) -> dict[str, str]:
    """Run the real networks, and return for each of them "equal", "mismatch", or why it was left out."""
    from ..export.find import available
    from .command import run_network
    from .options import Options

    verdicts = {}
    for network, config, images in REAL:
        label = f"{network} on {config}"
        hardware, folder = HardwareConfig.load(config), out / f"{network}-{config}"
        reason = available(network, hardware)
        if reason:
            verdicts[label] = f"left out: {reason}"
            continue
        console.rule(label)
        options = Options(
            config=hardware, config_name=config, images=images, engine=engine, data=data, out=folder, limits=False
        )
        verdicts[label] = "equal" if run_network(network, options, console) == 0 else "mismatch"
    return verdicts


def run_soak(
    *,
    networks: int,
    seed: int,
    configs: int,
    processes: int,
    real: bool,
    data: Path | None,
    engine: str,
    out: Path,
    console: Console,
) -> int:
    """Run random and real networks, and write ``soak.json`` into the folder ``out``.

    Parameters
    ----------
    networks : number of random networks
    seed : of the first of them; each further one has the next seed
    configs : number of configurations
    processes : how many random jobs run at a time
    real : run the real networks too, for which ``data`` is the folder of data sets
    engine : "rtl" or "interpreter"

    Returns
    -------
    int : 0 if all are equal to the model, or were refused by the compiler, and else 1
    """
    start = time.perf_counter()
    jobs = list(cases(networks, seed, configs, engine))
    if engine == "rtl" and jobs:
        build_all(soak_configs(configs), console)
    verdicts = run_random(jobs, processes, console) if jobs else []
    reals = run_real(data, engine, out, console) if real else {}
    table = Figures("configuration", "equal", "refused", "mismatch", "failed", "cycles", title="random networks")
    for name in dict.fromkeys(job.config_name for job in jobs):
        mine = [v for v in verdicts if v.config_name == name]
        counts = [sum(v.status == s for v in mine) for s in ("equal", "refused", "mismatch", "failed")]
        table.add_row(name, *map(str, counts), f"{sum(v.cycles for v in mine):,}")
    console.print(table)
    for v in verdicts:
        if v.status in ("mismatch", "failed"):
            console.print(f"[red]{v.status}[/] seed {v.seed} on {v.config_name}: {v.detail}", highlight=False)
    for label, verdict in reals.items():
        console.print(f"{label}: {verdict}", highlight=False)
    bad = sum(v.status in ("mismatch", "failed") for v in verdicts) + sum(v == "mismatch" for v in reals.values())
    out.mkdir(parents=True, exist_ok=True)
    report = {"seed": seed, "engine": engine, "bad": bad, "random": [asdict(v) for v in verdicts], "real": reals}
    (out / "soak.json").write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"{out / 'soak.json'}: {bad} bad; {time.perf_counter() - start:.0f} s", highlight=False)
    return 1 if bad else 0
