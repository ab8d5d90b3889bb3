"""Cuts a layer into jobs whose input fits the on-chip feature buffer.

A job computes some pooled output lines (and columns) of some images, for all output channels. With two regions the jobs
alternate between the halves of the buffer, so that the input of the next job is loaded while this one computes. With
one region they all use the whole buffer and wait for each other. Of all cuts that fit, the one with the least estimated
time is taken: every m tile fetches its weights, so that small jobs and m tiles that are not full cost bus words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..hw.arch.config import HardwareConfig
from ..hw.arch.program import LOOPS
from .errors import CompileError
from .lower import Pitch, depth_tiles
from .rows.inputs import Input
from .work import Work

JOB_CYCLES = 60  # estimated cost of a job beside its transfers and the drain of its last m tile
WAIT_CYCLES = 100  # estimated cost of a load that nothing overlaps, beside its transfer: the memory's latency
UNPACKED = 2  # on-chip words that the loader writes in a cycle
FIELD = 1 << 16  # a command's counters of m tiles and on-chip words have 16 bits
MOST_LINE_BITS = 1 << 15  # of a line on chip, because a row's first bit is a signed number of 16 bits


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What a job needs of a source: the image rows ``top .. top+lines-1``, and of each line some bus words.

    These are the words ``first .. first+words-1``.
    """

    top: int
    lines: int
    first: int
    words: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """Some pooled output lines and columns of some images, and what they need of the inputs.

    ``image``, ``line`` and ``column`` are the first ones, and ``images``, ``lines`` and ``columns`` say how many.
    ``ys`` and ``xs`` are the lines and columns that are computed for them, before a pool.
    """

    image: int
    images: int
    line: int
    lines: int
    column: int
    columns: int
    ys: range
    xs: range
    slices: tuple[Slice, ...]

    @property
    def positions(self) -> int:
        """How many positions are computed."""
        return self.images * len(self.ys) * len(self.xs)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The jobs of a layer, and the on-chip layout that they share.

    On chip the lines follow each other as ``[source][image][block][y][q]``.

    Members
    -------
    jobs : in the order in which they run
    regions : 2 if jobs alternate between the halves of the feature buffer, else 1
    pitches : words from line to line and from block to block, of each source
    starts : first word of each source in a region
    words : words of a region
    """

    jobs: tuple[Job, ...]
    regions: int
    pitches: tuple[Pitch, ...]
    starts: tuple[int, ...]
    words: int

    def turns(self, work: Work) -> Iterator[tuple[Job, range]]:
        """Return the jobs in the order in which they run, each with the blocks of output channels that it computes.

        A job computes all of them, so that its input is loaded once. Where jobs go on below others, those of a block
        follow each other, because a pool keeps a line of one block.
        """
        apart = work.goes_on and any(job.line > 0 for job in self.jobs)
        turns = [range(n, n + 1) for n in range(work.blocks)] if apart else [range(work.blocks)]
        return ((job, blocks) for blocks in turns for job in self.jobs)


@dataclass(frozen=True)
class _Cut:
    """The largest numbers of images, pooled output lines and columns that a job has, and the number of regions."""

    images: int
    lines: int
    columns: int
    regions: int


def _span(positions: int, stride: int, kernel: int, size: int) -> int:
    """Return how many input lines (or columns) the given number of consecutive positions can need at most."""
    return min(size, (positions - 1) * stride + kernel)


class Planner:
    """Finds the cut of one layer, as this module describes it.

    Parameters
    ----------
    work : Work
    config : HardwareConfig
    """

    def __init__(self, work: Work, config: HardwareConfig) -> None:
        self.work, self.config = work, config
        self.bus_words = config.bus_bits // config.feature_bits  # on-chip words of a bus word
        self.k_tiles = depth_tiles(work.inputs, work.tile_depth)

    def _layout(self, cut: _Cut) -> tuple[tuple[Pitch, ...], tuple[int, ...], int]:
        """Return the pitches and the first words of the sources, and the words of a region."""
        pitches, starts, total = [], [], 0
        for i in self.work.inputs:
            f = i.feature
            bus = f.line_bytes // f.bus_bytes
            if cut.columns < self.work.output.width:
                bits = _span(self.work.most_columns(cut.columns), i.stride, i.kernel[1], f.width) * f.block_channels
                bus = min(bus, (bits + self.config.bus_bits - 2) // self.config.bus_bits + 1)
            lines = f.height
            if i.part or cut.lines < self.work.output.height:
                lines = _span(self.work.most_lines(cut.lines), i.row_stride, i.lines, f.height)
            line = bus * self.bus_words
            pitches.append(Pitch(line=line, block=line * lines * f.lines_per_row))
            starts.append(total)
            total += cut.images * i.blocks * pitches[-1].block
        return tuple(pitches), tuple(starts), total

    def _slice(self, i: Input, job: _Cut, ys: range, xs: range) -> Slice:
        f = i.feature
        top, bottom = 0, f.height
        if i.part or job.lines < self.work.output.height:
            first, last = (y * i.row_stride - i.row_padding for y in (ys[0], ys[-1]))
            top, bottom = max(0, first), min(f.height, last + i.lines)
        left, right = 0, f.width
        if job.columns < self.work.output.width:
            first, last = (x * i.stride - i.padding for x in (xs[0], xs[-1]))
            left, right = max(0, first), min(f.width, last + i.kernel[1])
        begin = left * f.block_channels // self.config.bus_bits
        end = -(-right * f.block_channels // self.config.bus_bits)
        return Slice(top=top, lines=bottom - top, first=begin, words=end - begin)

    def _jobs(self, cut: _Cut) -> Iterator[Job]:
        out = self.work.output
        for image in range(0, out.images, cut.images):
            for column in range(0, out.width, cut.columns):
                for line in range(0, out.height, cut.lines):
                    lines, columns = min(cut.lines, out.height - line), min(cut.columns, out.width - column)
                    ys = self.work.lines(range(line, line + lines))
                    xs = self.work.columns(range(column, column + columns))
                    yield Job(
                        image=image,
                        images=min(cut.images, out.images - image),
                        line=line,
                        lines=lines,
                        column=column,
                        columns=columns,
                        ys=ys,
                        xs=xs,
                        slices=tuple(self._slice(i, cut, ys, xs) for i in self.work.inputs),
                    )

    def _positions(self, cut: _Cut) -> int:
        """Return how many positions a job computes at most."""
        return cut.images * self.work.most_lines(cut.lines) * self.work.most_columns(cut.columns)

    def _pool_line(self, cut: _Cut) -> int:
        """Return the words of a line that a pool with overlapping windows keeps."""
        work, pool = self.work, self.work.layer.pool
        if pool is None or not pool.overlaps:
            return 0
        return cut.columns * work.output.timesteps * -(-work.block_channels // self.config.neuron_lanes)

    def _fits(self, cut: _Cut) -> bool:
        return self._pool_line(cut) <= self.config.pool_words and self._loads(cut)

    def _loads(self, cut: _Cut) -> bool:
        """Return whether the input of a job fits on chip, and its rows the counters and loops."""
        pitches, _, words = self._layout(cut)
        positions = self._positions(cut)
        m_tiles = -(-positions // self.work.per_tile(self.config.tile_m))
        line_bits = max((pitch.line for pitch in pitches), default=0) * self.config.feature_bits
        counters = m_tiles < FIELD and words < FIELD and line_bits <= MOST_LINE_BITS and self._loops(cut) <= LOOPS
        return counters and words <= self.config.feature_words // cut.regions

    def _loops(self, cut: _Cut) -> int:
        """Return how many loops the rows of a job need at most; see reprise.compiler.loops."""
        work, side = self.work, self.work.side
        even = all(not i.feature.repeat and i.feature.planes == work.planes for i in work.inputs)
        first = (work.rows_per_position,) if even else (work.planes, work.output.timesteps)
        windows = (work.most_columns(cut.columns) // side, work.most_lines(cut.lines) // side)
        return sum(n > 1 for n in (*first, side, side, *windows, cut.images))

    def _passes(self, cut: _Cut) -> int:
        """Return how often a layer's input is loaded."""
        return self.work.blocks if self.work.goes_on and cut.lines < self.work.output.height else 1

    def _cost(self, cut: _Cut, full: bool = True) -> float:
        """Estimate the cycles of a layer, as if its m tiles were full, or with as many rows as they have.

        They are those of the bus or of the adders, whichever take longer, and those of the load and the drain beside
        which nothing runs: of one job or, without a second region, of all.
        """
        work, c, out = self.work, self.config, self.work.output
        jobs = -(-out.images // cut.images) * -(-out.height // cut.lines) * -(-out.width // cut.columns)
        m_tiles = jobs * -(-self._positions(cut) // work.per_tile(c.tile_m))
        beats = -(-work.block_channels * 8 // c.bus_bits) * work.tile_depth * self.k_tiles * work.blocks
        keep = self.k_tiles <= c.weight_tiles
        weights = beats * ((1 if work.blocks == 1 else jobs) if keep else m_tiles)
        loads = self._passes(cut) * jobs * self._layout(cut)[2] // min(self.bus_words, UNPACKED)
        rows = m_tiles * c.tile_m if full else jobs * self._positions(cut) * work.rows_per_position
        adders = rows * self.k_tiles * work.blocks / 2
        exposed = loads + jobs * (WAIT_CYCLES + c.tile_m) if cut.regions == 1 else loads / jobs + c.tile_m
        return max(weights + loads, adders) + exposed + jobs * JOB_CYCLES

    def _cuts(self) -> Iterator[_Cut]:
        """Yield the cuts that are worth a look; none of them cuts lines into columns."""
        out = self.work.output
        yield _Cut(out.images, out.height, out.width, 1)
        for regions in (2, 1):
            for groups in range(1, out.images + 1):
                images = -(-out.images // groups)
                if groups == 1 or images < -(-out.images // (groups - 1)):
                    yield _Cut(images, out.height, out.width, regions)
            for stripes in range(2, out.height + 1):
                lines = -(-out.height // stripes)
                if lines < -(-out.height // (stripes - 1)):
                    yield _Cut(1, lines, out.width, regions)

    def _column_cuts(self) -> Iterator[_Cut]:
        """Yield cuts of lines into columns, each of whose output begins on a bus word, as the writer demands."""
        out = self.work.output
        unit = self.config.bus_bits // math.gcd(self.config.bus_bits, out.block_channels)
        if out.int_bytes:
            unit = 1
        for regions in (2, 1):
            for lines in sorted({out.height, *(-(-out.height // n) for n in range(1, out.height + 1))}):
                for columns in range(unit, out.width, unit):
                    yield _Cut(1, lines, columns, regions)

    def fits(self) -> bool:
        """Return whether some cut fits."""
        return any(map(self._fits, self._cuts())) or any(map(self._fits, self._column_cuts()))

    def _fitting(self) -> list[_Cut]:
        """Return the cuts that fit; of those into columns, only if no other one does."""
        return [cut for cut in self._cuts() if self._fits(cut)] or list(filter(self._fits, self._column_cuts()))

    def least(self) -> float:
        """Return the estimated cycles of the cheapest cut that fits, or infinity if none does."""
        return min((self._cost(cut, full=False) for cut in self._fitting()), default=math.inf)

    def plan(self) -> Plan:
        """Return the jobs of the cheapest cut that fits.

        Raises
        ------
        CompileError
            Not even one pooled output line of one image fits when it is cut into columns.
        """
        cuts = self._fitting()
        if not cuts:
            raise self._refused()
        best = min(cuts, key=self._cost)
        pitches, starts, words = self._layout(best)
        return Plan(jobs=tuple(self._jobs(best)), regions=best.regions, pitches=pitches, starts=starts, words=words)

    def _refused(self) -> CompileError:
        """Return the error of a layer of which no cut fits."""
        name, c = self.work.layer.name, self.config
        lines = [self._pool_line(cut) for cut in (*self._cuts(), *self._column_cuts()) if self._loads(cut)]
        if lines:
            return CompileError(
                f"layer {name!r}: a line of its max pool, whose windows overlap, must be at most "
                f"pool_words={c.pool_words} words of neuron_lanes levels, not {min(lines)}: use a configuration with"
                " more pool_words, or fewer channels or timesteps"
            )
        words = self._layout(_Cut(1, 1, self.work.output.width, 1))[2]
        return CompileError(
            f"layer {name!r}: the input of one output line must be at most feature_words={c.feature_words} on-chip"
            f" words (a line {MOST_LINE_BITS} bits), not {words}, and cutting it into columns did not help: use a"
            " configuration with more feature_words, or with addend_groups, by which a layer without a pool is computed"
            " in parts, or fewer channels, planes or timesteps"
        )
