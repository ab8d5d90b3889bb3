"""Compiles a network for a configuration into a memory image; docs/memory-map.md describes the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.memory_image import LayerEntry, MemoryImage, Region
from ..hw.arch.program import ADDRESS_BITS, COMMAND_BYTES
from ..hw.arch.relocation import check_base
from ..model.network.network import Network
from ..support.errors import RepriseError
from .checks import check_commands, check_layer, check_widths
from .emit import Constants, Emitter
from .errors import CompileError, limit
from .lower import (
    depth_tiles,
    encoding_of,
    layer_planes,
    lower_source,
    new_feature,
    parameter_bytes,
    segment_bytes,
    segments,
    tile_weights,
    variants,
    weight_bytes,
)
from .place import PAGE, Builder, place_features
from .plan import Plan, Planner, Work


@dataclass(frozen=True, kw_only=True, eq=False)
class _Step:
    """A layer as it writes one variant of its feature, with the keys of the features that it reads and writes."""

    work: Work
    keys: tuple[str, ...]
    output: str
    plan: Plan
    constants: Constants
    k_tiles: int

    def placed(self, features: dict[str, FeatureMap]) -> Work:
        """Return the same work on feature maps that have addresses."""
        inputs = tuple(replace(i, feature=features[k]) for i, k in zip(self.work.inputs, self.keys, strict=True))
        return replace(self.work, inputs=inputs, output=features[self.output])


def _key(name: str, encoding: str, kinds: dict[str, int]) -> str:
    """Return the key of a feature in one encoding: its name, to which the second encoding adds its own."""
    return name if encoding == next(iter(kinds)) else f"{name}/{encoding}"


class _Compiler:
    def __init__(self, network: Network, config: HardwareConfig, images: int) -> None:
        self.network, self.config, self.images = network, config, images
        self.kinds = variants(network)
        self.features = {
            _key(name, encoding, kinds): new_feature(network, name, encoding, planes, images, config)
            for name, kinds in self.kinds.items()
            for encoding, planes in kinds.items()
        }
        self.features = {k: f for k, f in self.features.items() if f.name == "input"} | self.features

    def works(self) -> list[tuple[Work, tuple[str, ...], str]]:
        """Return every layer once for each variant of its output, with the keys of what it reads and of what it writes.

        They are in the order of the program.
        """
        found = []
        for layer in self.network.layers:
            planes = layer_planes(self.network, layer)
            names = [s.feature for s in layer.sources]
            keys = tuple(_key(n, encoding_of(self.network, layer, n), self.kinds[n]) for n in names)
            inputs = tuple(lower_source(s, self.features[k]) for s, k in zip(layer.sources, keys, strict=True))
            for out in self.kinds[layer.name]:
                output = _key(layer.name, out, self.kinds[layer.name])
                work = Work(layer=layer, inputs=inputs, output=self.features[output], planes=planes)
                found.append((work, keys, output))
        return found

    def constants(self, builder: Builder, work: Work, plan: Plan) -> Constants:
        """Put a layer's weights, parameters and segments into the memory; all variants of the layer share them."""
        name, out, c = work.layer.name, work.output, self.config
        row_bytes = -(-out.block_channels * 8 // c.bus_bits) * c.bus_bits // 8
        weights = tile_weights(work.inputs, c.tile_k)
        channels = -(-out.block_channels // c.neuron_lanes) * c.neuron_lanes
        weight_at, parameter_at = [], []
        for block in range(out.blocks):
            first = block * out.block_channels
            count = min(out.block_channels, out.channels - first)
            data = weight_bytes(weights, first, count, row_bytes)
            weight_at.append(builder.add(f"{name}/{block}", "weights", data))
            data = parameter_bytes(work.layer, first, count, channels)
            parameter_at.append(builder.add(f"{name}/{block}", "parameters", data))
        entries = segments(work.inputs, plan.pitches, c.tile_k)
        remedy = "use a configuration with more segments, or a larger tile_k"
        limit(len(entries) <= c.segments, name, "im2col segments", len(entries), c.segments, remedy)
        segment_at = builder.add(name, "segments", segment_bytes(entries))
        return Constants(
            weights=tuple(weight_at),
            parameters=tuple(parameter_at),
            segments=segment_at,
            segment_count=len(entries),
        )

    def steps(self, builder: Builder) -> list[_Step]:
        """Check and plan every layer, and put its constants into the memory."""
        done: dict[str, Constants] = {}
        found = []
        for work, keys, output in self.works():
            check_layer(work, self.config)
            plan = Planner(work, self.config).plan()
            name = work.layer.name
            if name not in done:
                done[name] = self.constants(builder, work, plan)
            k_tiles = depth_tiles(work.inputs, self.config.tile_k)
            found.append(_Step(work=work, keys=keys, output=output, plan=plan, constants=done[name], k_tiles=k_tiles))
        return found

    def emit(self, steps: list[_Step], features: dict[str, FeatureMap]) -> tuple[bytes, tuple[LayerEntry, ...]]:
        """Return the program and its layers, for feature maps that lie where ``features`` says."""
        emitter, entries = Emitter(self.config), []
        for step in steps:
            first = len(emitter.commands)
            emitter.layer(step.placed(features), step.plan, step.constants, step.k_tiles)
            entries.append(
                LayerEntry(
                    name=step.work.layer.name,
                    feature=step.output,
                    first=first,
                    last=len(emitter.commands),
                    k_tiles=step.k_tiles,
                    blocks=step.work.output.blocks,
                    jobs=len(step.plan.jobs),
                    planes=step.work.planes,
                )
            )
        return emitter.bytes(), tuple(entries)


def compile_network(
    network: Network, config: HardwareConfig, images: int = 1, *, base: int = 0, keep_features: bool = False
) -> MemoryImage:
    """Compile a network for a configuration and a batch.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
    images : int
        How many images a batch has, at least 1. All of them are run by one start of the accelerator.
    base : int
        The first byte address of the accelerator's memory, a multiple of 4096.
    keep_features : bool
        Keep the memory of every feature map, so that all of them can be read afterwards. Otherwise memory is used again
        as soon as the last reader of a map has run.

    Returns
    -------
    MemoryImage

    Raises
    ------
    CompileError
        The configuration cannot run the network; the message names the layer, the limit, the value and the remedy.
    ValueError
        ``images`` or ``base`` breaks its rule.
    """
    if not isinstance(images, int) or images < 1:
        raise RepriseError(f"images must be an integer of at least 1, not {images!r}")
    check_base(base, 0)
    check_widths(network, config)
    compiler = _Compiler(network, config, images)
    builder = Builder(base)
    steps = compiler.steps(builder)
    # Feature maps are placed behind the program, whose size does not depend on their addresses: a first emission, in
    # which every map has some address of its own, tells it.
    unplaced = {key: f.at(n << 40) for n, (key, f) in enumerate(compiler.features.items())}
    size = len(compiler.emit(steps, unplaced)[0])
    # The program begins on a page because reads are cut at multiples of a burst, and a command that lies in two of them
    # would be waited for twice.
    program = builder.add("program", "program", bytes(size), to=PAGE)
    reads = [(step.keys, step.output) for step in steps]
    features, end = place_features(compiler.features, reads, builder.end, keep_features)
    if end > 1 << ADDRESS_BITS:
        raise CompileError(
            f"the memory's end must be at most 2**{ADDRESS_BITS}, not {end:#x}: the memory port has {ADDRESS_BITS} bits"
        )
    data, entries = compiler.emit(steps, features)
    assert len(data) == size and size % COMMAND_BYTES == 0
    builder.put(program, data)
    maps = [Region(name=k, kind="feature", address=f.address, bytes=f.bytes) for k, f in features.items()]
    maps = [replace(r, kind="input") if features[r.name].name == "input" else r for r in maps]
    image = MemoryImage(
        config=config,
        network=network.name,
        images=images,
        input_mode=network.input_mode,
        base=base,
        size=end - base,
        data=builder.data(),
        program=program,
        features=features,
        layers=entries,
        regions=(*builder.regions, *maps),
    )
    check_commands(image.commands(), config)
    return image
