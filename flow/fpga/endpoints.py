"""Counts by block how late the inputs of a routed design's registers are.

The critical path names one place. Whether the next ones are a tenth faster or twice as fast, and in which blocks they
lie, is what says whether a register more is worth it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rich.table import Table

from ...support.terminal import Figures
from .synth import instances_of, owner

CLOCKS = (50, 60, 75)
"""The clocks in MHz that endpoints are compared with."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The endpoints of a block: the inputs of its registers and memories that a path from a register reaches.

    Members
    -------
    block : name of the instance; the top is ""
    worst : arrival at the latest one, in ns
    cell : the cell that this one belongs to
    count : how many there are
    late : how many are too late for each of :data:`CLOCKS`
    """

    block: str
    worst: float
    cell: str
    count: int
    late: tuple[int, ...]


def ends_of(report: dict, cells: dict[str, dict], depth: int = 4) -> list[Ends]:
    """Return the endpoints of a detailed report of nextpnr, the block with the latest one first.

    Parameters
    ----------
    report : of nextpnr with ``--detailed-timing-report``
    cells : of the netlist, with their types
    depth : how deep blocks are told apart
    """
    instances = instances_of(cells)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for net in report["detailed_net_timings"]:
        if not net["event"].startswith("posedge"):
            continue
        for end in net["endpoints"]:
            if end["event"].startswith("posedge"):
                block = owner(end["cell"], instances, depth).removeprefix("dut").removeprefix(".")
                found[block].append((end["delay"][1], end["cell"]))
    ends = [
        Ends(
            block=block,
            worst=max(arrivals)[0],
            cell=max(arrivals)[1],
            count=len(arrivals),
            late=tuple(sum(arrival > 1000 / clock for arrival, _ in arrivals) for clock in CLOCKS),
        )
        for block, arrivals in found.items()
    ]
    return sorted(ends, key=lambda one: -one.worst)


def table(ends: list[Ends], most: int = 24) -> Table:
    """Return what the command prints: the blocks whose endpoints are latest."""
    late = (f"> {1000 / clock:.1f} ns ({clock} MHz)" for clock in CLOCKS)
    shown = Figures("block", "worst (ns)", "endpoints", *late, title="endpoints by block")
    for one in ends[:most]:
        shown.add_row(one.block or "(top)", f"{one.worst:.1f}", f"{one.count:,}", *(f"{n:,}" for n in one.late))
    return shown
