"""Measures the energy of a network: co-simulation with waveforms, mapping, replay, and the account."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ...cosim.command import simulate
from ...cosim.jobs.run import Outcome
from ...cosim.options import Options
from ...estimate.area.netlist import NETLIST
from ...estimate.baselines.accelerator import DRAM_PJ_PER_BIT
from ...estimate.baselines.operations import of_network
from ...estimate.report.head import head, mode_field
from ...export.find import Batch
from ...model.files.network_file import NetworkFile
from ...support.errors import SimulationError
from ...support.progress import Stages
from ..asic.library import Library
from ..asic.memories import build
from ..asic.page import group
from ..asic.synth import Mapped, synthesize
from ..asic.timing import Timing
from .account import PARTS, Account, Energies
from .replay import Activity, Replay
from .sources import load

LOGIC, CLOCK = ("nets_pj", "cells_pj"), ("clock_pj",)
MEMORIES, LEAKAGE = ("reads_pj", "writes_pj", "idle_pj"), ("leakage_pj",)
COLUMNS = {"logic_nj": LOGIC, "clock_nj": CLOCK, "memories_nj": MEMORIES, "leakage_nj": LEAKAGE}
"""The columns of the report, and the parts of the account that each sums up."""

LIMITS = (
    "{corner}, mapped and not laid out: wires are an assumed capacitance for each pin, and the clock has its pins and "
    "no tree.",
    "Energy inside cells is read at one slew and load, and a toggle takes the mean of a rise and a fall.",
    "A replay without delays sees no glitches inside a cycle.",
    "Memories take the energies of compiled macros, as far as a word needs their columns, and latches an estimate. A "
    "read is charged where the address or the word differs from the cycle before; beside it stands what all reads "
    "would take.",
    "DRAM is 12.45 pJ for each bit that the commands move, a constant of the literature.",
)
"""What stands beside every figure."""


def spans(outcome: Outcome) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the bench's cycle of the start, and the layers and the end of the job as spans of cycles from there."""
    entry, one = outcome.compiled.layers[0], outcome.layers[0]
    ends = [last.cycle for n, (_, last) in outcome.runs.items() if entry.first <= n < entry.last]
    start = max(ends) - one["cycles"]["rtl"]
    found, at = [], 0
    for layer in [*outcome.layers, outcome.rest]:
        cycles = layer["cycles"]["rtl"]
        found.append((layer["name"], at, at + cycles))
        at += cycles
    return start, found


def measured(
    file: NetworkFile,
    batch: Batch,
    options: Options,
    stages: Stages,
    *,
    wire_ff: float,
    chosen: Library | None = None,
) -> tuple[dict[str, Any], Outcome, Mapped, Activity, Energies]:
    """Measure the energy of a network on a batch.

    Parameters
    ----------
    file, batch : the network, and its images
    options : of the co-simulation; ``waves`` must be set
    stages : show the progress
    wire_ff : capacitance of the wire to one pin
    chosen : the cells; if none, those that Reprise ships

    Returns
    -------
    report (:class:`reprise.flow.energy.fields.Energy`), and what it was made of

    Raises
    ------
    SimulationError
        The RTL and the model differ, or the replay does not give what the RTL did.
    """
    with ThreadPoolExecutor(1) as pool:  # Yosys works beside the C++ compiler
        mapping = pool.submit(synthesize, options.config, name=options.config_name, chosen=chosen)
        outcome, cosimulation = simulate(file, batch, options, stages)
        with stages.stage("map", f"Yosys, {options.config_name} (minutes the first time)"):
            mapped = mapping.result()
    if outcome.mismatches:
        raise SimulationError(
            f"the RTL must equal the model before its energy counts; {outcome.mismatches} elements differ"
        )
    start, layers = spans(outcome)
    with stages.stage("waves", "waveform"):
        sources = load(options.out / "run.fst", mapped.netlist, start, layers[-1][2])
        (options.out / "run.fst").unlink()  # which is large, and `reprise cosim --waves` writes it, too
    with stages.stage("replay", "replay in the netlist"):
        activity = Replay(mapped.netlist, mapped.library).run(sources, [(first, last) for _, first, last in layers])
    if activity.wrong:
        differ = f"{activity.wrong:,} of {activity.checked:,} bits at flip-flops differ"
        raise SimulationError(f"the replay must give what the RTL did; {differ}")
    with stages.stage("account", "timing and energy"):
        built = [build(memory, mapped.library) for memory in mapped.netlist.memories]
        period = Timing(mapped.netlist, mapped.library, built, wire_ff).longest().period_ns
        account = Account(mapped.netlist, mapped.library, built, wire_ff)
        energies = account.energies(activity, [last - first for _, first, last in layers], period)
    report = {
        **head("energy"),
        "network": file.network.name,
        "images": len(batch.images),
        "configuration_name": options.config_name,
        **mode_field(options.mode),
        "netlist": NETLIST,
        "configuration": options.config.to_dict(),
        "library": {"name": mapped.library.name, **mapped.library.source},
        "period_ns": round(period, 3),
        "wire_ff": wire_ff,
        "replay": {"compared_bits": activity.checked, "differing_bits": activity.wrong},
        **figures(cosimulation, layers, energies, mapped.netlist.blocks, operation_counts(outcome)),
        "limits": mapped.library.limits(LIMITS),
    }
    return report, outcome, mapped, activity, energies


