"""The fields of what a change of the configuration would do."""

from __future__ import annotations

from pydantic import Field

from .limit_fields import Count, Fields


class Help(Fields):
    """What a change of the configuration does to a layer or to the whole network, and what it costs."""

    change: dict[str, Count] = Field(description="the fields of the configuration that change, with their new values")
    refused: str | None = Field(
        default=None,
        description="why this configuration is not possible; all other fields but `change` are absent then",
    )
    cycles: Count | None = Field(default=None, description="cycles with this change, by the exact cycle model")
    cycles_percent: float | None = Field(default=None, description="by how many percent the cycles change")
    luts_percent: float | None = Field(
        default=None,
        description="by how many percent the estimated LUTs change; absent in layers, or if it costs much time",
    )
    flip_flops_percent: float | None = Field(default=None, description="the same of flip-flops")
    block_rams_percent: float | None = Field(default=None, description="the same of block RAMs")
    multipliers_percent: float | None = Field(default=None, description="the same of multipliers")
