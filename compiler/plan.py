"""Cuts a layer into jobs whose input fits the on-chip feature buffer.

A job computes some pooled output lines (and columns) of some images, for all output channels. With two regions the jobs
alternate between the halves of the buffer, so that the input of the next job is loaded while this one computes. With
one region they all use the whole buffer and wait for each other. Of all cuts that fit, the one with the least estimated
time is taken: weights are fetched for every m tile, so that m tiles that are not full and many small jobs cost bus
words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.program import LOOPS
from ..model.network.layer import Layer
from .errors import CompileError
from .lower import Input, Pitch, depth_tiles

JOB_CYCLES = 100  # estimated cost of a job beside its transfers: its commands, and filling and draining the pipeline
WAIT_CYCLES = 100  # estimated cost of a load that nothing overlaps, beside its transfer: the memory's latency
UNPACKED = 2  # on-chip words that the loader writes in a cycle
FIELD = 1 << 16  # a command's counters of m tiles and on-chip words have 16 bits
MOST_LINE_BITS = 1 << 15  # of a line on chip, because a row's first bit is a signed number of 16 bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A layer as hardware runs it to write one variant of its feature.

    Members
    -------
    layer : Layer
    inputs : its sources
    output : the feature map that it writes
    planes : P, the planes of its rows
    tile_depth : bits of a row in a K tile
    whole_tiles : K tiles of a RUN whose weights are fetched before its rows are known
    block_channels : output channels of a block that is computed by RUNs of its own. It is a block of the output, or
        several where that is an integer map of small blocks.
    addend : the integer map that is added to the sums, or None
    """

    layer: Layer
    inputs: tuple[Input, ...]
    output: FeatureMap
    planes: int
    tile_depth: int
    whole_tiles: int
    block_channels: int
    addend: FeatureMap | None = None

    @property
    def blocks(self) -> int:
        """Number of blocks of output channels, each with RUNs of its own."""
        return -(-self.output.channels // self.block_channels)

    def channels_of(self, block: int) -> int:
        """Return how many channels the RUNs of a block write: those of whole blocks of the map."""
        f = self.output
        return min(self.block_channels, f.blocks * f.block_channels - block * self.block_channels)

    @property
    def pool(self) -> int:
        """Kernel and stride of the max pool, 1 if there is none."""
        return self.layer.pool.kernel if self.layer.pool else 1

    @property
    def rows_per_position(self) -> int:
        """Rows that an output position has: T * P."""
        return self.output.timesteps * self.planes


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
    """

    image: int
    images: int
    line: int
    lines: int
    column: int
    columns: int
    slices: tuple[Slice, ...]


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


@dataclass(frozen=True)
class _Cut:
    """The largest numbers of images, pooled output lines and columns that a job has, and the number of regions."""

    images: int
    lines: int
    columns: int
    regions: int


def _span(outputs: int, pool: int, stride: int, kernel: int, size: int) -> int:
    """Return how many input lines (or columns) the given number of consecutive pooled outputs can need at most."""
    return min(size, (outputs * pool - 1) * stride + kernel)


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
                bits = _span(cut.columns, self.work.pool, i.stride, i.kernel[1], f.width) * f.block_channels
                bus = min(bus, (bits + self.config.bus_bits - 2) // self.config.bus_bits + 1)
            lines = f.height
            if i.part or cut.lines < self.work.output.height:
                lines = _span(cut.lines, self.work.pool, i.row_stride, i.kernel[0], f.height)
            line = bus * self.bus_words
            pitches.append(Pitch(line=line, block=line * lines * f.lines_per_row))
            starts.append(total)
            total += cut.images * i.blocks * pitches[-1].block
        return tuple(pitches), tuple(starts), total

    def _slice(self, i: Input, job: _Cut, line: int, lines: int, column: int, columns: int) -> Slice:
        f, pool = i.feature, self.work.pool
        top, bottom = 0, f.height
        if i.part or job.lines < self.work.output.height:
            first = line * pool * i.row_stride - i.row_padding
            top, bottom = max(0, first), min(f.height, first + (lines * pool - 1) * i.row_stride + i.kernel[0])
        left, right = 0, f.width
        if job.columns < self.work.output.width:
            first = column * pool * i.stride - i.padding
            left, right = max(0, first), min(f.width, first + (columns * pool - 1) * i.stride + i.kernel[1])
        begin = left * f.block_channels // self.config.bus_bits
        end = -(-right * f.block_channels // self.config.bus_bits)
        return Slice(top=top, lines=bottom - top, first=begin, words=end - begin)

    def _jobs(self, cut: _Cut) -> Iterator[Job]:
        out = self.work.output
        for image in range(0, out.images, cut.images):
            for column in range(0, out.width, cut.columns):
                for line in range(0, out.height, cut.lines):
                    lines, columns = min(cut.lines, out.height - line), min(cut.columns, out.width - column)
                    slices = tuple(self._slice(i, cut, line, lines, column, columns) for i in self.work.inputs)
                    yield Job(
                        image=image,
                        images=min(cut.images, out.images - image),
                        line=line,
                        lines=lines,
                        column=column,
                        columns=columns,
                        slices=slices,
                    )

    def _fits(self, cut: _Cut) -> bool:
        pitches, _, words = self._layout(cut)
        positions = cut.images * cut.lines * cut.columns * self.work.pool**2
        m_tiles = -(-positions // (self.config.tile_m // self.work.rows_per_position))
        line_bits = max((pitch.line for pitch in pitches), default=0) * self.config.feature_bits
        counters = m_tiles < FIELD and words < FIELD and line_bits <= MOST_LINE_BITS and self._loops(cut) <= LOOPS
        return counters and words <= self.config.feature_words // cut.regions

    def _loops(self, cut: _Cut) -> int:
        """Return how many loops the rows of a job need at most; see reprise.compiler.loops."""
        work, pool = self.work, self.work.pool
        even = all(not i.feature.repeat and i.feature.planes == work.planes for i in work.inputs)
        first = (work.rows_per_position,) if even else (work.planes, work.output.timesteps)
        return sum(n > 1 for n in (*first, pool, pool, cut.columns, cut.lines, cut.images))

    def _cost(self, cut: _Cut) -> float:
        """Estimate the cycles of a layer.

        They are those of the bus or of the adders, whichever take longer, and those of the loads beside which nothing
        runs: the load of the first job or, without a second region, of all jobs.
        """
        work, c, out = self.work, self.config, self.work.output
        jobs = -(-out.images // cut.images) * -(-out.height // cut.lines) * -(-out.width // cut.columns)
        positions = cut.images * cut.lines * cut.columns * work.pool**2
        m_tiles = jobs * -(-positions // (c.tile_m // work.rows_per_position))
        beats = -(-work.block_channels * 8 // c.bus_bits) * work.tile_depth * self.k_tiles * work.blocks
        keep = self.k_tiles <= c.weight_tiles
        weights = beats * ((1 if work.blocks == 1 else jobs) if keep else m_tiles)
        loads = jobs * self._layout(cut)[2] // min(self.bus_words, UNPACKED)
        adders = m_tiles * self.k_tiles * work.blocks * c.tile_m / 2
        exposed = loads + jobs * WAIT_CYCLES if cut.regions == 1 else loads / jobs
        return max(weights + loads, adders) + exposed + jobs * (JOB_CYCLES + c.tile_m)

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

    def plan(self) -> Plan:
        """Return the jobs of the cheapest cut that fits.

        Raises
        ------
        CompileError
            Not even one pooled output line of one image fits when it is cut into columns.
        """
        cuts = [cut for cut in self._cuts() if self._fits(cut)]
        if not cuts:
            cuts = [cut for cut in self._column_cuts() if self._fits(cut)]
        if not cuts:
            words = self._layout(_Cut(1, 1, self.work.output.width, 1))[2]
            raise CompileError(
                f"layer {self.work.layer.name!r}: the input of one output line must be at most feature_words="
                f"{self.config.feature_words} on-chip words (a line {MOST_LINE_BITS} bits), not {words}, and cutting"
                " it into columns did not help: use a configuration with more feature_words, or with addend_groups, by"
                " which a layer without a pool is computed in parts, or fewer channels, planes or timesteps"
            )
        best = min(cuts, key=self._cost)
        pitches, starts, words = self._layout(best)
        return Plan(jobs=tuple(self._jobs(best)), regions=best.regions, pitches=pitches, starts=starts, words=words)
