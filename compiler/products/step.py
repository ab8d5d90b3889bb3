"""A product in a program: checked, with its constants in the memory, and emitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...hw.arch.config import HardwareConfig
from ...hw.arch.feature_map import FeatureMap
from ..emit import Constants, Emitter
from ..lower import parameter_bytes, segment_bytes
from ..place import Builder
from .emit import emit_product
from .work import ProductWork, check_product, product_segments


@dataclass(frozen=True, kw_only=True, eq=False)
class ProductStep:
    """A product as it writes one variant of its feature, with the keys of the features that it reads and writes.

    The first of ``keys`` is that of the map of which rows are made, and the second that of the operand.
    """

    work: ProductWork
    keys: tuple[str, ...]
    output: str
    constants: Constants

    @classmethod
    def of(
        cls, work: ProductWork, keys: tuple[str, ...], output: str, builder: Builder, config: HardwareConfig
    ) -> ProductStep:
        """Check a product, and put its parameters and segments into the memory.

        Raises
        ------
        CompileError
            The product exceeds a limit of the configuration.
        """
        check_product(work, config)
        channels, parameters = work.block_channels, []
        filled = -(-channels // config.neuron_lanes) * config.neuron_lanes
        for number, first in enumerate(range(0, work.layer.channels, channels)):
            data = parameter_bytes(work.layer, first, channels, filled)
            parameters.append(builder.add(f"{output}/{number}", "parameters", data))
        entries = product_segments(work, config)
        at = builder.add(output, "segments", segment_bytes(entries))
        constants = Constants(weights=(), parameters=tuple(parameters), segments=at, segment_count=len(entries))
        return cls(work=work, keys=keys, output=output, constants=constants)

    @property
    def k_tiles(self) -> int:
        """K tiles of a RUN."""
        return self.work.k_tiles

    @property
    def planes(self) -> int:
        """Planes of its input."""
        return self.work.planes

    @property
    def blocks(self) -> int:
        """Blocks of output channels, which are heads."""
        return self.work.product.heads

    @property
    def jobs(self) -> int:
        """Pieces of work, each with a RUN for every head."""
        return self.work.feature.images * self.work.feature.timesteps // self.work.timesteps

    def emit(self, emitter: Emitter, features: dict[str, FeatureMap]) -> None:
        """Append the commands, for feature maps that have addresses."""
        feature, operand = (features[key] for key in self.keys)
        work = replace(self.work, feature=feature, operand=operand, output=features[self.output])
        emit_product(emitter, work, self.constants)
