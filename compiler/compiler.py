"""Compiles networks for a configuration into a memory image; docs/memory-map.md describes the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.memory_image import LayerEntry, MemoryImage, Region
from ..hw.arch.program import ADDRESS_BITS, COMMAND_BYTES
from ..hw.arch.relocation import check_base
from ..model.network.network import Network
from ..model.prosparsity.modes import Mode
from ..support.errors import RepriseError
from .checks import check_commands
from .emit import Emitter
from .errors import CompileError
from .joined import JoinedImage
from .layers import NetworkCompiler, Step
from .place import PAGE, Builder, place_features
from .products.step import ProductStep


def _emit(
    config: HardwareConfig,
    parts: Sequence[Sequence[Step | ProductStep]],
    features: dict[str, FeatureMap],
    modes: Mapping[str, Mode],
    joined: Mapping[str, str],
) -> tuple[bytes, list[tuple[LayerEntry, ...]]]:
    """Return the program of networks one after the other, and the layers of each.

    A network follows the one before it as a layer follows the layer that it reads: it loads its input behind a BARRIER,
    and what else can be loaded ahead of it.

    Parameters
    ----------
    parts : the layers of each network
    features : all feature maps, which lie where they say
    modes : what each layer leaves out, by its name
    joined : the layers behind whose neurons joins are computed, by the join's name
    """
    emitter, found = Emitter(config), list[tuple[LayerEntry, ...]]()
    for steps in parts:
        entries = []
        if found:
            read = (features[key] for step in steps for key in step.keys)
            emitter.wait_for(f for f in read if f.name == "input")
        whole: list[Step | ProductStep] = []  # a layer, in all of its parts
        first = len(emitter.commands)
        for step in steps:
            emitter.mode = modes[step.work.layer.name]
            step.emit(emitter, features)
            whole.append(step)
            if isinstance(step, Step) and step.part:
                continue
            entries.append(
                LayerEntry(
                    name=joined.get(step.work.layer.name, step.work.layer.name),
                    feature=step.output,
                    first=first,
                    last=len(emitter.commands),
                    k_tiles=sum(part.k_tiles for part in whole),
                    blocks=step.blocks,
                    jobs=sum(part.jobs for part in whole),
                    planes=max(part.planes for part in whole),
                )
            )
            whole, first = [], len(emitter.commands)
        found.append(tuple(entries))
    return emitter.bytes(), found


def _compile(compilers: Sequence[NetworkCompiler], base: int, keep_features: bool) -> list[MemoryImage]:
    """Compile networks into one program, and return an image for each, in which only maps and layers are its own."""
    config, images = compilers[0].config, compilers[0].images
    builder = Builder(base)
    parts = [compiler.steps(builder) for compiler in compilers]
    unplaced = {key: f for compiler in compilers for key, f in compiler.features.items()}
    # Feature maps are placed behind the program, whose size does not depend on their addresses: a first emission, in
    # which every map has some address of its own, tells it.
    modes = {name: mode for compiler in compilers for name, mode in compiler.modes.items()}
    joined = {name: layer for compiler in compilers for name, layer in compiler.joined.items()}
    anywhere = {key: f.at(n * PAGE) for n, (key, f) in enumerate(unplaced.items())}
    size = len(_emit(config, parts, anywhere, modes, joined)[0])
    # The program begins on a page because reads are cut at multiples of a burst, and a command that lies in two of them
    # would be waited for twice.
    program = builder.add("program", "program", bytes(size), to=PAGE)
    reads = [(step.keys, step.output) for steps in parts for step in steps]
    features, end = place_features(unplaced, reads, builder.end, keep_features)
    if end > 1 << ADDRESS_BITS:
        raise CompileError(
            f"the memory's end must be at most 2**{ADDRESS_BITS}, not {end:#x}: the memory port has {ADDRESS_BITS} bits"
        )
    data, entries = _emit(config, parts, features, modes, joined)
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
    network: Network,
    config: HardwareConfig,
    images: int = 1,
    *,
    base: int = 0,
    keep_features: bool = False,
    tile_depths: Mapping[str, int] | None = None,
    whole_tiles: Mapping[str, int] | None = None,
    gather: bool = True,
    order: bool = True,
    mode: Mode | Mapping[str, Mode] = "product",
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
        as soon as the last reader of a map has run. A layer behind whose neurons a join is computed has no map of its
        own (:mod:`reprise.compiler.rows.joins`).
    tile_depths : dict
        How many bits of a row the K tiles of a layer have, at most ``config.tile_k``, by the layer's name. For other
        layers it is chosen by the network's calibration images (:mod:`reprise.compiler.depths`).
    whole_tiles : dict
        Of how many K tiles of each RUN all weights are fetched, at most 65535, by the layer's name; of later ones only
        the rows that are used. For other layers it is chosen likewise.
    gather : bool
        Let the host store the input gathered (:mod:`reprise.hw.arch.feature_map`), where that saves cycles.
    order : bool
        Let the channels of maps lie in an order of their own (:mod:`reprise.compiler.order`), where that saves cycles.
    mode : str or dict
        What the processor leaves out (:mod:`reprise.model.prosparsity.modes`), of all layers, or by the layer's name;
        others are "product". The result is the same. Others than "product" need a configuration with ``modes``.

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
    compiler = NetworkCompiler(
        network, config, images, tile_depths=tile_depths, whole_tiles=whole_tiles, gather=gather, order=order, mode=mode
    )
    return _compile([compiler], base, keep_features)[0]


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
    compilers = [NetworkCompiler(network, config, images, prefix=f"{network.name}/") for network in networks]
    return JoinedImage.of(_compile(compilers, base, keep_features))
