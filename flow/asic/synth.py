"""Maps the accelerator to standard cells with Yosys. Memories stay out of the netlist."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...hw.emission import TOP, verilog_of
from ...support.cache import Store, digest, source
from .. import yosys
from . import clock_gates, netlist, scopes
from .library import Library, liberty, library

MAPPED = Store("mapped")

CONSTRAINTS = "set_driving_cell {buffer}\nset_load 0.01\n"
"""What ABC assumes of the nets that come from and go to flip-flops, memories and ports."""

TARGET_PS = 8000
"""The clock period that ABC aims at."""

SCRIPT = """\
read_verilog design.v
hierarchy -top {top}
proc -norom
opt_expr
opt_clean
memory_collect
memory -nomap
flatten
opt -full
wreduce
peepopt
opt_clean
alumacc
opt
memory -nomap
opt -fast -full
{words}techmap
{bits}opt -fast
setattr -unset init w:*
dfflibmap -liberty cells.lib
opt
abc -liberty cells.lib -D {target} -constr constraints
clean
{tie}clean
write_json yosys.json
"""
"""Registers keep their names, and have no initial value: the accelerator is reset."""

TIE = "hilomap -singleton -hicell {high} -locell {low}\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """A mapped accelerator.

    Members
    -------
    netlist, library : what it consists of
    cached : whether the cache had it
    seconds : how long that took
    """

    netlist: netlist.Netlist
    library: Library
    cached: bool
    seconds: float


def map_verilog(text: str, *, top: str, name: str, chosen: Library | None = None) -> Mapped:
    """Map a Verilog text to cells, or find its netlist in the cache.

    Parameters
    ----------
    text : Verilog, of which every module is used once
    top : name of the top module
    name : of the design, for people
    chosen : the cells; if none, those that Reprise ships

    Raises
    ------
    yosys.ToolError
        Yosys fails.
    """
    start, chosen = time.perf_counter(), chosen or library()
    ties = {key: " ".join(chosen.tie[value]) for key, value in (("high", "1"), ("low", "0")) if chosen.tie}
    script = SCRIPT.format(
        top=top,
        target=TARGET_PS,
        words=clock_gates.WORDS,
        bits=clock_gates.BITS.format(gate=chosen.clock_gate, least=clock_gates.LEAST),
        tie=TIE.format(**ties) if ties else "",
    )
    files = {
        "design.v": text,
        "cells.lib": liberty(chosen),
        "enables.v": clock_gates.ENABLES,
        "constraints": CONSTRAINTS.format(buffer=chosen.buffer),
    }

    def run(folder: Path) -> None:
        for file, content in files.items():
            (folder / file).write_text(content)
        yosys.run_script(script.splitlines(), folder=folder, name="map", what=f"Yosys ({name}, {chosen.name})")
        with gzip.open(folder / "yosys.json.gz", "wb", compresslevel=4) as packed:
            packed.write((folder / "yosys.json").read_bytes())
        for file in ("yosys.json", "map.log", *files):
            (folder / file).unlink()

    def convert(folder: Path) -> None:
        netlist.read(gzip.decompress((found.folder / "yosys.json.gz").read_bytes()), top, chosen).save(folder)

    key = digest(files, script, yosys.tool_version())
    found = MAPPED.get(f"{top}-{key}", run)  # whatever people call it
    code = [source(Path(str(module.__file__))) for module in (netlist, clock_gates, scopes)]
    entry = MAPPED.get(f"{top}-arrays-{digest(key, *code, chosen.name)}", convert)
    return Mapped(
        netlist=netlist.Netlist.load(entry.folder),
        library=chosen,
        cached=not found.made,
        seconds=time.perf_counter() - start,
    )


def synthesize(config: HardwareConfig, *, name: str, chosen: Library | None = None) -> Mapped:
    """Map the accelerator of a configuration called ``name``, as :func:`map_verilog` does."""
    return map_verilog(verilog_of(config).text, top=TOP, name=name, chosen=chosen)
