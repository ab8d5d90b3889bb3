"""Emits the commands of a product of two feature maps."""

from __future__ import annotations

from ...hw.arch.config import HardwareConfig
from ..emit import RESETS, Constants, Emitter
from ..loops import Step, position_fields
from ..schedule.writes import Part
from .work import ProductWork, product_loops


def emit_product(emitter: Emitter, work: ProductWork, constants: Constants) -> None:
    """Append all commands of a layer that is a product.

    The integers of the operand are read as weights. So what wrote them must have ended, for which a BARRIER stands in
    front, as in front of a load of what a RUN wrote.
    """
    config, f = emitter.config, work.feature
    heads_of_block = f.block_channels // work.head_channels
    segment_first = emitter.load_segments(constants)
    words, regions = work.block_words(config), work.regions(config)
    if emitter.written(work.operand):
        emitter.barrier()
    number = int(regions == 2 and emitter.uses(range(config.feature_words // 2)))
    for image in range(f.images):
        for block in range(f.blocks):
            region = config.feature_words // 2 * (number % regions)
            number += 1
            emitter.make_room(range(region, region + words), (Part.whole(f),))
            at = f.address + image * f.image_bytes + block * f.block_bytes
            emitter.chunks(at, f.block_bytes, 1, 0, region, 0)
            first = block * heads_of_block
            for head in range(first, min(first + heads_of_block, work.product.heads)):
                for timestep in range(f.timesteps // work.timesteps):
                    _run(emitter, work, constants, segment_first, region, image, head, timestep)


def _run(
    emitter: Emitter,
    work: ProductWork,
    constants: Constants,
    segment_first: int,
    region: int,
    image: int,
    head: int,
    timestep: int,
) -> None:
    """Append a RUN, and the load of its parameters where they are others than before."""
    c, f, operand = emitter.config, work.feature, work.operand
    groups = -(-work.block_channels // c.neuron_lanes)
    emitter.load_parameters(constants.parameters[0 if work.over_tokens else head], groups)
    at = operand.address + image * operand.image_bytes
    if work.over_tokens:
        at += head * operand.block_bytes + timestep * operand.timestep_bytes
    else:
        at += head * operand.row_bytes
    x = head * work.head_channels % f.block_channels
    place = region if f.repeat else region + timestep * f.planes * work.line_words(c)
    fields = position_fields(product_loops(work, c), [Step(x=x, address=place)], work.layer.name)
    fields |= {"line_bits0": f.line_bits, "lines0": 1}
    fields |= _layer_fields(work, groups) | _tile_fields(work, c) | _output_fields(work, c, image, head, timestep)
    fields |= {"weights": at, "weight_beats": operand.line_bytes * 8 // c.bus_bits, "segment_first": segment_first}
    segments = range(segment_first, segment_first + constants.segment_count)
    emitter.run(fields, range(region, region + work.block_words(c)), segments, Part.whole(work.output))


def _layer_fields(work: ProductWork, groups: int) -> dict[str, int]:
    neuron = work.layer.neuron
    return {
        "readout": int(not neuron.fires),
        "reset": RESETS[neuron.reset],
        "weigh": int(work.layer.encoding == "bitplane"),
        "planes": work.planes,
        "levels": neuron.levels,
        "groups": groups,
        "timesteps": work.timesteps,
    }


def _tile_fields(work: ProductWork, config: HardwareConfig) -> dict[str, int]:
    per_tile = config.tile_m // work.rows_per_position
    m_tiles = -(-work.positions // per_tile)
    return {
        "k_tiles": work.k_tiles,
        "tile_depth": work.tile_depth,
        "whole_tiles": work.whole_tiles,
        "m_tiles": m_tiles,
        "rows": min(per_tile, work.positions) * work.rows_per_position,
        "rows_last": (work.positions - (m_tiles - 1) * per_tile) * work.rows_per_position,
        "weights_keep": int(work.k_tiles <= config.weight_tiles),
    }


def _output_fields(work: ProductWork, config: HardwareConfig, image: int, head: int, timestep: int) -> dict[str, int]:
    f = work.output
    at = f.address + image * f.image_bytes
    fields = {"channels": work.block_channels, "image_stride": f.image_bytes, "images": 1, "pool": 1}
    if work.over_tokens:
        fields |= {"out_width": f.width, "out_lines": 1}
        at += head * (f.row_bytes or f.lines_per_row * f.line_bytes)
    else:
        fields |= {"out_width": f.width, "out_lines": f.height}
        at += head * f.block_bytes
    fields["line_bytes"] = f.line_bytes
    if f.int_bytes:
        at += timestep * f.timestep_bytes
        fields |= {
            "int_bytes": f.int_bytes,
            "int_groups": -(-f.block_channels // config.neuron_lanes),
            "int_t": f.timestep_bytes,
            "int_y": f.row_bytes,
        }
    else:
        at += timestep * f.planes * f.line_bytes
        fields |= {"out_planes": f.planes, "out_thermometer": int(f.encoding == "thermometer")}
    return fields | {"output": at}
