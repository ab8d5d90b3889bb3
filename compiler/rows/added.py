"""The fields of a RUN that say which stored maps it adds, and where they are: to its sums, and to its levels."""

from __future__ import annotations

from ..plan import Job
from ..work import Work


def addend_fields(work: Work, job: Job, block: int, run: dict[str, int]) -> dict[str, int]:
    """Return those of the addend of a layer's job and block of channels; ``run`` has the RUN's other fields."""
    f = work.addend
    if f is None:
        return {}
    at = f.address + job.image * f.image_bytes + block * f.block_bytes
    at += job.line * f.row_bytes + job.column * f.line_bytes
    return {
        "shift": work.layer.shift,
        "addend_bytes": f.int_bytes,
        "addend": (at - run["output"]) // f.bus_bytes,
        "addend_x": f.line_bytes,
        "addend_t": f.timestep_bytes if f.timesteps == run["timesteps"] else 0,  # one for all of them
        "addend_y": f.row_bytes,
        "addend_image": f.image_bytes,
    }


def join_fields(work: Work, job: Job, block: int, run: dict[str, int]) -> dict[str, int]:
    """Return those of the join of a layer's job and block of channels; ``run`` has the RUN's other fields."""
    f = work.join
    if f is None:
        return {}
    at = f.address + job.image * f.image_bytes + block * f.block_bytes
    at += job.line * f.lines_per_row * f.line_bytes + job.column * f.block_channels // 8
    return {
        "join_planes": f.planes,
        "join_levels": work.layer.levels,
        "join": (at - run["output"]) // f.bus_bytes,
        "join_image": f.image_bytes,
    }
