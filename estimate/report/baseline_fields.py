"""The fields of ``reprise compare NETWORK --json``: published accelerators beside ours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .fields import Count, Densities, Fields, Head

Origin = Literal["model", "published", "measured"]
Cycles = int | float
"""SATO's neurons take a broken number of cycles where the timesteps are no power of two."""


class BaselineLayer(Densities):
    """A layer on all images, by accelerator."""

    name: str = Field(description="name of the layer")
    neurons_name: str = Field(description="name of its neurons in the published description, or `neurons`")
    positions: Count = Field(description="S, the output positions")
    timesteps: Count = Field(description="T")
    planes: Count = Field(description="binary planes of a level; accelerators of binary spikes run T x planes steps")
    depth: Count = Field(description="K, the inputs of an output")
    outputs: Count = Field(description="O, the output channels")
    neurons: Count = Field(description="neurons behind it; 0 if nothing fires")
    matrix_cycles: dict[str, Cycles] = Field(description="cycles of the matrix product in each model")
    neuron_cycles: dict[str, Cycles] = Field(description="cycles of the neurons in each model")
    our_cycles: dict[str, Count] | None = Field(
        default=None, description="cycles of our accelerator, from the end of the layer before to its own end"
    )


class BaselineAccelerator(Fields):
    """An accelerator on the whole network or capture."""

    name: str = Field(description="how tables call it")
    what: str = Field(description="what it is, and the paper that it comes from")
    origin: Origin = Field(description="where its cycles come from")
    matrix_cycles: Cycles | None = Field(default=None, description="of all matrix products; absent in ours")
    neuron_cycles: Cycles | None = Field(default=None, description="of all neurons; absent in ours")
    cycles: Cycles = Field(description="cycles of all images")
    speedup: float | None = Field(description="cycles of Eyeriss divided by these; null if there are none")
    microseconds: float | None = Field(default=None, description="time at the published clock; absent in ours")
    chip_microjoules: float | None = Field(
        default=None, description="published power of the chip x time, without DRAM; absent in ours"
    )
    measured_microjoules: float | None = Field(
        default=None, description="what `reprise energy` measured of the chip, without DRAM; only of ours"
    )


class PublishedMean(Fields):
    """How an accelerator compares with Eyeriss in the published tables, on the published networks."""

    name: str = Field(description="the accelerator")
    speedup: float = Field(description="time of Eyeriss divided by its own, geometric mean")
    energy_saving: float = Field(description="energy of Eyeriss divided by its own, geometric mean")
    benchmarks: Count = Field(description="number of networks on data sets of which both have figures")


class Benchmark(Fields):
    """What was published of the network on the data set that the subject is."""

    name: str = Field(description="name of the column in the published tables")
    bit_density: float | None = Field(description="published bit density")
    product_density: float | None = Field(description="published product density")
    seconds: dict[str, float] = Field(description="published times by accelerator")
    energy_mj: dict[str, float] = Field(description="published energies in millijoules by accelerator")


class Baselines(Head):
    """What ``reprise compare NETWORK --json`` writes."""

    kind: Literal["baselines"] = Field(description="which report this is")
    subject: str = Field(description="name of the network or the capture")
    configuration_name: str = Field(description="preset or file of our configuration, with changed fields behind it")
    configuration: dict[str, int] = Field(description="every field of our configuration")
    images: Count = Field(description="images of the batch; 1 in a capture")
    published_network: str | None = Field(
        description="the published network whose matrix layers these are; its neurons are then those of the description"
    )
    total: Densities = Field(description="all layers, each weighted by its groups of 128 output channels")
    layers: list[BaselineLayer] = Field(description="the layers")
    accelerators: list[BaselineAccelerator] = Field(description="models of published accelerators, then ours")
    limits: list[str] = Field(description="what a measured energy leaves out; empty if none is shown")
    published: list[PublishedMean] = Field(description="published comparison on the published networks")
    benchmark: Benchmark | None = Field(description="published figures of this very subject; null if there are none")
