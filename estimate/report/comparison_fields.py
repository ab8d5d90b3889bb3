"""The fields of a comparison of reports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .fields import Area, Head, Memory, Speed
from .help_fields import Help
from .limit_fields import Count, Fields


class ColumnMemory(Memory):
    """How the memory behaves, simulated or not."""

    stall_probability: float | None = Field(
        default=None, description="probability of a stalled cycle on every channel; only if it was simulated"
    )


class Column(Fields):
    """One of the reports that are compared."""

    name: str = Field(description="how the comparison calls it")
    origin: str = Field(description="its file, or the configuration that was estimated for the comparison")
    measured: Literal["rtl", "model"] = Field(description="whether its cycles are those of the RTL or of the model")
    subject: str | None = Field(description="the network or the capture")
    configuration_name: str = Field(description="preset or file of the configuration, with changed fields behind it")
    configuration: dict[str, int] = Field(description="every field of the configuration")
    images: Count = Field(description="images of the batch")
    memory: ColumnMemory = Field(description="how its memory behaves")
    area: Area | None = Field(default=None, description="what the accelerator takes of an FPGA")
    speed: Speed | None = Field(default=None, description="how fast it is, and at which clock; absent in captures")
    cycles: Count = Field(description="of the whole job")
    runs: Count = Field(description="RUN commands")
    bytes_read: Count = Field(description="bytes that its commands read")
    bytes_written: Count = Field(description="bytes that its commands write")


class ComparisonRow(Fields):
    """A layer, the end of the job or the total, with a value for each column; null where a report has no such layer."""

    name: str = Field(description="name of the layer")
    cycles: list[Count | None] = Field(description="its cycles")
    cycles_percent: list[float | None] = Field(description="by how many percent they differ from the first column's")
    blocks: list[list[str]] = Field(description="the blocks that limit it most; empty if the report does not say so")


class SlowerLayer(Fields):
    """A layer that takes more cycles than in the first column, and why."""

    layer: str = Field(description="name of the layer")
    more_cycles: Count = Field(description="how many more")
    runs: list[Count] = Field(description="RUN commands in the first column and in this one")
    bytes_read: list[Count] = Field(description="bytes read in the first column and in this one")
    block: str | None = Field(default=None, description="the block whose limit grew most")
    more_saved_cycles: Count | None = Field(default=None, description="by how many cycles that limit grew")


class ColumnDifference(Fields):
    """How a column differs from the first one."""

    column: str = Field(description="name of the column")
    cycles_percent: float | None = Field(description="by how many percent its cycles differ")
    luts_percent: float | None = Field(description="by how many percent its LUTs differ")
    slower_layers: list[SlowerLayer] = Field(description="where it loses, most first")
    fields_alone: list[Help] | None = Field(
        default=None, description="what each field that differs does alone; absent in a comparison of files"
    )


class Comparison(Head):
    """What ``reprise compare --json``, and ``reprise estimate --json`` of several configurations, write."""

    kind: Literal["comparison"] = Field(description="which report this is")
    columns: list[Column] = Field(description="the reports; the others are compared with the first")
    differing_fields: dict[str, list[int]] = Field(description="fields of the configurations that differ")
    rows: list[ComparisonRow] = Field(description="layers, the end of the job, and the total")
    differences: list[ColumnDifference] = Field(description="how each column but the first differs from that one")
