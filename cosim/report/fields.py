"""The fields of ``report.json``, and the JSON Schema of every report (see :mod:`reprise.estimate.report.fields`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ...estimate.report import fields as base
from ...estimate.report.baseline_fields import Baselines
from ...estimate.report.comparison_fields import Comparison
from ...estimate.report.density_fields import Density
from ...estimate.report.fields import Count, Fields
from .soak_fields import Soak

SCHEMA = Path(__file__).resolve().parent / "report.schema.json"
"""The JSON Schema of all reports as it is shipped."""


class Memory(base.Memory):
    """How the simulated memory behaves."""

    stall_probability: float = Field(description="probability of a stalled cycle on every channel", ge=0, le=0.9)


class EndCycles(base.EndCycles):
    """Cycles of what belongs to no layer."""

    rtl: Count | None = Field(description="cycles that the simulated hardware took; null in the interpreter")


class Cycles(base.Cycles, EndCycles):
    """Cycles of the simulated hardware, of its models, and of other machines for the same work."""


class Counters(Fields):
    """What the hardware counted; these fields are absent in the interpreter."""

    cause_cycles: dict[str, Count] | None = Field(
        default=None,
        description="what the PE array did or waited for in each cycle of `cycles.rtl`, which they add up to",
    )
    stall_cycles: dict[str, Count] | None = Field(
        default=None, description="what the counters of waits say; those called `wait_...` may overlap"
    )
    counters: dict[str, Count] | None = Field(
        default=None,
        description="every performance counter by its register's name (docs/registers.md), and `run_end` and "
        "`output_word`, which no register counts",
    )
    model_error_fraction: float | None = Field(
        default=None,
        description="how far the cycle model is off, divided by `cycles.rtl`; it is 0 unless the memory stalls",
    )


class Figures(Counters, base.Figures):
    """The figures of the total."""

    cycles: Cycles = Field(description="cycles of the accelerator and of its models")


class End(Counters, base.End):
    """What is left of the total when all layers are taken away: the end of the job."""

    cycles: EndCycles = Field(description="cycles from the last layer's end to the interrupt")


class Layer(Figures, base.LayerFields):
    """A layer of the program, or of a capture."""

    elements: Count = Field(description="number of elements of its feature map that were compared with the model")
    mismatches: Count = Field(description="how many of them differ")


class Difference(Fields):
    """The first element of a feature map that differs, in the order of image, timestep, channel, y and x."""

    feature: str = Field(description="name of the feature map")
    image: Count = Field(description="number of the image in the batch")
    timestep: Count = Field(description="number of the timestep")
    channel: Count = Field(description="number of the channel")
    y: Count = Field(description="row in the map")
    x: Count = Field(description="column in the map")
    got: int = Field(description="what the accelerator's memory holds")
    expected: int = Field(description="what the model says")


class NetworkAccuracy(Fields):
    """The accuracy of the network, as its file says it."""

    dataset: str = Field(description="data set on which it was measured")
    images: Count = Field(description="number of test images")
    integer_percent: float = Field(description="accuracy of the integer network")
    float_percent: float | None = Field(
        description="accuracy of the network before rounding; null if nobody measured it"
    )


class Waveform(Fields):
    """A waveform of the RUN that wrote the first wrong element."""

    file: str = Field(description="name of the FST file")
    first_cycle: Count = Field(description="cycle in which it begins")
    last_cycle: Count = Field(description="cycle in which it ends")
    command_index: Count = Field(description="index of the RUN in the program")
    viewer_command: str = Field(description="command line that opens it")


class Network(Fields):
    """What was run and what it predicted; absent in the report of a capture."""

    network: str | None = Field(default=None, description="name of the network")
    network_sha256: str | None = Field(default=None, description="digest of the network file's tensors")
    network_accuracy: NetworkAccuracy | None = Field(
        default=None, description="accuracy of the network, as its file says it"
    )
    image_numbers: list[Count] | None = Field(default=None, description="which samples of the network were taken")
    labels: list[int | None] | None = Field(default=None, description="label of each image; null where nobody knows it")
    predictions: list[int] | None = Field(
        default=None, description="class of each image, by what the accelerator left in memory"
    )
    model_predictions: list[int] | None = Field(default=None, description="class of each image, by the model")
    accuracy_percent: float | None = Field(
        default=None, description="share of right predictions among the images whose label is known"
    )
    speed: base.Speed | None = Field(
        default=None, description="latency and frames per second, and the clock that they assume"
    )


class Capture(Fields):
    """Which recorded spikes were run; absent in the report of a network."""

    capture: str | None = Field(default=None, description="name of the capture")
    capture_sha256: str | None = Field(default=None, description="digest of the capture's file")
    capture_program: Literal["one program", "a job for each layer"] | None = Field(
        default=None,
        description="whether all layers were one program, or each was a job of its own; in both, each reads what was "
        "recorded at its input",
    )


class Cosimulation(Capture, Network, base.Hardware, base.Head):
    """What ``reprise cosim`` writes to ``report.json``."""

    kind: Literal["cosimulation"] = Field(description="which report this is")
    engine: Literal["rtl", "interpreter"] = Field(description="what was compared with the model")
    seed: Count = Field(description="seed of the choice of images, of random stalls, and of a capture's random weights")
    memory: Memory = Field(description="how the simulated memory behaves")
    memory_image_bytes: Count = Field(description="bytes of memory that the job needs")
    images: Count = Field(description="number of images of the batch; 1 in a capture")
    elements: Count = Field(description="number of elements of all feature maps that were compared with the model")
    mismatches: Count = Field(description="how many of them differ")
    first_mismatch: str | None = Field(description="where the first one is, in words; null if there is none")
    differences: list[Difference] = Field(description="the first differing element of each feature map")
    layers: list[Layer] = Field(description="the layers, in the order of the program")
    rest: End = Field(description="what belongs to no layer")
    total: Figures = Field(description="the whole job: the sum of all layers and of the rest")
    stage_seconds: dict[str, float] | None = Field(default=None, description="how long each stage of the run took")
    waveform: Waveform | None = Field(default=None, description="waveform of the RUN that wrote the first mismatch")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of all reports, which ``kind`` tells apart."""
    union = Annotated[
        Cosimulation | base.Estimate | Density | Comparison | Baselines | Soak, Field(discriminator="kind")
    ]
    found = TypeAdapter(union).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Reprise, reports {base.FORMAT}",
        **found,
    }


def schema_text() -> str:
    """Return the content of :data:`SCHEMA`."""
    return json.dumps(schema(), indent=1) + "\n"
