"""Brings a memory image of format 2 to format 3: the potentials of a readout became an integer map.

In format 2 they were lines ``[image][block][y]`` of int32 ``[x][t][channel]``. A map of format 3 may be larger, so it
lies behind all that the image had, and the RUNs that write it are changed accordingly. All else is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...support.checks import require
from .feature_map import DERIVED, FeatureMap
from .program import COMMAND_BYTES, pack, unpack

OLDER = 2
"""The format that is read beside the present one."""

ALIGN = 64
"""Bytes of the widest bus word, to which maps are aligned."""


def upgraded(fields: dict[str, Any], data: bytes, lanes: int) -> tuple[dict[str, Any], bytes]:
    """Return the map of a memory image and its constant bytes in the present format.

    Parameters
    ----------
    fields : what memory.json of format 2 holds, of which features, regions, base, size and program are there
    data : what memory.bin holds
    lanes : neuron lanes of the configuration

    Raises
    ------
    RepriseError
        A feature map lacks a field, or a RUN of a readout does not write to a map of potentials.
    """
    end, old, new = fields["base"] + fields["size"], dict[str, FeatureMap](), dict[str, FeatureMap]()
    features = {}
    for key, one in fields["features"].items():
        own = {name: value for name, value in one.items() if name not in DERIVED} | {"int_bytes": 0}
        made = FeatureMap(**own | {"spare": 0, "rows_first": False})
        if made.kind == "potentials":
            old[key], made = made, replace(made, int_bytes=4, address=-(-end // ALIGN) * ALIGN)
            new[key], end = made, made.address + made.bytes
        features[key] = made.to_dict()
    regions = [
        one | {"address": new[one["name"]].address, "bytes": new[one["name"]].bytes} if one["name"] in new else one
        for one in fields["regions"]
    ]
    program = bytearray()
    first = fields["program"] - fields["base"]
    size = fields["program_bytes"]
    for at in range(first, first + size, COMMAND_BYTES):
        opcode, values = unpack(data[at : at + COMMAND_BYTES])
        if opcode == "RUN" and values["readout"]:
            values |= _integer_fields(values, old, new, lanes)
        program += pack(opcode, **values)
    data = data[:first] + bytes(program) + data[first + size :]
    return fields | {"features": features, "regions": regions, "size": end - fields["base"]}, data


def _integer_fields(
    run: dict[str, int], old: dict[str, FeatureMap], new: dict[str, FeatureMap], lanes: int
) -> dict[str, int]:
    """Return the fields of a readout's RUN that say where its integers go."""
    for key, was in old.items():
        line, block, image = _line_bytes(was), was.height * _line_bytes(was), was.blocks * was.height * _line_bytes(was)
        at = run["output"] - was.address
        if 0 <= at < was.images * image:
            n, at = divmod(at, image)
            b, at = divmod(at, block)
            y, at = divmod(at, line)
            x = at // (4 * was.timesteps * was.block_channels)
            f = new[key]
            place = n * f.image_bytes + b * f.block_bytes + y * f.row_bytes + x * f.line_bytes
            return {
                "output": f.address + place,
                "image_stride": f.image_bytes,
                "line_bytes": f.line_bytes,
                "int_bytes": 4,
                "int_groups": -(-f.block_channels // lanes),
                "int_t": f.timestep_bytes,
                "int_y": f.row_bytes,
                "int_block": f.block_bytes,
            }
    require(False, "RUN.output of a readout", "in a map of potentials", run["output"])
    raise AssertionError


def _line_bytes(was: FeatureMap) -> int:
    """Return the bytes of a line of potentials in format 2."""
    bits = was.width * was.block_channels * was.timesteps * 32
    return -(-bits // (8 * was.bus_bytes)) * was.bus_bytes