def operation_counts(outcome: Outcome) -> dict[str, float]:
    """Return the account of operation counts by layer, in nanojoules."""
    return {
        name: round(one.energy_pj / 1000, 4)
        for part in outcome.parts
        for name, one in of_network(part.network, part.expected.features).items()
    }


def _columns(parts: dict[str, float]) -> dict[str, float]:
    found = {name: sum(parts[part] for part in sums) / 1000 for name, sums in COLUMNS.items()}
    return {**{name: round(value, 4) for name, value in found.items()}, "chip_nj": round(sum(found.values()), 4)}


def figures(
    cosimulation: dict[str, Any],
    layers: Sequence[tuple[str, int, int]],
    energies: Energies,
    blocks: Sequence[str],
    counts: dict[str, float],
) -> dict[str, Any]:
    """Return the energies of a report by layer, by block and in all; ``counts`` are by layer, in nanojoules."""
    moved = [one["bytes_read"] + one["bytes_written"] for one in [*cosimulation["layers"], cosimulation["rest"]]]
    rows = []
    for n, ((name, first, last), count) in enumerate(zip(layers, moved, strict=True)):
        dram = {"dram_nj": round(8 * count * DRAM_PJ_PER_BIT / 1000, 4)}
        counted = {"operation_count_nj": counts.get(name, 0.0)}
        rows.append({"name": name, "cycles": last - first, **_columns(_parts(energies, n)), **dram, **counted})
    groups: dict[str, np.ndarray] = {}
    names = [group(name) if name else "top" for name in blocks]
    for name in dict.fromkeys(names):
        chosen = [n for n, one in enumerate(names) if one == name]
        groups[name] = np.array([energies.parts[part][:, chosen].sum() for part in PARTS])
    by_block = [
        {"name": name, **_columns(dict(zip(PARTS, values, strict=True)))}
        for name, values in groups.items()
        if values.sum()
    ]
    whole = {part: float(energies.parts[part].sum()) for part in PARTS}
    columns = _columns(whole)
    wires = float(energies.wires_pj.sum()) / 1000
    every = float(energies.every_read_pj.sum()) / 1000
    total = {
        "cycles": layers[-1][2],
        **columns,
        "dram_nj": round(sum(row["dram_nj"] for row in rows), 4),
        "operation_count_nj": round(sum(counts.values()), 4),
        "wires_nj": round(wires, 4),
        "chip_nj_by_wire": {
            "half": round(columns["chip_nj"] - wires / 2, 4),
            "twice": round(columns["chip_nj"] + wires, 4),
        },
        "chip_nj_as_built": round(columns["chip_nj"] - whole["reads_pj"] / 1000 + every, 4),
        "parts_nj": {part.removesuffix("_pj"): round(value / 1000, 4) for part, value in whole.items()},
    }
    return {"layers": rows, "blocks": sorted(by_block, key=lambda one: -one["chip_nj"]), "total": total}


def _parts(energies: Energies, window: int) -> dict[str, float]:
    return {part: float(values[window].sum()) for part, values in energies.parts.items()}
