"""The commands of a program as the cycle model wants them: the fields on which time depends, in its own units."""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.program import OPCODES, OVERLAPS, PARAM_BYTES, SEGMENT_BYTES, STRINGS
from ...hw.interface import row_order
from .state import COMMAND


def program_of(commands: list[tuple[str, dict[str, int]]], c: HardwareConfig) -> np.ndarray:
    """Return the records COMMAND[n] of a program, which hold what time depends on."""
    bus = c.bus_bits // 8
    found = np.zeros(len(commands), COMMAND)
    for at, (opcode, f) in zip(found, commands, strict=True):
        at["opcode"] = OPCODES[opcode]
        values: dict[str, int] = {}
        if opcode.startswith("LOAD"):
            values = {"word": f["source"] // bus, "chunks": 1, "stride": 0, "items": 0}
        if opcode == "LOAD_FEATURES":
            values |= {"beats": f["bytes"] // bus, "chunks": f["chunks"], "stride": f["stride"] // bus}
            values["wait"] = f["wait"]
        elif opcode == "LOAD_SEGMENTS":
            values |= {"beats": -(-f["count"] * SEGMENT_BYTES // bus), "items": f["count"]}
        elif opcode == "LOAD_PARAMS":
            values |= {"beats": -(-f["groups"] * c.neuron_lanes * PARAM_BYTES // bus), "items": f["groups"]}
        elif opcode == "RUN":
            names = ["k_tiles", "m_tiles", "rows", "rows_last", "weight_beats", "tile_depth", "whole_tiles", "planes"]
            names += ["groups", "timesteps", "channels", "readout", "out_width", "out_lines", "images", "pool"]
            names += ["out_planes", "int_bytes", "int_groups", *OVERLAPS]
            values = {name: f[name] for name in names}
            values |= {
                "weights": f["weights"] // bus,
                "keep": f["weights_keep"],
                "ready": f["weights_ready"],
                "hold": f["weights_hold"],
                "no_reset": f["reset"] == 2,
                "output": f["output"] // bus,
                "image_stride": f["image_stride"] // bus,
                "line_words": f["line_bytes"] // bus,
                **{name: f[name] // bus for name in ("int_t", "int_y", "int_block")},
                **{f"addend_{name}": f[f"addend_{name}"] // bus for name in STRINGS},
                "addend": f["output"] // bus + f["addend"],
                "addend_bytes": f["addend_bytes"],
                "join_planes": f["join_planes"],
                "last_width": (f["channels"] - 1) % c.neuron_lanes + 1,
                "interleaved": row_order.block_positions(c, f) > 1,
                "inner": f["loop0_count"],
                "join": f["lines1"] != 0,
            }
        for name, value in values.items():
            at[name] = value
    return found
