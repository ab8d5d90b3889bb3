"""Area by block, memories, clock and leakage of a mapped accelerator, as the report of ``reprise asic``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ...estimate.area.netlist import NETLIST
from ...estimate.report.head import head
from ...hw.arch.config import HardwareConfig
from .library import Library
from .memories import Built, build
from .netlist import Netlist
from .synth import Mapped
from .timing import WIRE_FF, Timing

LIMITS = (
    "{corner}, mapped and not laid out: no clock tree, no space between cells.",
    "Wires are an assumed capacitance for each pin. The period with half and twice of it stands beside the clock.",
    "Nets that are too large for a cell are timed with a tree of buffers, which is not counted in the area.",
    "A memory becomes macros with two ports, or latches where these are smaller; a macro that is larger than the "
    "memory counts whole. Setup of a macro is taken as that of a flip-flop.",
    "A gate belongs to the block that most of its sinks belong to, since mapping dissolves the hierarchy.",
)
"""What stands beside every figure."""


def areas(netlist: Netlist, library: Library, built: list[Built]) -> list[dict[str, Any]]:
    """Return the area of every block that has any, without the blocks in it."""
    size = np.array([library.cells[name].area for name in netlist.types])
    count = len(netlist.blocks)
    gates = np.bincount(netlist.gate_owner, minlength=count) + np.bincount(netlist.gate_block, minlength=count)
    flops = np.bincount(netlist.flop_owner, minlength=count)
    gated = np.bincount(netlist.flop_owner[netlist.flop_gate >= 0], minlength=count)
    logic = np.bincount(netlist.gate_owner, size[netlist.gate_type], count)
    logic += np.bincount(netlist.flop_owner, size[netlist.flop_type], count)
    clock_gates = np.full(len(netlist.gate_block), library.cells[library.clock_gate].area)
    logic += np.bincount(netlist.gate_block, clock_gates, count)
    memory = np.bincount(netlist.memory_owner, [made.area_um2 for made in built], count)
    return [
        {
            "name": name,
            "cells": int(gates[n] + flops[n]),
            "flip_flops": int(flops[n]),
            "gated_flip_flops": int(gated[n]),
            "logic_um2": round(float(logic[n]), 1),
            "kilogates": round(float(logic[n]) / library.gate_area / 1000, 3),
            "memory_um2": round(float(memory[n]), 1),
        }
        for n, name in enumerate(netlist.blocks)
        if gates[n] + flops[n] + memory[n]
    ]


def cell_counts(netlist: Netlist, library: Library) -> dict[str, int]:
    """Return how many cells of each type there are."""
    kinds = np.bincount(np.concatenate([netlist.gate_type, netlist.flop_type]), minlength=len(netlist.types))
    found = {name: int(kinds[n]) for n, name in enumerate(netlist.types) if kinds[n]}
    return found | ({library.clock_gate: len(netlist.gate_enable)} if len(netlist.gate_enable) else {})


def leakage_nw(netlist: Netlist, library: Library, built: list[Built]) -> float:
    """Return the leakage of all cells and memories."""
    cells = sum(count * library.cells[name].leakage_nw for name, count in cell_counts(netlist, library).items())
    return cells + sum(made.leakage_nw for made in built)


def asic_report(config: HardwareConfig, name: str, mapped: Mapped, wire_ff: float = WIRE_FF) -> dict[str, Any]:
    """Return the report (:class:`reprise.flow.asic.fields.Asic`) of a mapped accelerator."""
    netlist, library = mapped.netlist, mapped.library
    built = [build(memory, library) for memory in netlist.memories]
    blocks = areas(netlist, library, built)
    total: dict[str, Any] = {
        key: sum(one[key] for one in blocks)
        for key in ("cells", "flip_flops", "gated_flip_flops", "logic_um2", "memory_um2")
    }
    total["kilogates"] = round(total["logic_um2"] / library.gate_area / 1000, 1)
    total["area_mm2"] = round((total["logic_um2"] + total["memory_um2"]) / 1e6, 4)
    total["leakage_uw"] = round(leakage_nw(netlist, library, built) / 1000, 3)
    macros = Counter({made.kind: 0 for made in built})
    for made in built:
        macros[made.kind] += made.count
    macros.pop("latches", None)
    total["macros"] = sum(macros.values())
    paths = {
        label: Timing(netlist, library, built, factor * wire_ff).longest()
        for label, factor in (("half", 0.5), ("once", 1.0), ("twice", 2.0))
    }
    path = paths["once"]
    return {
        **head("asic"),
        "configuration_name": name,
        "netlist": NETLIST,
        "configuration": config.to_dict(),
        "library": {"name": library.name, **library.source},
        "total": {key: round(value, 1) if key.endswith("um2") else value for key, value in total.items()},
        "blocks": blocks,
        "memories": [
            {
                "name": memory.name,
                "words": memory.words,
                "bits": memory.bits,
                "read_ports": len(memory.reads),
                "becomes": made.kind,
                "count": made.count,
                "area_um2": round(made.area_um2, 1),
            }
            for memory, made in zip(netlist.memories, built, strict=True)
        ],
        "macros": dict(sorted(macros.items())),
        "cell_types": cell_counts(netlist, library),
        "timing": {
            "period_ns": round(path.period_ns, 3),
            "mhz": round(1000 / path.period_ns, 2),
            "start": path.start,
            "end": path.end,
            "nets": len(path.nets),
            "launch_ns": round(path.launch_ns, 3),
            "logic_ns": round(path.logic_ns, 3),
            "setup_ns": round(path.setup_ns, 3),
            "wire_ff": wire_ff,
            "period_ns_by_wire": {label: round(one.period_ns, 3) for label, one in paths.items()},
        },
        "limits": library.limits(LIMITS),
        "seconds": round(mapped.seconds, 2),
    }
