"""Runs a fuzz: shards of mutated programs on all cores, kept in a file so that it goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ...hw.arch.config import HardwareConfig
from ...hw.emission import verilog_of
from ...support.progress import Stages
from ..jobs.processes import side_by_side
from ..jobs.shards import Shards

WAYS = ("refused", "equal", "order", "wrong")
"""How a mutated program can end; see :class:`reprise.cosim.fuzz.play.Case`."""


TOGETHER = 5
"""Networks whose programs are played in one simulation, since each simulation takes a second to begin."""


def verilog_sha256(config: HardwareConfig) -> str:
    """Return the digest of a configuration's Verilog, to which the results belong."""
    return hashlib.sha256(verilog_of(config).text.encode()).hexdigest()


def shard_file(out: Path, name: str, config: HardwareConfig) -> Path:
    """Return the file of a configuration's shards, a line of JSON for each; other RTL has another file."""
    return out / f"fuzz-{name}-{verilog_sha256(config)[:12]}.jsonl"


def play_shards(fields: dict, seeds: tuple[int, ...]) -> dict[int, list[dict]]:
    """Play the mutated programs of some seeds, in a process of its own."""
    from .play import play

    config = HardwareConfig.from_dict(fields)
    try:
        return play(config, seeds)
    except Exception as error:  # the simulation did not end or died: that is a finding of one of these shards
        if len(seeds) > 1:
            return {n: case for seed in seeds for n, case in play_shards(fields, (seed,)).items()}
        text = f"{type(error).__name__}: {error}"
        return {seeds[0]: [{"what": f"shard {seeds[0]}", "way": "wrong", "detail": text[-1500:]}]}


def tally(cases: list[dict]) -> Counter[tuple[str, str]]:
    """Return how many programs ended in each way, with the error code or the rule."""
    return Counter((case["way"], "" if case["way"] in ("wrong", "equal") else case["detail"]) for case in cases)


def table(counts: Counter[tuple[str, str]], title: str) -> Table:
    """Make the table of the ways to end."""
    made = Table("way", "code or rule", "programs", title=title)
    for way in WAYS:
        for (name, detail), count in sorted(counts.items(), key=lambda item: -item[1]):
            if name == way:
                made.add_row(way, detail, f"{count:,}")
    made.add_section()
    made.add_row("total", "", f"{sum(counts.values()):,}")
    return made


def add_record(path: Path, name: str, config: HardwareConfig, shards: Shards) -> None:
    """Write a configuration's counts into a record, beside those of other configurations.

    The record is ``{"configurations": {name: {"verilog_sha256", "networks", "programs", "command", "ways"}}}``, where
    ``ways`` holds a number of programs for each way to end and, in it, for each error code or rule.
    """
    found = json.loads(path.read_text()) if path.is_file() else {"configurations": {}}
    ways: dict[str, dict[str, int]] = {way: {} for way in WAYS}
    for (way, detail), count in sorted(tally(shards.cases).items(), key=lambda item: -item[1]):
        ways[way][detail] = count
    found["configurations"][name] = {
        "verilog_sha256": verilog_sha256(config),
        "networks": len(shards.found),
        "programs": len(shards),
        "command": f"reprise fuzz --config {name} --cases {len(shards)}",
        "ways": ways,
    }
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def run_fuzz(
    name: str,
    config: HardwareConfig,
    *,
    cases: int,
    processes: int,
    out: Path,
    json_file: Path | None = None,
    console: Console,
) -> int:
    """Play mutated programs until ``cases`` of them have ended, those of earlier calls included.

    Parameters
    ----------
    name : of the configuration
    cases : number of programs
    processes : simulations that run side by side
    out : folder of the file of shards
    json_file : a record to which the counts are added

    Returns
    -------
    int : 0 if every program ended in one of the three right ways, and else 1
    """
    from ..bench.system import SystemBench
    from .play import BENCH_BYTES

    start = time.perf_counter()
    shards = Shards(shard_file(out, name, config))
    before = len(shards)
    if before:
        console.print(f"{shards.path} holds {before:,} programs already", highlight=False)
    seeds = shards.missing(range(1, 1 << 31))
    groups = iter(lambda: tuple(islice(seeds, TOGETHER)), ())
    work = partial(play_shards, config.to_dict())
    with Stages(console) as stages:
        with stages.stage("build", "Verilator model"):
            SystemBench(config, memory_bytes=BENCH_BYTES)
        with stages.stage("fuzz", "mutated programs", total=cases) as stage:
            for played in side_by_side(work, groups, processes) if before < cases else ():
                shards.add(played)
                stage.advance(min(len(shards), cases), f"{len(shards):,} of {cases:,}")
                if len(shards) >= cases:
                    break
    counts = tally(shards.cases)
    console.print(table(counts, f"mutated programs on {name}, seeds 1 to {max(shards.found)}"))
    for seed, found in sorted(shards.found.items()):
        for case in found:
            if case["way"] == "wrong":
                console.print(f"[red]wrong[/] seed {seed}: {case['what']}: {case['detail']}", highlight=False)
    wrong = sum(count for (way, _), count in counts.items() if way == "wrong")
    if json_file:
        add_record(json_file, name, config, shards)
    seconds = time.perf_counter() - start
    told = f"{wrong} wrong; {len(shards) - before:,} programs in {seconds:.0f} s"
    console.print(f"{shards.path}: {told}", highlight=False)
    return 1 if wrong else 0
