"""Compiles networks for a configuration into a memory image; docs/memory-map.md describes the image."""

from __future__ import annotations

from collections.abc import Sequence
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
from .joined import JoinedImage
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


class _Compiler:
    """Compiles one network of a program.

    Parameters
    ----------
    network, config, images : as for :func:`compile_network`
    prefix : stands before the keys of the input's maps, so that those of several networks differ
    """

    def __init__(self, network: Network, config: HardwareConfig, images: int, prefix: str = "") -> None:
        check_widths(network, config)
        self.network, self.config, self.images, self.prefix = network, config, images, prefix
        self.kinds = variants(network)
        self.features = {
            self._key(name, encoding): new_feature(network, name, encoding, planes, images, config)
            for name, kinds in self.kinds.items()
            for encoding, planes in kinds.items()
        }
        self.features = {k: f for k, f in self.features.items() if f.name == "input"} | self.features

    def _key(self, name: str, encoding: str) -> str:
        """Return the key of a feature in one encoding: its name, to which the second encoding adds its own."""
        key = self.prefix + name if name == "input" else name
        return key if encoding == next(iter(self.kinds[name])) else f"{key}/{encoding}"

    def works(self) -> list[tuple[Work, tuple[str, ...], str]]:
        """Return every layer once for each variant of its output, with the keys of what it reads and of what it writes.

        They are in the order of the program.
        """
        found = []
        for layer in self.network.layers:
            planes = layer_planes(self.network, layer)
            names = [s.feature for s in layer.sources]
            keys = tuple(self._key(n, encoding_of(self.network, layer, n)) for n in names)
            inputs = tuple(lower_source(s, self.features[k]) for s, k in zip(layer.sources, keys, strict=True))
            for out in self.kinds[layer.name]:
                output = self._key(layer.name, out)
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


def _emit(
    config: HardwareConfig, parts: Sequence[Sequence[_Step]], features: dict[str, FeatureMap]
) -> tuple[bytes, list[tuple[LayerEntry, ...]]]:
    """Return the program of networks one after the other, and the layers of each.

    A network follows the one before it as a layer follows the layer that it reads: it loads its input behind a BARRIER,
    and what else can be loaded ahead of it.

    Parameters
    ----------
    parts : the layers of each network
    features : all feature maps, which lie where they say
    """
    emitter, found = Emitter(config), list[tuple[LayerEntry, ...]]()
    for steps in parts:
        entries = []
        if found:
            read = (features[key] for step in steps for key in step.keys)
            emitter.wait_for(f for f in read if f.name == "input")
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
        found.append(tuple(entries))
    return emitter.bytes(), found


def _compile(compilers: Sequence[_Compiler], base: int, keep_features: bool) -> list[MemoryImage]:
    """Compile networks into one program, and return an image for each, in which only maps and layers are its own."""
    config, images = compilers[0].config, compilers[0].images
    builder = Builder(base)
    parts = [compiler.steps(builder) for compiler in compilers]
    unplaced = {key: f for compiler in compilers for key, f in compiler.features.items()}
    # Feature maps are placed behind the program, whose size does not depend on their addresses: a first emission, in
    # which every map has some address of its own, tells it.
    size = len(_emit(config, parts, {key: f.at(n << 40) for n, (key, f) in enumerate(unplaced.items())})[0])
    # The program begins on a page because reads are cut at multiples of a burst, and a command that lies in two of them
    # would be waited for twice.
    program = builder.add("program", "program", bytes(size), to=PAGE)
    reads = [(step.keys, step.output) for steps in parts for step in steps]
    features, end = place_features(unplaced, reads, builder.end, keep_features)
    if end > 1 << ADDRESS_BITS:
        raise CompileError(
            f"the memory's end must be at most 2**{ADDRESS_BITS}, not {end:#x}: the memory port has {ADDRESS_BITS} bits"
        )
    data, entries = _emit(config, parts, features)
    assert len(data) == size and size % COMMAND_BYTES == 0
    builder.put(program, data)
    maps = [Region(name=k, kind="feature", address=f.address, bytes=f.bytes) for k, f in features.items()]
    maps = [replace(r, kind="input") if features[r.name].name == "input" else r for r in maps]
    constants = builder.data()
    found = [
        MemoryImage(
            config=config,
            network=compiler.network.name,
            images=images,
            input_mode=compiler.network.input_mode,
            base=base,
            size=end - base,
            data=constants,
            program=program,
            features={key: features[key] for key in compiler.features},
            layers=layers,
            regions=(*builder.regions, *maps),
        )
        for compiler, layers in zip(compilers, entries, strict=True)
    ]
    check_commands(found[0].commands(), config)
    return found


def _check_arguments(images: int, base: int) -> None:
    if not isinstance(images, int) or images < 1:
        raise RepriseError(f"images must be an integer of at least 1, not {images!r}")
    check_base(base, 0)


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
    _check_arguments(images, base)
    return _compile([_Compiler(network, config, images)], base, keep_features)[0]


def compile_networks(
    networks: Sequence[Network], config: HardwareConfig, images: int = 1, *, base: int = 0, keep_features: bool = False
) -> JoinedImage:
    """Compile several networks into one program, which runs one after the other, each on an input of its own.

    Parameters
    ----------
    networks : Sequence[Network]
        At least one. No two have the same name, and no two of their layers.
    config, images, base, keep_features :
        As for :func:`compile_network`; every network has a batch of ``images`` images.

    Returns
    -------
    JoinedImage
        Its feature maps have the keys that those of each network have, but a network's input is called ``NAME/input``.

    Raises
    ------
    CompileError, ValueError
        As for :func:`compile_network`, or two names are the same.
    """
    _check_arguments(images, base)
    for what, names in (
        ("networks", [network.name for network in networks]),
        ("layers", [layer.name for network in networks for layer in network.layers]),
    ):
        if not names or len(set(names)) < len(names):
            raise RepriseError(field=what, rule="at least one, and all of different names", value=names)
    compilers = [_Compiler(network, config, images, f"{network.name}/") for network in networks]
    return JoinedImage.of(_compile(compilers, base, keep_features))
