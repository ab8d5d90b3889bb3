"""One network of a program: its feature maps, and each layer checked, planned and with its constants in the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..model.network.layer import Layer
from ..model.network.network import Network
from ..model.prosparsity.modes import Mode
from .checks import check_addends, check_blocks, check_layer, check_options, check_widths
from .depths import TileChoice, choose_tiles
from .emit import Constants, Emitter
from .errors import limit
from .lower import (
    INTEGERS,
    addend_kind,
    depth_tiles,
    encoding_of,
    layer_planes,
    new_feature,
    parameter_bytes,
    run_channels,
    segment_bytes,
    tile_weights,
    used_tiles,
    variants,
    weight_bytes,
)
from .order import in_order
from .place import Builder
from .plan import Plan, Planner
from .products.maps import tile_depth
from .products.step import ProductStep
from .products.work import ProductWork, product_depth
from .rows.gather import gathered
from .rows.inputs import lower_mask, lower_part, lower_source
from .rows.joins import joins_behind
from .rows.planes import lines_as_planes, with_lines
from .rows.pools import pools_apart
from .rows.segments import segments
from .rows.split import split
from .rows.static import sums_once
from .rows.worth import to_split
from .work import Work


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """A layer as it writes one variant of its feature, with the keys of the features that it reads and writes.

    A ``part`` of a layer has others behind it (:mod:`reprise.compiler.rows.split`).
    """

    work: Work
    keys: tuple[str, ...]
    output: str
    plan: Plan
    constants: Constants
    k_tiles: int
    part: bool = False

    @property
    def blocks(self) -> int:
        """Blocks of output channels."""
        return self.work.blocks

    @property
    def planes(self) -> int:
        """Planes of its input."""
        return self.work.planes // self.work.fold

    @property
    def jobs(self) -> int:
        """Pieces of work, each with a RUN for every block."""
        return len(self.plan.jobs)

    def emit(self, emitter: Emitter, features: dict[str, FeatureMap]) -> None:
        """Append the commands, for feature maps that have addresses."""
        emitter.layer(self.placed(features), self.plan, self.constants)

    def placed(self, features: dict[str, FeatureMap]) -> Work:
        """Return the same work on feature maps that have addresses."""
        work, maps = self.work, iter([features[key] for key in self.keys])
        return replace(
            work,
            inputs=tuple(replace(i, feature=next(maps)) for i in work.inputs),
            output=features[self.output],
            addend=next(maps) if work.addend else None,
            join=next(maps) if work.join else None,
        )


class NetworkCompiler:
    """Compiles one network of a program.

    Parameters
    ----------
    network, config, images, tile_depths, whole_tiles, gather, order, mode :
        As for :func:`reprise.compiler.compile_network`.
    prefix : stands before the keys of the input's maps, so that those of several networks differ
    """

    def __init__(
        self,
        network: Network,
        config: HardwareConfig,
        images: int,
        *,
        tile_depths: Mapping[str, int] | None = None,
        whole_tiles: Mapping[str, int] | None = None,
        gather: bool = True,
        order: bool = True,
        mode: Mode | Mapping[str, Mode] = "product",
        prefix: str = "",
    ) -> None:
        check_addends(network, config)
        named = {layer.name for layer in network.layers}
        network, self.joined = joins_behind(network, config)
        network, self.pools = pools_apart(network, config)
        network, self.once = sums_once(network, config)
        check_widths(network, config)
        depths, wholes, modes = tile_depths or {}, whole_tiles or {}, {} if isinstance(mode, str) else mode
        check_options(network, named, config, depths, wholes, mode)
        self.config, self.images, self.prefix = config, images, prefix
        self.parts: dict[str, str] = {}
        every: Mode = mode if isinstance(mode, str) else "product"
        self.modes = {y.name: modes.get(self.origin(y.name), every) for y in network.layers}
        apart = {*self.pools, *self.pools.values(), *self.once, *self.once.values()}
        network, self.orders = in_order(network, config, self.modes, apart) if order else (network, {})
        self._take(network, gather)
        large = to_split(self._conv_works(), self.network, config) if config.addend_groups else {}
        if large:
            maps = {
                (layer.name, name): self.features[self._key(name, encoding_of(network, layer, name))]
                for layer in network.layers
                for name in layer.rows
            }
            network, self.parts = split(network, large, maps, config)
            check_widths(network, config)
            self._take(network, gather)
        inputs = {work.layer.name: work.inputs for work in self._conv_works()}
        self.modes = {y.name: modes.get(self.origin(y.name), every) for y in network.layers}
        self.tiles |= choose_tiles(network, config, inputs, images, self.modes)
        reads = {self.origin(part): part for part in (*self.joined, *self.once)}  # what has the rows of a layer
        given = (depths.keys() | wholes.keys()) - self.joined.keys()
        for name, own in ((name, reads.get(name, name)) for name in given):
            depth, whole = depths.get(name, self.tiles[own].depth), wholes.get(name, self.tiles[own].whole)
            self.tiles[own] = replace(self.tiles[own], depth=depth, whole=whole)

    def _conv_works(self) -> list[Work]:
        """Return the layers that are no products, as :meth:`works` has them."""
        return [work for work, *_ in self.works() if isinstance(work, Work)]

    def _lines_as_planes(self) -> dict[str, int]:
        """Return for each layer how many equal parts of its kernels it reads as planes."""
        layers: dict[str, list[Work]] = {}
        for work in self._conv_works():
            layers.setdefault(self.parts.get(work.layer.name, work.layer.name), []).append(work)
        return {name: lines_as_planes(parts, self.config) for name, parts in layers.items()}

    def _take(self, network: Network, gather: bool) -> None:
        """Choose the feature maps of a network, K tiles of the largest depth, and what is read as planes."""
        self.network, config, images = network, self.config, self.images
        self.kinds = variants(network)
        self.features = {
            self._key(name, encoding): new_feature(network, name, encoding, planes, images, config)
            for name, kinds in self.kinds.items()
            for encoding, planes in kinds.items()
        }
        self.features |= {k: replace(f, timesteps=1) for k, f in self.features.items() if f.name in self.once}
        self.features = {k: replace(f, order=self.orders.get(f.name, ())) for k, f in self.features.items()}
        inputs_first = {k: f for k, f in self.features.items() if f.name == "input"}
        if gather and "input" not in self.orders:
            inputs_first = {key: gathered(network, f, config) for key, f in inputs_first.items()}
        self.features = inputs_first | {k: f for k, f in self.features.items() if k not in inputs_first}
        self.tiles = {y.name: TileChoice(depth=config.tile_k if y.sources else 1) for y in network.layers}
        self.folds: dict[str, int] = {}
        self.folds = self._lines_as_planes()

    def origin(self, name: str) -> str:
        """Return the layer of the network whose rows a layer or a part of one has."""
        whole = (self.once | self.parts).get(name, name)
        return self.joined.get(whole, whole)

    def _key(self, name: str, encoding: str) -> str:
        """Return the key of a feature in one encoding: its name, to which the second encoding adds its own."""
        key = self.prefix + name if name == "input" else name
        return key if encoding == next(iter(self.kinds[name])) else f"{key}/{encoding}"

    def works(self) -> list[tuple[Work | ProductWork, tuple[str, ...], str]]:
        """Return every layer once for each variant of its output, with the keys of what it reads and of what it writes.

        They are in the order of the program.
        """
        found: list[tuple[Work | ProductWork, tuple[str, ...], str]] = []
        for layer in self.network.layers:
            keys = tuple(self._key(name, encoding_of(self.network, layer, name)) for name in layer.rows)
            if layer.product:
                keys = (*keys, self._key(layer.product.operand, INTEGERS))
            if layer.addend:
                keys = (*keys, self._key(layer.addend, addend_kind(self.network, layer.addend)))
            if layer.join:
                keys = (*keys, self._key(layer.join.feature, "bitplane"))
            for out in self.kinds[layer.name]:
                output = self._key(layer.name, out)
                make = self._product if layer.product else self._work
                found.append((make(layer, keys, self.features[output]), keys, output))
        return found

    def _work(self, layer: Layer, keys: tuple[str, ...], output: FeatureMap) -> Work:
        added = iter([self.features[key] for key in keys[len(layer.rows) :]])
        keys = keys[: len(layer.rows)]
        sources = zip(layer.convolutions, keys, strict=False)  # keys of masks follow
        inputs = [lower_source(source, self.features[key]) for source, key in sources]
        if layer.name in self.parts or layer.addend in self.parts:
            inputs = [lower_part(one) for one in inputs]
        inputs += [lower_mask(inputs[0], self.features[key]) for key in keys[len(inputs) :]]
        work = Work(
            layer=layer,
            inputs=tuple(inputs),
            size=self.network.geometry[layer.name].computed,
            output=output,
            planes=layer_planes(self.network, layer),
            **self.tiles[layer.name].of_work,
            block_channels=run_channels(output, self.config),
            addend=next(added) if layer.addend else None,
            join=next(added) if layer.join else None,
        )
        return with_lines(work, self.folds.get(self.parts.get(layer.name, layer.name), 1))

    def _product(self, layer: Layer, keys: tuple[str, ...], output: FeatureMap) -> ProductWork:
        assert layer.product is not None
        feature, operand = (self.features[key] for key in keys)
        return ProductWork(
            layer=layer,
            product=layer.product,
            feature=feature,
            operand=operand,
            output=output,
            planes=layer_planes(self.network, layer),
            tile_depth=tile_depth(product_depth(layer.product, feature), self.config),
            whole_tiles=self.tiles[layer.name].whole,
        )

    def constants(self, builder: Builder, work: Work, plan: Plan, name: str) -> Constants:
        """Put a layer's weights, parameters and segments into the memory, under the name of what it writes."""
        out, c = work.output, self.config
        row_bytes = -(-work.block_channels * 8 // c.bus_bits) * c.bus_bits // 8
        weights = tile_weights(work.inputs, work.tile_depth, out.channels)
        tiles = segments(work.inputs, plan.pitches, work.tile_depth)
        used = used_tiles(weights, work.tile_depth, work.block_channels, [len(tile) for tile in tiles], c.segments)
        channels = -(-work.block_channels // c.neuron_lanes) * c.neuron_lanes
        weight_at, parameter_at = [], []
        for block in range(work.blocks):
            first = block * work.block_channels
            count = min(work.block_channels, out.channels - first)
            rows = weights.reshape(len(tiles), work.tile_depth, -1)[list(used[block])]
            data = weight_bytes(rows.reshape(-1, rows.shape[2]), first, count, row_bytes)
            weight_at.append(builder.add(f"{name}/{block}", "weights", data))
            data = parameter_bytes(work.layer, first, count, channels)
            parameter_at.append(builder.add(f"{name}/{block}", "parameters", data))
        entries: list[dict[str, int]] = []
        offsets: dict[tuple[int, ...], int] = {}
        for numbers in used:
            if numbers not in offsets:
                offsets[numbers] = len(entries)
                entries += [entry for number in numbers for entry in tiles[number]]
        remedy = "use a configuration with more segments, or a larger tile_k"
        limit(len(entries) <= c.segments, work.layer.name, "im2col segments", len(entries), c.segments, remedy)
        segment_at = builder.add(name, "segments", segment_bytes(entries))
        return Constants(
            weights=tuple(weight_at),
            parameters=tuple(parameter_at),
            segments=segment_at,
            segment_count=len(entries),
            offsets=tuple(offsets[numbers] for numbers in used),
            k_tiles=tuple(len(numbers) for numbers in used),
        )

    def steps(self, builder: Builder) -> list[Step | ProductStep]:
        """Check and plan every layer, and put its constants into the memory; variants that are alike share them."""
        done: dict[tuple, Constants] = {}
        found: list[Step | ProductStep] = []
        for work, keys, output in self.works():
            if isinstance(work, ProductWork):
                found.append(ProductStep.of(work, keys, output, builder, self.config))
                continue
            check_layer(work, self.config)
            check_blocks(work)
            plan = Planner(work, self.config).plan()
            what = work.layer.name, work.block_channels, plan.pitches
            if what not in done:
                done[what] = self.constants(builder, work, plan, output)
            k_tiles = depth_tiles(work.inputs, work.tile_depth)
            step = Step(work=work, keys=keys, output=output, plan=plan, constants=done[what], k_tiles=k_tiles)
            found.append(replace(step, part=work.layer.name in self.parts | self.pools | self.once))
        return found
