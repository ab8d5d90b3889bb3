"""Every field of the reports, described once.

These classes are what ``report.json``, ``reprise estimate --json`` and ``reprise density --json`` are checked against
before they are written, what the shipped JSON Schema is made of, and what the tables of docs/report-json.md show. The
fields of a co-simulation are in :mod:`reprise.cosim.report.fields`. A name says its unit: ``..._cycles``,
``..._percent``, ``..._mhz``, ``bytes_...``. Densities and what ends in ``_fraction`` are fractions of one.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .help_fields import Help
from .limit_fields import Count as Count
from .limit_fields import Fields as Fields
from .limit_fields import Fraction, Limits, TileUse

FORMAT = 2
"""The version of the format. It counts up whenever a field is renamed, removed, or changes its meaning."""


class Head(Fields):
    """How a report came about; every report begins with it."""

    format: Literal[2] = Field(description="version of the format")
    kind: str = Field(description="which report this is")
    date: str = Field(description="when it was made, in UTC by ISO 8601", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    command: str | None = Field(description="command line that made it; null if a Python program made the report")
    commit: str | None = Field(
        default=None,
        description="commit of the checkout that made it, with `+` behind it if tracked files were changed; absent if "
        "Reprise is installed as a package",
    )
    versions: dict[str, str] = Field(description="versions of Reprise, Python, and the packages that figures depend on")


class Memory(Fields):
    """How fast the memory is."""

    latency_cycles: Count = Field(description="cycles from an address to its first beat")
    gap_cycles: Count = Field(description="idle cycles after every beat")


class EndCycles(Fields):
    """Cycles of what belongs to no layer."""

    cycle_model: Count = Field(description="cycles by the exact cycle model of the whole accelerator")


class Cycles(EndCycles):
    """Cycles of the accelerator, and of other machines for the same work."""

    bound: Count = Field(description="fewest cycles that this architecture can take for these tiles")
    published_model: Count = Field(
        description="the published simulator's model of the computation, in its own order of rows and bits (`ckk`); it "
        "knows no memory and no neurons"
    )
    bit_sparse: Count = Field(description="cycles of a machine that adds one set bit per cycle")
    dense: Count = Field(description="cycles of a machine that adds one bit per cycle, set or not")


class AloneCycles(Fields):
    """How long single parts of the accelerator would take if nothing else took time."""

    weights: Count = Field(description="cycles of loading weights")
    im2col: Count = Field(description="cycles of building rows")
    neurons: Count = Field(description="cycles of the neurons, and of writing out potentials")


class ChipEnergy(Fields):
    """Energies that were not measured: events times what each takes, by a fit to measurements."""

    chip_nj: float = Field(description="on the chip, in 130 nm: logic, clock, memories and leakage")
    dram_nj: float = Field(description="bits that the commands move x 12.45 pJ")


ENERGY = Field(default=None, description="estimated energy; absent if nothing was fitted for the configuration")


class Counts(Fields):
    """What the tiles hold."""

    nonzero_rows: Count = Field(description="number of rows with a set bit")
    exact_matches: Count = Field(description="number of rows that equal their prefix: nothing is added")
    set_bits: Count = Field(description="number of bits that are one")
    residual_bits: Count = Field(description="number of bits that product sparsity leaves to add")


class Accesses(Fields):
    """Accesses to memories of the chip, and what else its energy goes with. A group is one of channels."""

    commands: Count = Field(description="commands of the layer")
    feature_bytes: Count = Field(description="bytes of feature maps that are loaded")
    feature_reads: Count = Field(description="words that im2col reads at another address than before")
    weight_rows: Count = Field(description="weight rows that are loaded")
    results: Count = Field(description="tile results that are written, times groups")
    result_reads: Count = Field(description="tile results that are read, times groups")
    updates: Count = Field(description="updates of partial sums, times groups")
    drained: Count = Field(description="rows that the neurons take, times groups")
    outputs: Count = Field(description="groups that the neurons give out")


class Densities(Fields):
    """Densities of binary rows."""

    bit_density: Fraction = Field(description="set bits divided by all bits")
    product_density: Fraction = Field(description="residual bits divided by all bits")


class Bytes(Fields):
    """What moves between the accelerator and its memory."""

    bytes_read: Count = Field(description="bytes that its commands read, the commands themselves among them")
    bytes_written: Count = Field(description="bytes that its commands write")


class Figures(Bytes, Densities):
    """The figures of a layer, and of the total."""

    cycles: Cycles = Field(description="cycles of the accelerator and of its models")
    alone_cycles: AloneCycles = Field(description="how long single parts would take alone")
    runs: Count = Field(description="number of RUN commands")
    tiles: Count = Field(description="number of tiles of all RUNs")
    counts: Counts = Field(description="what these tiles hold")
    energy: ChipEnergy | None = ENERGY
    limits: Limits | None = Field(default=None, description="what limits it; absent if nobody asked")
    helps: list[Help] | None = Field(
        default=None, description="what changes of the configuration would do, the best first; absent if nobody asked"
    )


class End(Bytes):
    """What is left of the total when all layers are taken away: the end of the job."""

    name: str = Field(description="what tables call this row")
    cycles: EndCycles = Field(description="cycles from the last layer's end to the interrupt")
    energy: ChipEnergy | None = ENERGY


class Shape(Fields):
    """What a layer computes."""

    kind: Literal["convolution", "linear", "product over tokens", "product over channels", "stored sums"] = Field(
        description="a linear layer has one output position; a product is one of two feature maps, as in attention; "
        "neurons on stored sums have no weights"
    )
    reads: list[str] = Field(description="the feature maps that it reads; two in a join and in a product")
    weights: list[list[Count]] = Field(description="shape of the weights of each: outputs, inputs, height, width")
    k: Count = Field(description="K, the inputs of an output: the bits of a row")
    channels: Count = Field(description="number of output channels")
    output: list[Count] = Field(description="shape of the feature map that it writes: channels, height, width")
    pool: Count = Field(description="side of the max pool behind it; 1 if there is none")
    neuron: Literal["if", "lif", "readout", "sum"] = Field(
        description="kind of its neurons; a readout and a sum do not fire"
    )
    levels: Count = Field(description="N, the largest level that it fires; 0 in a readout and a sum")
    timesteps: Count = Field(description="T, the timesteps of the network")
    encoding: Literal["bitplane", "thermometer"] = Field(description="how levels that it reads become planes")
    planes: Count = Field(description="planes, hence rows, of an output position in a timestep")


class LayerFields(Fields):
    """What a layer has besides figures."""

    name: str = Field(description="name of the layer")
    feature: str = Field(description="the feature map that it writes")
    k_tiles: Count = Field(description="number of pieces into which K is cut")
    tile_depth: Count = Field(
        description="bits of a row in each of these pieces, which the compiler chose; at most `tile_k`"
    )
    blocks: Count = Field(description="number of blocks of output channels, each of which needs RUNs of its own")
    accesses: Accesses | None = Field(
        default=None, description="accesses to memories of the chip; absent in reports of earlier versions"
    )
    tile_use: TileUse = Field(description="how much of its tiles it fills")
    shape: Shape = Field(description="what it computes")


class Layer(Figures, LayerFields):
    """A layer of the program. It lasts from the end of the layer before it to the end of its own last RUN."""


class Clock(Fields):
    """The clock at which times are stated."""

    mhz: float = Field(description="the clock in MHz", gt=0)
    source: Literal["given", "routed", "assumed"] = Field(
        description="given by the user; at which the accelerator of this configuration was routed; or assumed"
    )
    part: str | None = Field(default=None, description="the ECP5 part on which it was routed")
    grade: int | None = Field(default=None, description="the speed grade of that part, 6 to 8 (the fastest)")
    command: str | None = Field(default=None, description="the command that routed it")
    earlier_netlist: bool | None = Field(
        default=None, description="whether the netlist has changed since; only of what was routed"
    )


class CoreRoute(Fields):
    """A routing of the core of this configuration: the accelerator without im2col, output and memory ports."""

    part: str = Field(description="the ECP5 part")
    grade: int = Field(description="its speed grade, 6 to 8 (the fastest)")
    fmax_mhz: float = Field(description="the clock that nextpnr found")
    command: str = Field(description="the command that routed it")
    earlier_netlist: bool = Field(description="whether the netlist has changed since")


class Speed(Fields):
    """How fast a network runs, and at which clock."""

    clock: Clock = Field(description="the clock at which times are stated")
    core_routes: list[CoreRoute] = Field(description="at which clocks the core alone was routed, the fastest first")
    image_cycles: Count = Field(description="cycles of a job of the first image alone, by the cycle model")
    image_microseconds: float = Field(description="the latency of one image: from its start command to its interrupt")
    batch_cycles: Count = Field(description="cycles of the job of all images")
    batch_microseconds: float = Field(description="the latency of the batch")
    interval_cycles: float = Field(description="cycles of the batch divided by its images")
    frames_per_second: float = Field(description="images of the batch divided by its time")


class Area(Fields):
    """What the accelerator takes of an FPGA."""

    family: Literal["ECP5"] = Field(description="the FPGA family")
    source: Literal["synthesized", "estimated"] = Field(
        description="a synthesis of this very configuration, or the estimate of `reprise area`"
    )
    command: str | None = Field(default=None, description="the command that synthesized it")
    earlier_netlist: bool | None = Field(
        default=None, description="whether the netlist has changed since; only of what was synthesized"
    )
    extrapolated_fields: list[str] | None = Field(
        default=None, description="fields of the configuration beyond all that were synthesized; only if estimated"
    )
    luts: Count = Field(description="LUT4s, with those of carry chains and of distributed RAM")
    flip_flops: Count = Field(description="flip-flops")
    block_rams: Count = Field(description="block RAMs of 18 kbit")
    multipliers: Count = Field(description="multipliers of 18 x 18 bits")
    fits: dict[str, bool] = Field(description="whether each part of the family holds it, the smallest first")


class Hardware(Fields):
    """The configuration of the accelerator."""

    configuration_name: str = Field(description="preset or file of the configuration, with changed fields behind it")
    configuration: dict[str, int] = Field(description="every field of the configuration")
    configuration_preset: dict[str, int] = Field(
        description="for the fields that `--set` changed, the values that the preset or file has"
    )
    configuration_sha256: str = Field(description="digest of the configuration, as the register CONFIG_HASH begins")
    mode: Literal["bit", "dense"] | None = Field(
        default=None, description="what RUNs leave out, if not what product sparsity does; absent if it is"
    )
    area: Area | None = Field(
        default=None,
        description="what the accelerator takes of an FPGA; absent if nobody asked and nobody synthesized it",
    )


class Estimate(Hardware, Head):
    """What ``reprise estimate --json`` writes: cycles of a network without RTL."""

    kind: Literal["estimate"] = Field(description="which report this is")
    network: str = Field(description="name of the network")
    images: Count = Field(description="number of images of the batch")
    memory: Memory = Field(description="how fast the memory is")
    speed: Speed = Field(description="latency and frames per second, and the clock that they assume")
    layers: list[Layer] = Field(description="the layers, in the order of the program")
    rest: End = Field(description="what belongs to no layer")
    total: Figures = Field(description="the whole job: the sum of all layers and of the rest")
    energy_error_percent: float | None = Field(
        default=None,
        description="how far the estimated energy of the chip was off at most, of networks that were not used to fit",
    )


def checked(report: dict[str, Any], kind: type[Fields]) -> dict[str, Any]:
    """Return a report that was found to have exactly the fields of ``kind``.

    Raises
    ------
    pydantic.ValidationError
        A field is missing, unknown, or of another type; this is a fault of the program and not of its user.
    """
    kind.model_validate(report)
    return report
