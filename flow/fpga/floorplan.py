"""The floorplan of a core on the LFE5U-85: the sizes that it depends on, and a netlist whose macros have their sites.

:mod:`reprise.flow.fpga.sites` says where they lie, and why.
"""

from __future__ import annotations

import json
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...hw.lib.fanout import parts
from ...hw.lib.wide_memory import BLOCK_BITS, lane_parts
from ...hw.neurons.layouts import neuron_psums
from ...support.cache import digest
from .sites import ROWS, Plan, with_sites
from .synth import NETLISTS


def plan_of(c: HardwareConfig) -> Plan:
    """Return the sizes of a core that its floorplan depends on, ready for JSON."""
    psums = neuron_psums(c)["psum"]

    return {
        "neuron_lanes": c.neuron_lanes,
        "rows": [[part.start, part.stop] for part in parts(c.neuron_lanes, max(ROWS))],
        "bank": _neurons(c, c.psum_bits),
        "pe_array": _neurons(c, c.result_bits),
        "operands": {
            # Synthesis gives a net the name of either of the ports that it connects.
            r"(integrate|neurons)\.i__payload(\$\d+)?": [psums.offset, c.psum_bits, neuron_psums(c).size],
            r"integrate\.held0": [0, c.membrane_bits, c.membrane_bits * c.neuron_lanes],
        },
    }


def _neurons(c: HardwareConfig, bits: int) -> list[list[float]]:
    """Return where the block RAMs of every part of a wide memory lie in the order of the neurons.

    They lie evenly, in the order of the lanes in their middle, so that every neuron has some beside it.
    """
    cut = [
        [part.bits[at : at + BLOCK_BITS] for at in range(0, len(part.bits), BLOCK_BITS)]
        for part in lane_parts(c.neuron_lanes, c.groups, bits)
    ]
    middles = [[block[len(block) // 2] for block in part] for part in cut]
    ranked = sorted(middle for part in middles for middle in part)
    return [[(ranked.index(middle) + 0.5) / len(ranked) * c.neuron_lanes for middle in part] for part in middles]


def place_macros(netlist: Path, config: HardwareConfig, *, top: str = "harness") -> Path:
    """Return a copy of the netlist of a core between shift registers, with sites for block RAMs and multipliers."""
    design = json.loads(netlist.read_text())
    with_sites(design, plan_of(config), top)
    text = json.dumps(design)
    key = f"floorplan-{digest(text)}"
    return NETLISTS.get(key, lambda folder: (folder / "floorplan.json").write_text(text)).folder / "floorplan.json"
