"""Finds out, after a mismatch, which RUN wrote the first wrong element, and records the cycles around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from ...hw.arch.feature_map import FeatureMap
from ...hw.arch.memory_image import MemoryImage
from ..bench.system import Mark, Traffic
from .compare import Difference

if TYPE_CHECKING:
    from .run import Outcome

MARGIN = 64  # cycles that are recorded before the RUN starts and after it ends
LONGEST = 60_000  # cycles of a waveform; of a longer RUN the last ones are recorded


def element_address(compiled: MemoryImage, place: Difference) -> int:
    """Return the byte address of the line that holds the lowest plane of an element, or of its string of integers."""
    f = compiled.features[place.feature]
    block = (f.order.index(place.channel) if f.order else place.channel) // f.block_channels
    address = f.address + place.image * f.image_bytes + block * f.block_bytes
    if f.int_bytes:
        return address + place.timestep * f.timestep_bytes + place.y * f.row_bytes + place.x * f.line_bytes
    return address + (place.y * f.lines_per_row + place.timestep * f.planes) * f.line_bytes


def writing_run(compiled: MemoryImage, place: Difference) -> int:
    """Return the index of the RUN command that writes an element.

    Raises
    ------
    ValueError
        No RUN writes it.
    """
    f = compiled.features[place.feature]
    address = element_address(compiled, place)
    if not f.int_bytes:
        address += place.x * f.block_channels // 8 // f.bus_bytes * f.bus_bytes
    entry = next(e for e in compiled.layers if e.feature == place.feature)
    for index, (opcode, fields) in enumerate(compiled.commands()):
        if opcode == "RUN" and entry.first <= index < entry.last and _writes(f, fields, address):
            return index
    raise ValueError(f"no RUN writes {place}")


def _writes(f: FeatureMap, fields: dict[str, int], address: int) -> bool:
    """Return whether a RUN that writes lines or strings of a map writes the one that holds an address."""
    bits = fields["out_width"] * f.block_channels
    width = fields["out_width"] * f.line_bytes if f.int_bytes else -(-bits // (8 * f.bus_bytes)) * f.bus_bytes
    for image in range(fields["images"]):
        first = fields["output"] + image * fields["image_stride"]
        if f.int_bytes:
            parts = -(-fields["groups"] // fields["int_groups"])
            starts = [
                first + part * fields["int_block"] + t * fields["int_t"] + y * fields["int_y"]
                for part in range(parts)
                for t in range(f.timesteps)
                for y in range(fields["out_lines"])
            ]
        else:
            starts = [first + n * fields["line_bytes"] for n in range(fields["out_lines"] * f.lines_per_row)]
        if any(start <= address < start + width for start in starts):
            return True
    return False


class Recorded(Protocol):
    """What must be known of a co-simulation's options to record its run."""

    @property
    def traffic(self) -> Traffic: ...

    @property
    def out(self) -> str | Path: ...


def region(runs: dict[int, tuple[Mark, Mark]], index: int) -> tuple[int, int]:
    """Return the cycles (first, last) that are recorded around a RUN."""
    start, end = runs[index]
    last = end.cycle + MARGIN
    return max(0, start.cycle - MARGIN, last - LONGEST), last


def record(outcome: Outcome, options: Recorded, console: Console) -> dict | None:
    """Run the job again, and record waveforms of the RUN that wrote the first wrong element.

    Returns what the report holds of them (:class:`reprise.cosim.report.fields.Waveform`), or None if no element can be
    named.
    """
    from ..bench.system import SystemBench
    from .host import run_job
    from .prepare import memory_bytes
    from .run import FILL

    place = next((check.first for check in outcome.checks if check.first), None)
    if place is None:
        return None
    index = writing_run(outcome.compiled, place)
    window = region(outcome.runs, index)
    path = Path(options.out) / "mismatch.fst"
    path.parent.mkdir(parents=True, exist_ok=True)
    console.print(
        f"[red]mismatch[/] {place}: command {index}; running again for a waveform of cycles {window[0]}..{window[1]}"
    )
    bench = SystemBench(outcome.compiled.config, trace=True, memory_bytes=memory_bytes(outcome.compiled.size))
    images = tuple(part.images for part in outcome.parts)
    run_job(bench, outcome.compiled, images, traffic=options.traffic, fill=FILL, waves=path, window=window)
    return {
        "file": str(path),
        "first_cycle": window[0],
        "last_cycle": window[1],
        "command_index": index,
        "viewer_command": f"gtkwave {path}",
    }
