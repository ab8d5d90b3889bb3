"""One network of a program: its feature maps, and each layer checked, planned and with its constants in the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..hw.arch.config import HardwareConfig
from ..hw.arch.feature_map import FeatureMap
from ..model.network.network import Network
from ..support.checks import require, require_int
from .checks import check_kinds, check_layer, check_widths
from .depths import ALL_WHOLE, TileChoice, choose_tiles
from .emit import Constants
from .errors import limit
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
from .place import Builder
from .plan import Plan, Planner, Work


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
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


class NetworkCompiler:
    """Compiles one network of a program.

    Parameters
    ----------
    network, config, images, tile_depths, whole_tiles : as for :func:`reprise.compiler.compile_network`
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
        prefix: str = "",
    ) -> None:
        check_kinds(network)
        check_widths(network, config)
        depths, wholes = tile_depths or {}, whole_tiles or {}
        self._check_names(network, {"tile_depths": depths, "whole_tiles": wholes})
        for name, depth in depths.items():
            require_int(f"tile_depths[{name!r}]", depth, 1, config.tile_k, "a K tile has at most tile_k bits")
        for name, whole in wholes.items():
            require_int(f"whole_tiles[{name!r}]", whole, 0, ALL_WHOLE, "the RUN has 16 bits for it")
        self.network, self.config, self.images, self.prefix = network, config, images, prefix
        self.kinds = variants(network)
        self.features = {
            self._key(name, encoding): new_feature(network, name, encoding, planes, images, config)
            for name, kinds in self.kinds.items()
            for encoding, planes in kinds.items()
        }
        self.features = {k: f for k, f in self.features.items() if f.name == "input"} | self.features
        self.tiles = {layer.name: TileChoice(depth=config.tile_k) for layer in network.layers}
        inputs = {work.layer.name: work.inputs for work, *_ in self.works()}
        self.tiles |= choose_tiles(network, config, inputs, images)
        self.tiles |= {name: replace(self.tiles[name], depth=depth) for name, depth in depths.items()}
        self.tiles |= {name: replace(self.tiles[name], whole=whole) for name, whole in wholes.items()}

    @staticmethod
    def _check_names(network: Network, given: Mapping[str, Mapping[str, int]]) -> None:
        """Require that all that is given for layers is given for layers of the network."""
        names = [layer.name for layer in network.layers]
        for what, of_layers in given.items():
            for name in of_layers:
                require(name in names, what, f"of layers of the network, {names}", name)

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
            inputs = tuple(lower_source(s, self.features[k]) for s, k in zip(layer.convolutions, keys, strict=True))
            for out in self.kinds[layer.name]:
                output = self._key(layer.name, out)
                work = Work(
                    layer=layer,
                    inputs=inputs,
                    output=self.features[output],
                    planes=planes,
                    tile_depth=self.tiles[layer.name].depth,
                    whole_tiles=self.tiles[layer.name].whole,
                )
                found.append((work, keys, output))
        return found

    def constants(self, builder: Builder, work: Work, plan: Plan) -> Constants:
        """Put a layer's weights, parameters and segments into the memory; all variants of the layer share them."""
        name, out, c = work.layer.name, work.output, self.config
        row_bytes = -(-out.block_channels * 8 // c.bus_bits) * c.bus_bits // 8
        weights = tile_weights(work.inputs, work.tile_depth)
        channels = -(-out.block_channels // c.neuron_lanes) * c.neuron_lanes
        weight_at, parameter_at = [], []
        for block in range(out.blocks):
            first = block * out.block_channels
            count = min(out.block_channels, out.channels - first)
            data = weight_bytes(weights, first, count, row_bytes)
            weight_at.append(builder.add(f"{name}/{block}", "weights", data))
            data = parameter_bytes(work.layer, first, count, channels)
            parameter_at.append(builder.add(f"{name}/{block}", "parameters", data))
        entries = segments(work.inputs, plan.pitches, work.tile_depth)
        remedy = "use a configuration with more segments, or a larger tile_k"
        limit(len(entries) <= c.segments, name, "im2col segments", len(entries), c.segments, remedy)
        segment_at = builder.add(name, "segments", segment_bytes(entries))
        return Constants(
            weights=tuple(weight_at),
            parameters=tuple(parameter_at),
            segments=segment_at,
            segment_count=len(entries),
        )

    def steps(self, builder: Builder) -> list[Step]:
        """Check and plan every layer, and put its constants into the memory."""
        done: dict[str, Constants] = {}
        found = []
        for work, keys, output in self.works():
            check_layer(work, self.config)
            plan = Planner(work, self.config).plan()
            name = work.layer.name
            if name not in done:
                done[name] = self.constants(builder, work, plan)
            k_tiles = depth_tiles(work.inputs, work.tile_depth)
            found.append(Step(work=work, keys=keys, output=output, plan=plan, constants=done[name], k_tiles=k_tiles))
        return found
