"""Runs a soak: shards of random networks on each configuration, kept in files, so that it goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from ...estimate.report.fields import checked
from ...estimate.report.head import head
from ...hw.emission import verilog_of
from ...support.cache import digest
from ...support.progress import counting
from ...support.terminal import Figures, counted
from ..jobs.processes import side_by_side
from ..jobs.shards import Shards
from ..report.soak_fields import Soak
from .draw import CASES, Hardware, generator, hardware
from .real import run_real
from .traits import NAMED

STATUSES = ("equal", "refused", "mismatch", "failed")
BAD = ("mismatch", "failed")


@dataclass(frozen=True, kw_only=True)
class Lot:
    """The shards of one configuration, and the digest of the Verilog to which they belong."""

    on: Hardware
    verilog: str | None
    shards: Shards

    @classmethod
    def of(cls, on: Hardware, engine: str, out: Path) -> Lot:
        """Read what earlier calls have left; the Verilog is generated if the cache has none."""
        verilog = hashlib.sha256(verilog_of(on.config).text.encode()).hexdigest() if engine == "rtl" else None
        key = [on.config.to_dict(), verilog, *generator()]
        return cls(on=on, verilog=verilog, shards=Shards(out / f"{engine}-{on.name}-{digest(*key)[:12]}.jsonl"))

    def others(self) -> int:
        """Return how many lines there are of other RTL, or of another generator, which do not count."""
        begin = self.shards.path.name.rpartition("-")[0]
        other = (path for path in self.shards.path.parent.glob(f"{begin}-*.jsonl") if path != self.shards.path)
        return sum(path.read_text().count("\n") for path in other)

    def counts(self) -> dict[str, int]:
        """Return the fields of :class:`reprise.cosim.report.soak_fields.SoakCounts`."""
        found = self.shards.cases
        status = Counter(one["status"] for one in found)
        return {name: status[name] for name in STATUSES} | {
            "exact": sum(one["exact"] for one in found if one["status"] == "equal"),
            "refusals": sum(one["refusals"] for one in found),
            "rtl_cycles": sum(one["cycles"] for one in found),
        }


def play_shard(engine: str, item: tuple[Hardware, int]) -> tuple[int, int, list[dict]]:
    """Play a shard, maybe in a process of its own; return the configuration's number, the shard, and the verdicts."""
    from .play import play

    on, shard = item
    return on.number, shard, play(on, shard, engine)


def make_report(lots: list[Lot], engine: str, real: dict[str, str]) -> dict:
    """Return the content of ``soak.json``."""
    parts = [lot.counts() for lot in lots]
    results = [(lot.on.name, one) for lot in lots for one in lot.shards.cases]
    traits = Counter(trait for _, one in results if one["status"] == "equal" for trait in one["traits"])
    bad = [
        {"name": name, **{key: one[key] for key in ("seed", "status", "detail")}}
        for name, one in results
        if one["status"] in BAD
    ]
    return {
        **head("soak"),
        "engine": engine,
        "networks": len(results),
        "total": {name: sum(part[name] for part in parts) for name in parts[0]},
        "configurations": [
            {"name": lot.on.name, "configuration": lot.on.config.to_dict(), "verilog_sha256": lot.verilog, **part}
            for lot, part in zip(lots, parts, strict=True)
        ],
        "traits": {name: traits[name] for name in NAMED},
        "bad": bad,
        "real": real,
    }


def show(report: dict, console: Console) -> None:
    """Print the counts of all calls, and what did not end well."""
    table = Figures("configuration", *STATUSES, "cycles exact", "cycles", title="random networks, all calls")
    for one in (*report["configurations"], {"name": "total", **report["total"]}):
        figures = [f"{one[name]:,}" for name in (*STATUSES, "exact", "rtl_cycles")]
        table.add_row(one["name"], *figures, end_section=one is report["configurations"][-1])
    console.print(table)
    for one in report["bad"]:
        console.print(f"[red]{one['status']}[/] seed {one['seed']} on {one['name']}: {one['detail']}", highlight=False)
    for label, verdict in report["real"].items():
        console.print(f"{label}: {verdict}", highlight=False)


def run_soak(
    *,
    networks: int,
    configs: int,
    processes: int,
    real: bool,
    data: Path | None,
    engine: str,
    out: Path,
    json_file: Path | None = None,
    console: Console,
) -> int:
    """Run random networks until there are ``networks``, those of earlier calls included, and real networks.

    Parameters
    ----------
    networks : number of random networks, of which each configuration gets an equal part in whole shards
    configs : number of configurations
    processes : how many simulations run at a time
    real : run the real networks too, for which ``data`` is the folder of data sets
    engine : "rtl" or "interpreter"
    out : folder of the files of shards, and of ``soak.json``
    json_file : a further file for the content of ``soak.json``

    Returns
    -------
    int : 0 if all are equal to the models, or were refused by the compiler, and else 1
    """
    start = time.perf_counter()
    lots: list[Lot] = []
    wanted = -(-networks // (configs * CASES))
    before = bad = 0
    with counting(console, "random networks", wanted * configs * CASES) as count:

        def missing() -> Iterator[tuple[Hardware, int]]:
            nonlocal before
            for on in hardware(configs):
                lots.append(Lot.of(on, engine, out))
                before += len(lots[-1].shards)
                count.advance(len(lots[-1].shards), on.name)
                yield from ((on, shard) for shard in lots[-1].shards.missing(range(wanted)))

        for number, shard, cases in side_by_side(partial(play_shard, engine), missing(), processes):
            lots[number].shards.add({shard: cases})
            bad += sum(one["status"] in BAD for one in cases)
            count.advance(len(cases), f"{bad} bad" if bad else lots[number].on.name)
    if before:
        console.print(f"{out} held {before:,} networks already", highlight=False)
    if others := sum(lot.others() for lot in lots):
        console.print(f"{counted(others, 'shard')} of other RTL, or of other random networks, are not counted")
    reals = run_real(data, engine, out, console) if real else {}
    report = checked(make_report(lots, engine, reals), Soak)
    show(report, console)
    out.mkdir(parents=True, exist_ok=True)
    for path in filter(None, (out / "soak.json", json_file)):
        path.write_text(json.dumps(report, indent=1) + "\n")
    wrong = len(report["bad"]) + sum(verdict == "mismatch" for verdict in reals.values())
    seconds = time.perf_counter() - start
    done = f"{report['networks'] - before:,} networks in {seconds:.0f} s"
    console.print(f"{out / 'soak.json'}: {wrong} bad; {done}", highlight=False)
    return 1 if wrong else 0
