"""The nested loops that give every row its place in the inputs: the loop fields and first row of a RUN command.

Their meaning in hardware is defined in reprise.hw.arch.program.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..hw.arch.config import HardwareConfig
from ..hw.arch.program import LOOPS
from .errors import CompileError
from .plan import Job, Plan
from .work import Work

MOST_COUNT = 1 << 16
"""A loop has fewer iterations than this, which are counted in 16 bits."""


def wrap(value: int) -> int:
    """Return an address modulo 2**16 as the signed number that has the same 16 bits."""
    return (value + 0x8000) % 0x10000 - 0x8000


@dataclass(frozen=True)
class Step:
    """What one step of a loop adds to where a row begins in a source.

    Members
    -------
    y : image rows
    x : bits along a line
    address : on-chip words from line to line
    """

    y: int = 0
    x: int = 0
    address: int = 0

    def __add__(self, other: Step) -> Step:
        return Step(self.y + other.y, self.x + other.x, self.address + other.address)

    def times(self, n: int) -> Step:
        """Return what ``n`` such steps add."""
        return Step(self.y * n, self.x * n, self.address * n)


Loop = tuple[int, tuple[Step, ...]]
"""The number of iterations, and the step that each source takes."""


def row_loops(work: Work, plan: Plan, job: Job) -> list[Loop]:
    """Return the loops over a job's rows, innermost first.

    They go over planes, timesteps, columns and lines of a pooling window, windows, lines of them and images.
    """
    side = work.side
    windows = (len(job.xs) // side, len(job.ys) // side)
    counts: tuple[int, ...] = (work.planes, work.output.timesteps, side, side, *windows, job.images)
    if not work.inputs:
        return [(count, ()) for count in counts]
    steps = []
    for i, pitch in zip(work.inputs, plan.pitches, strict=True):
        row = i.feature.lines_per_row * pitch.line
        dx = Step(x=i.stride * i.feature.block_channels)
        dy = Step(y=i.row_stride, address=i.row_stride * row)
        image = Step(address=i.blocks * pitch.block)
        plane = Step(address=pitch.line)
        timestep = plane.times(0 if i.feature.repeat else i.feature.planes)
        if work.fold > 1:  # a plane is the next lines, but for a mask that all positions share
            plane = Step(y=i.kernel[0], address=i.kernel[0] * row) if i.stride else Step()
        steps.append((plane, timestep, dx, dy, dx.times(side), dy.times(side), image))
    return list(zip(counts, zip(*steps, strict=True), strict=True))


def merge(loops: list[Loop]) -> list[Loop]:
    """Return fewer loops that give the same sequence.

    Loops of one iteration go, and a loop that goes on in the steps of the loop inside it is joined with that one, if
    they have no more iterations together than a loop can have.
    """
    merged: list[Loop] = []
    for count, steps in loops:
        if count == 1:
            continue
        if (
            merged
            and merged[-1][0] * count < MOST_COUNT
            and all(s == t.times(merged[-1][0]) for s, t in zip(steps, merged[-1][1], strict=True))
        ):
            merged[-1] = (merged[-1][0] * count, merged[-1][1])
        else:
            merged.append((count, steps))
    return merged


def fold(loops: list[Loop]) -> list[Loop]:
    """Turn steps into what hardware adds when a loop steps and all loops inside it start over.

    That is the loop's own step, less the way that the loops inside it have come.
    """
    folded, back = [], None
    for count, steps in loops:
        back = back or tuple(Step() for _ in steps)
        folded.append((count, tuple(s + b for s, b in zip(steps, back, strict=True))))
        back = tuple(b + s.times(1 - count) for s, b in zip(steps, back, strict=True))
    return folded


def first_rows(work: Work, plan: Plan, job: Job, region: int, config: HardwareConfig) -> list[Step]:
    """Return where the first row of a job begins in each source.

    Its ``y`` counts from the first line on chip, and its ``address`` is that of the line, from word 0 on.
    """
    found = []
    for i, pitch, start, part in zip(work.inputs, plan.pitches, plan.starts, job.slices, strict=True):
        y = job.ys.start * i.row_stride - i.row_padding - part.top
        x = (job.xs.start * i.stride - i.padding) * i.feature.block_channels - part.first * config.bus_bits
        found.append(Step(y=y, x=x, address=region + start + y * i.feature.lines_per_row * pitch.line))
    return found


def loop_fields(work: Work, plan: Plan, job: Job, region: int, config: HardwareConfig) -> dict[str, int]:
    """Return the fields of a RUN that describe the sources on chip, the first row and the loops.

    Parameters
    ----------
    region : first on-chip word of the job's input

    Raises
    ------
    CompileError
        The job needs more loops than the hardware has.
    """
    fields = {}
    for s, (i, part) in enumerate(zip(work.inputs, job.slices, strict=True)):
        end = min(i.feature.line_bits, (part.first + part.words) * config.bus_bits)
        fields[f"line_bits{s}"] = end - part.first * config.bus_bits
        fields[f"lines{s}"] = part.lines
    first = first_rows(work, plan, job, region, config)
    return fields | position_fields(row_loops(work, plan, job), first, work.layer.name)


def position_fields(loops: list[Loop], first: list[Step], name: str) -> dict[str, int]:
    """Return the fields of a RUN that describe the first row and the loops.

    Parameters
    ----------
    loops : innermost first
    first : where the first row begins in each source
    name : of the layer

    Raises
    ------
    CompileError
        There are more loops than the hardware has.
    """
    loops = fold(merge(loops))
    if len(loops) > LOOPS:
        raise CompileError(f"layer {name!r}: loops must be at most {LOOPS}, not {len(loops)}")
    fields: dict[str, int] = {}
    for s, step in enumerate(first):
        fields |= {f"row_address{s}": wrap(step.address), f"row_x{s}": step.x, f"row_y{s}": step.y}
    for n in range(LOOPS):
        count, steps = loops[n] if n < len(loops) else (1, ())
        fields[f"loop{n}_count"] = count
        for s, step in enumerate(steps):
            fields |= {f"loop{n}_y{s}": step.y, f"loop{n}_x{s}": step.x, f"loop{n}_address{s}": wrap(step.address)}
    return fields
