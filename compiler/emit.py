"""Emits the commands of a program in order, and lets loads wait wherever they could disturb a RUN.

The rule for that is stated in reprise.hw.arch.program under "Order".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.program import OVERLAPPING_POOL, Wait, pack
from ..model.prosparsity.modes import MODES, Mode
from .errors import CompileError
from .loops import loop_fields
from .plan import Job, Plan
from .rows.added import addend_fields, join_fields
from .schedule.writes import Part, Writes, meet
from .work import Work

RESETS = {"soft": 0, "hard": 1, "none": 2}


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Where the constants of a layer lie.

    Members
    -------
    weights, parameters : byte addresses, one for each block of output channels
    segments : byte address of the segment table
    segment_count : entries of that table
    offsets, k_tiles : for each block, its first entry of that table, and its K tiles
    """

    weights: tuple[int, ...]
    parameters: tuple[int, ...]
    segments: int
    segment_count: int
    offsets: tuple[int, ...] = ()
    k_tiles: tuple[int, ...] = ()


@dataclass
class Emitter:
    """Collects commands, and keeps track of what the last RUN uses and of what was written since the last BARRIER.

    Members
    -------
    mode : what RUNs leave out (:mod:`reprise.model.prosparsity.modes`)
    commands : (opcode, fields), which :meth:`bytes` packs
    """

    config: HardwareConfig
    mode: Mode = "product"
    commands: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    _words: range = range(0)  # on-chip words of the last RUN
    _segments: range = range(0)
    _writes: Writes = field(default_factory=Writes)
    _wait: Wait = Wait.NOTHING  # for what the next load of features waits
    _run: dict[str, int] | None = None
    _parameters: int | None = None

    def barrier(self) -> None:
        """Wait until all runs have ended and all writes are answered."""
        self.commands.append(("BARRIER", {}))
        self._words, self._segments, self._wait = range(0), range(0), Wait.NOTHING
        self._writes.barrier()

    def uses(self, words: range) -> bool:
        """Return whether the last RUN may still use some of these on-chip words."""
        return meet(self._words, words)

    def written(self, feature: FeatureMap) -> bool:
        """Return whether a RUN may still write a map of which the weights of the next RUN are read."""
        return self._writes.unanswered(Part.whole(feature))

    def make_room(self, words: range, parts: Iterable[Part]) -> None:
        """Let the next load wait until these parts may be read, and until it may fill these on-chip words."""
        self._wait = max(self._wait, Wait.ALL if self.uses(words) else self._writes.wait(parts))

    def load_segments(self, constants: Constants) -> int:
        """Emit the load of a layer's segments and return the first entry of the table that it fills.

        If half of the table is enough, it takes the half that the last RUN does not use, and the load need not wait.
        """
        half = self.config.segments // 2
        count = constants.segment_count
        target = half if count <= half and meet(self._segments, range(half)) else 0
        if meet(self._segments, range(target, target + count)):
            self.barrier()
        self.commands.append(("LOAD_SEGMENTS", {"source": constants.segments, "count": count, "target": target}))
        return target

    def _make_room_for(self, work: Work, plan: Plan, job: Job, region: int) -> None:
        """Let the loads of a job wait for what it reads."""
        images = range(job.image, job.image + job.images)
        parts = [
            Part(feature=i.feature, images=images, lines=range(part.top, part.top + part.lines))
            for i, part in zip(work.inputs, job.slices, strict=True)
        ]
        if work.addend:  # is read when the RUN has started, and that waits for its loads
            parts.append(Part(feature=work.addend, images=images, lines=range(job.line, job.line + job.lines)))
        if work.join:
            parts.append(Part(feature=work.join, images=images, lines=range(job.line, job.line + job.lines)))
        self.make_room(range(region, region + plan.words), parts)

    def _load_features(self, work: Work, plan: Plan, job: Job, region: int) -> None:
        for i, pitch, start, part in zip(work.inputs, plan.pitches, plan.starts, job.slices, strict=True):
            f = i.feature
            image_words = i.blocks * pitch.block
            base = f.address + job.image * f.image_bytes
            if part.words * f.bus_bytes == f.line_bytes and part.lines == f.height and not i.part:
                self.chunks(base, job.images * f.image_bytes, 1, 0, region + start, 0)
                continue
            for image in range(job.images):  # there is only one if lines or columns are cut
                at = base + image * f.image_bytes + i.first * f.block_bytes
                at += part.top * f.lines_per_row * f.line_bytes
                target = region + start + image * image_words
                if part.words * f.bus_bytes == f.line_bytes:
                    size = part.lines * f.lines_per_row * f.line_bytes
                    self.chunks(at, size, i.blocks, f.block_bytes, target, pitch.block)
                    continue
                for block in range(i.blocks):
                    source = at + block * f.block_bytes + part.first * f.bus_bytes
                    lines = part.lines * f.lines_per_row
                    size = part.words * f.bus_bytes
                    self.chunks(source, size, lines, f.line_bytes, target + block * pitch.block, pitch.line)
        if self._wait:  # there was no load
            self.barrier()

    def chunks(self, source: int, size: int, chunks: int, stride: int, target: int, target_stride: int) -> None:
        """Emit a load of some chunks of ``size`` bytes, which waits for what it must."""
        if chunks == 1:
            stride = target_stride = 0
        fields = {"source": source, "bytes": size, "chunks": chunks, "stride": stride, "wait": int(self._wait)}
        self.commands.append(("LOAD_FEATURES", fields | {"target": target, "target_stride": target_stride}))
        self._writes.waited(self._wait)
        if self._wait is Wait.ALL:
            self._words, self._segments = range(0), range(0)
        self._wait = Wait.NOTHING

    def load_parameters(self, address: int, groups: int) -> None:
        """Emit the load of the parameters of so many groups, unless it was the last one."""
        if self._parameters != address:
            self.commands.append(("LOAD_PARAMS", {"source": address, "groups": groups}))
            self._parameters = address

    def layer(self, work: Work, plan: Plan, constants: Constants) -> None:
        """Append all commands of a layer."""
        half = self.config.feature_words // 2
        regions = 2 if plan.words <= half else plan.regions  # a single job leaves the other half to others
        start = 1 if regions == 2 and self.uses(range(half)) else 0
        segment_first = self.load_segments(constants)
        segments = range(segment_first, segment_first + constants.segment_count)
        for number, (job, blocks) in enumerate(plan.turns(work)):
            region = half * ((start + number) % regions)
            self._make_room_for(work, plan, job, region)
            if self._wait is Wait.ALL:  # so that the RUN's weights are fetched meanwhile
                channels = work.channels_of(blocks[0])
                self.load_parameters(constants.parameters[blocks[0]], -(-channels // self.config.neuron_lanes))
            self._load_features(work, plan, job, region)
            place = loop_fields(work, plan, job, region, self.config)
            for block in blocks:
                groups = -(-work.channels_of(block) // self.config.neuron_lanes)
                self.load_parameters(constants.parameters[block], groups)
                fields = place | self._layer_fields(work, groups) | self._output_fields(work, job, block)
                fields |= self._tile_fields(work, job, constants.k_tiles[block])
                fields |= addend_fields(work, job, block, fields) | join_fields(work, job, block, fields)
                fields |= {
                    "weights": constants.weights[block],
                    "segment_first": segment_first + constants.offsets[block],
                }
                images, lines = range(job.image, job.image + job.images), range(job.line, job.line + job.lines)
                output = Part(feature=work.output, images=images, lines=lines)
                self.run(fields, range(region, region + plan.words), segments, output)

    def wait_for(self, maps: Iterable[FeatureMap]) -> None:
        """Load these maps only when all RUNs before have ended, as if the last one had written them."""
        for feature in maps:
            self._writes.wrote(Part.whole(feature))

    def run(self, fields: dict[str, int], words: range, segments: range, output: Part) -> None:
        """Emit a RUN of a layer that uses these on-chip words and segments, and writes a part of a map."""
        if self._run and fields["weights_keep"] and self._run["weights"] == fields["weights"]:
            self._run["weights_hold"] = fields["weights_ready"] = 1
        if self.mode != "product":
            fields["mode"] = MODES.index(self.mode)
        self.commands.append(("RUN", fields))
        self._run = fields
        self._words = words
        self._segments = segments
        self._writes.run(output)

    def _tile_fields(self, work: Work, job: Job, k_tiles: int) -> dict[str, int]:
        per_tile = work.per_tile(self.config.tile_m)
        m_tiles = -(-job.positions // per_tile)
        last = job.positions - (m_tiles - 1) * per_tile
        return {
            "k_tiles": k_tiles,
            "tile_depth": work.tile_depth,
            "whole_tiles": work.whole_tiles,
            "m_tiles": m_tiles,
            "rows": min(per_tile, job.positions) * work.rows_per_position,
            "rows_last": last * work.rows_per_position,
            "weight_beats": -(-work.block_channels * 8 // self.config.bus_bits),
            "weights_keep": int(k_tiles <= self.config.weight_tiles),
        }

    @staticmethod
    def _layer_fields(work: Work, groups: int) -> dict[str, int]:
        neuron = work.layer.neuron
        return {
            "readout": int(not neuron.fires),
            "reset": RESETS[neuron.reset],
            "weigh": int(work.layer.encoding == "bitplane" and work.fold == 1),
            "signed": int(any(i.feature.signed for i in work.inputs)),
            "planes": work.planes,
            "levels": neuron.levels,
            "groups": groups,
            "timesteps": work.output.timesteps,
        }

    def _output_fields(self, work: Work, job: Job, block: int) -> dict[str, int]:
        config = self.config
        f = work.output
        first = block * work.block_channels // f.block_channels  # block of the map
        at = f.address + job.image * f.image_bytes + first * f.block_bytes
        fields = {
            "channels": work.channels_of(block),
            "image_stride": f.image_bytes,
            "line_bytes": f.line_bytes,
            "out_width": job.columns,
            "out_lines": job.lines,
            "images": job.images,
            **self._pool_fields(work, job),
        }
        if f.int_bytes:
            return fields | {
                "output": at + job.line * f.row_bytes + job.column * f.line_bytes,
                "int_bytes": f.int_bytes,
                "int_groups": -(-f.block_channels // config.neuron_lanes),
                "int_t": f.timestep_bytes,
                "int_y": f.row_bytes,
                "int_block": f.block_bytes,
            }
        return fields | {
            "output": at + job.line * f.lines_per_row * f.line_bytes + job.column * f.block_channels // 8,
            "out_planes": f.planes,
            "out_thermometer": int(f.encoding == "thermometer"),
        }

    @staticmethod
    def _pool_fields(work: Work, job: Job) -> dict[str, int]:
        pool = work.layer.pool
        if pool is None or not pool.overlaps:
            return {"pool": pool.kernel if pool else 1}
        halo = int(job.column > 0)
        return {
            "pool": OVERLAPPING_POOL,
            "pool_halo_x": halo,
            "pool_odd_x": 2 * job.columns + halo - len(job.xs),
            "pool_odd_y": 2 * job.lines - len(job.ys),
            "pool_ready": int(job.line > 0),
            "pool_hold": int(job.line + job.lines < work.output.height),
        }

    def bytes(self) -> bytes:
        """Return the program, which END closes.

        Raises
        ------
        CompileError
            A field does not fit its bits.
        """
        try:
            return b"".join(pack(op, **fields) for op, fields in [*self.commands, ("END", {})])
        except ValueError as error:
            raise CompileError(f"{error}: use fewer channels, or cut the feature map, batch or kernel") from None
