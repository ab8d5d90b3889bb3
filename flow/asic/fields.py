"""The fields of ``reprise asic``'s report.json."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...estimate.report.fields import Count, Fields, Head


class AsicArea(Fields):
    """Cells and area of a block without the blocks in it, or of all."""

    cells: Count = Field(description="standard cells, flip-flops among them")
    flip_flops: Count = Field(description="flip-flops")
    gated_flip_flops: Count = Field(default=0, description="flip-flops behind a clock gate")
    logic_um2: float = Field(description="area of the standard cells")
    kilogates: float = Field(description="the same in thousands of NAND gates with two inputs")
    memory_um2: float = Field(description="area of SRAM macros and of memories made of latches")


class AsicBlock(AsicArea):
    """A block."""

    name: str = Field(description="instances from the top on, joined by dots; empty for the top itself")


class AsicTotal(AsicArea):
    """The whole accelerator."""

    macros: Count = Field(description="SRAM macros")
    area_mm2: float = Field(description="cells and memories together, without space between them")
    leakage_uw: float = Field(description="leakage of cells and memories at the typical corner")


class AsicMemory(Fields):
    """A memory of the design, and what it becomes."""

    name: str = Field(description="instances and name, joined by dots")
    words: Count = Field(description="number of words")
    bits: Count = Field(description="bits of a word")
    read_ports: Count = Field(description="number of read ports")
    becomes: str = Field(description="name of the macro, or `latches`")
    count: Count = Field(description="number of macros, or of latches")
    area_um2: float = Field(description="area of all of them")


class AsicTiming(Fields):
    """The longest path between two clock edges."""

    period_ns: float = Field(description="the path with clock-to-output and setup")
    mhz: float = Field(description="clock that this allows")
    start: str = Field(description="block in which it begins")
    end: str = Field(description="block in which it ends")
    nets: Count = Field(description="nets on the way")
    launch_ns: float = Field(description="from the clock edge to the first net")
    logic_ns: float = Field(description="from the first net to the last")
    setup_ns: float = Field(description="setup at the end")
    wire_ff: float = Field(description="assumed capacitance of the wire to one pin")
    period_ns_by_wire: dict[str, float] = Field(description="the period with half, once and twice that capacitance")


class Chip(Head):
    """What a report says of the chip."""

    configuration_name: str = Field(description="preset or file of the configuration, with changed fields behind it")
    configuration: dict[str, int] = Field(description="every field of the configuration")
    netlist: str = Field(description="the netlist that the sources described: a digest of the Verilog of `tiny`")
    library: dict[str, str] = Field(description="the cell library: its name, where it comes from, and its licence")


class Asic(Chip):
    """What ``reprise asic`` writes."""

    kind: Literal["asic"] = Field(description="which report this is")
    total: AsicTotal = Field(description="the whole accelerator")
    blocks: list[AsicBlock] = Field(description="every block that has cells or memories, without the blocks in it")
    memories: list[AsicMemory] = Field(description="the memories of the design")
    macros: dict[str, int] = Field(description="number of macros by name")
    cell_types: dict[str, int] = Field(description="number of cells by name")
    timing: AsicTiming = Field(description="the clock")
    limits: list[str] = Field(description="what these figures leave out")
    seconds: float = Field(description="how long mapping took, or finding it in the cache")
