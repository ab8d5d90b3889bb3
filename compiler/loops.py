"""The nested loops that give every row its place in the inputs (reprise.hw.arch.program, RUN: loops and first row)."""

from __future__ import annotations

from dataclasses import dataclass

from ..hw.arch.config import HardwareConfig
from ..hw.arch.program import LOOPS
from .errors import CompileError
from .plan import Job, Plan, Work


def wrap(value: int) -> int:
    """An address modulo 2**16 as the signed number of 16 bits."""
    return (value + 0x8000) % 0x10000 - 0x8000


@dataclass(frozen=True)
class Step:
    """What one step of a loop adds to a source's row: y, x bits, line address (words)."""

    y: int = 0
    x: int = 0
    address: int = 0

    def __add__(self, other: Step) -> Step:
        return Step(self.y + other.y, self.x + other.x, self.address + other.address)

    def times(self, n: int) -> Step:
        return Step(self.y * n, self.x * n, self.address * n)


Loop = tuple[int, tuple[Step, ...]]
"""Iterations, and the step of each source."""


def row_loops(work: Work, plan: Plan, job: Job) -> list[Loop]:
    """Loops of a job's rows, innermost first: plane, timestep, window, output column, output line, image."""
    pool = work.pool
    counts = (work.planes, work.output.timesteps, pool, pool, job.columns, job.lines, job.images)
    steps = []
    for i, pitch in zip(work.inputs, plan.pitches, strict=True):
        row = i.feature.lines_per_row * pitch.line
        dx = Step(x=i.stride * i.feature.block_channels)
        dy = Step(y=i.stride, address=i.stride * row)
        image = Step(address=i.feature.blocks * pitch.block)
        plane = Step(address=pitch.line)
        timestep = plane.times(0 if i.feature.repeat else i.feature.planes)
        steps.append((plane, timestep, dx, dy, dx.times(pool), dy.times(pool), image))
    return list(zip(counts, zip(*steps, strict=True), strict=True))


def merge(loops: list[Loop]) -> list[Loop]:
    """The same sequence with fewer loops: without loops of one iteration, and with loops joined that go on evenly."""
    merged: list[Loop] = []
    for count, steps in loops:
        if count == 1:
            continue
        if merged and all(s == t.times(merged[-1][0]) for s, t in zip(steps, merged[-1][1], strict=True)):
            merged[-1] = (merged[-1][0] * count, merged[-1][1])
        else:
            merged.append((count, steps))
    return merged


def fold(loops: list[Loop]) -> list[Loop]:
    """Steps with the inner loops' way back in them: what to add when a loop steps and all inside it start over."""
    folded, back = [], None
    for count, steps in loops:
        back = back or tuple(Step() for _ in steps)
        folded.append((count, tuple(s + b for s, b in zip(steps, back, strict=True))))
        back = tuple(b + s.times(1 - count) for s, b in zip(steps, back, strict=True))
    return folded


def first_rows(work: Work, plan: Plan, job: Job, region: int, config: HardwareConfig) -> list[Step]:
    """Where the first row of a job begins, for each source: y from the first line on chip, x bits, line address."""
    found = []
    for i, pitch, start, part in zip(work.inputs, plan.pitches, plan.starts, job.slices, strict=True):
        y = job.line * work.pool * i.stride - i.padding - part.top
        x = (job.column * work.pool * i.stride - i.padding) * i.feature.block_channels - part.first * config.bus_bits
        found.append(Step(y=y, x=x, address=region + start + y * i.feature.lines_per_row * pitch.line))
    return found


def loop_fields(work: Work, plan: Plan, job: Job, region: int, config: HardwareConfig) -> dict[str, int]:
    """Fields of a RUN: geometry of the sources on chip, first row and loops.

    Raises
    ------
    CompileError
        More loops than hardware has.
    """
    loops = fold(merge(row_loops(work, plan, job)))
    if len(loops) > LOOPS:
        raise CompileError(f"layer {work.layer.name!r}: loops must be at most {LOOPS}, not {len(loops)}")
    fields = {}
    for s, (i, part) in enumerate(zip(work.inputs, job.slices, strict=True)):
        end = min(i.feature.line_bits, (part.first + part.words) * config.bus_bits)
        fields[f"line_bits{s}"] = end - part.first * config.bus_bits
        fields[f"lines{s}"] = part.lines
    for s, step in enumerate(first_rows(work, plan, job, region, config)):
        fields |= {f"row_address{s}": wrap(step.address), f"row_x{s}": step.x, f"row_y{s}": step.y}
    for n in range(LOOPS):
        count, steps = loops[n] if n < len(loops) else (1, ())
        fields[f"loop{n}_count"] = count
        for s, step in enumerate(steps):
            fields |= {f"loop{n}_y{s}": step.y, f"loop{n}_x{s}": step.x, f"loop{n}_address{s}": wrap(step.address)}
    return fields
