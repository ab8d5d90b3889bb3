"""The fields of what limits a layer, of how much of its tiles it fills, and what all fields are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Fields(BaseModel):
    """A part of a report: an unknown field, or a value of another type, is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BlockCycles(Fields):
    """Cycles by block of the accelerator."""

    im2col: Count = Field(description="builds the rows of a tile from the feature buffer, and loads them")
    detector: Count = Field(description="visits the rows of a tile by their number of bits, and finds prefixes")
    pe_array: Count = Field(description="adds residual bits, one weight row per cycle")
    psum: Count = Field(description="updates partial sums, and reads those of finished rows")
    neurons: Count = Field(description="takes finished rows, computes levels, pools them, packs lines")
    weights: Count = Field(description="loads weight rows")
    loads: Count = Field(description="fetches commands, and loads input lines, segments and neuron parameters")
    memory: Count = Field(description="latency of the memory, and the one word per cycle of its bus")


class LimitStep(Fields):
    """A block, or several together, that are idealized beside those of the steps before."""

    blocks: list[str] = Field(
        description="which blocks, by the fields of `saved_cycles`; several work at the same pace and save little alone"
    )
    saved_cycles: Count = Field(description="how many more cycles that saves")


class StartAndEnd(Fields):
    """Cycles of RUNs in which the processor has not begun, or has finished."""

    wait: Count = Field(description="nothing runs: commands and loads of the next RUN are awaited")
    fill: Count = Field(description="from a RUN's start to its first update of a partial sum")
    empty: Count = Field(description="from the last update to the RUN's end")


class Limits(Fields):
    """What limits a layer: the cycles that it would save if a block took no time and all else were as it is."""

    blocks: list[str] = Field(
        description="what limits it: the blocks of the first step; empty if nothing saves a cycle"
    )
    saved_cycles: BlockCycles = Field(description="what each block alone would save")
    steps: list[LimitStep] = Field(description="what saves most, then what saves most of what is left, and so on")
    rest_cycles: Count = Field(description="what is left after these steps")
    start_and_end_cycles: StartAndEnd = Field(description="cycles around the processor's work")


class Filled(Fields):
    """How much of something a layer fills."""

    mean: float = Field(description="how much is filled, on average")
    size: Count = Field(description="how much there is")


class TileUse(Fields):
    """How much of the tiles a layer fills."""

    lanes: Filled = Field(description="output channels of a block")
    rows: Filled = Field(description="rows of an m tile")
    bits: Filled = Field(description="bits of K in a K tile")
