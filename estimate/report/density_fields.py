"""The fields of ``reprise density --json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .fields import Count, Counts, Densities, Fields, Head


class DensityCycles(Fields):
    """Cycles that a capture's rows take."""

    bound: Count = Field(description="fewest cycles that this architecture can take for these tiles")
    published_model: Count = Field(
        description="the published simulator's model of the computation, in the order of `k_order`; its own is `ckk`"
    )


class LayerDensityCycles(DensityCycles):
    """Cycles that a layer's rows take."""

    published_model_tilewise: Count = Field(
        description="the same, taking the larger of computation and preprocessing in each tile by itself"
    )
    bit_sparse: Count = Field(description="cycles of a machine that adds one set bit per cycle")
    dense: Count = Field(description="cycles of a machine that adds one bit per cycle, set or not")


class DensityFigures(Densities):
    """Densities and cycles of a capture's layer, and of the total."""

    reduction: float | None = Field(description="set bits divided by residual bits; null where no bit is left to add")
    cycles: LayerDensityCycles = Field(description="cycles of all groups of output channels")


class DensityCounts(Counts):
    """Sizes of a layer, and what its tiles hold, counted once."""

    rows: Count = Field(description="number of rows of the matrix, without padding")
    depth: Count = Field(description="K, the bits of a row")
    outputs: Count = Field(description="number of output channels")
    output_groups: Count = Field(description="number of groups of `lanes` channels, each of which takes all rows")
    tiles: Count = Field(description="number of tiles")
    multi_bit_rows: Count = Field(description="number of rows with two or more set bits")


class DensityLayer(DensityFigures):
    """A layer of a capture."""

    name: str = Field(description="name of the layer")
    counts: DensityCounts = Field(description="sizes, and what the tiles hold")


class DensityOperator(DensityFigures):
    """What the layers of a transformer that do the same have together."""

    name: str = Field(description="what they do, such as `q, k, v` or `MLP`")


class PublishedDensity(Fields):
    """The published densities of a whole network."""

    bit_density: float = Field(description="share of bits that are set")
    product_density: float = Field(description="share of bits that are left to add")


class SweepPoint(Densities):
    """The total for one size of tiles."""

    tile_m: Count = Field(description="rows of a tile")
    tile_k: Count = Field(description="bits of a row in a tile")
    reduction: float | None = Field(description="set bits divided by residual bits; null where no bit is left to add")
    cycles: DensityCycles = Field(description="cycles of all layers")


class Density(Head):
    """What ``reprise density --json`` writes: product sparsity of recorded spikes."""

    kind: Literal["density"] = Field(description="which report this is")
    capture: str = Field(description="name of the capture, or of the network")
    configuration: dict[str, int] = Field(description="the fields of the configuration that matter here")
    k_order: Literal["ckk", "kkc"] = Field(description="order of a row's bits: the published one or the hardware's")
    total: DensityFigures = Field(description="all layers, each weighted by its groups of output channels")
    layers: list[DensityLayer] = Field(description="the layers, in the order of the capture")
    operators: list[DensityOperator] | None = Field(default=None, description="a transformer's layers, by what they do")
    published: dict[str, PublishedDensity] | None = Field(
        default=None, description="published densities of whole transformers, beside one"
    )
    sweep: list[SweepPoint] | None = Field(default=None, description="totals by size of tiles, with `--sweep`")
