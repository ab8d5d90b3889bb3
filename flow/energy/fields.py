"""The fields of ``reprise energy``'s report.json."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...estimate.report.fields import Count, Fields
from ..asic.fields import Chip


class EnergyColumns(Fields):
    """Energy in nanojoules, by what it goes into."""

    logic_nj: float = Field(description="nets that toggle, and cells inside")
    clock_nj: float = Field(description="the clock of flip-flops: pins, wires and inside")
    memories_nj: float = Field(description="memories that are read, written or clocked")
    leakage_nj: float = Field(
        description="leakage, at the clock that static timing allows; of blocks, it is in the top"
    )
    chip_nj: float = Field(description="the sum of these")


class LayerEnergy(EnergyColumns):
    """A layer, or the end of the job."""

    name: str = Field(description="name of the layer")
    cycles: Count = Field(description="cycles in the RTL")
    dram_nj: float = Field(description="bits that its commands move x 12.45 pJ")
    operation_count_nj: float = Field(description="what the operation-count account of the literature says, at 45 nm")


class BlockEnergy(EnergyColumns):
    """A block with all blocks in it."""

    name: str = Field(description="the block")


class TotalEnergy(EnergyColumns):
    """The whole job."""

    cycles: Count = Field(description="cycles from the start command to the interrupt")
    dram_nj: float = Field(description="bits that all commands move x 12.45 pJ")
    operation_count_nj: float = Field(description="the operation-count account of all layers")
    wires_nj: float = Field(description="what of the sum the assumed wires take")
    chip_nj_by_wire: dict[str, float] = Field(description="the sum with half and with twice the wires")
    chip_nj_as_built: float = Field(description="the sum if every enabled read of a memory is charged")
    parts_nj: dict[str, float] = Field(description="the sum in finer parts")


class EnergyReplay(Fields):
    """How the replay checked itself."""

    compared_bits: Count = Field(description="bits at inputs of flip-flops that were compared with what was recorded")
    differing_bits: Count = Field(description="how many differ")


class Energy(Chip):
    """What ``reprise energy`` writes."""

    kind: Literal["energy"] = Field(description="which report this is")
    network: str = Field(description="name of the network")
    images: Count = Field(description="images of the batch; energies are those of all")
    mode: Literal["bit", "dense"] | None = Field(
        default=None, description="what RUNs leave out, if not what product sparsity does; absent if it is"
    )
    period_ns: float = Field(description="clock period by static timing, which leakage depends on")
    wire_ff: float = Field(description="assumed capacitance of the wire to one pin")
    replay: EnergyReplay = Field(description="the replay's own check")
    layers: list[LayerEnergy] = Field(description="by layer")
    blocks: list[BlockEnergy] = Field(description="by block, the largest first")
    total: TotalEnergy = Field(description="the whole job")
    limits: list[str] = Field(description="what these figures leave out")
