"""Synthesis with Yosys: cells by resource and by block."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

from hw.config import HardwareConfig

from . import parts, yosys
from .harness import Harness, make_block

BUILD = Path("build/fpga")


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A synthesized block.

    resources : units by resource (see :mod:`hw.fpga.parts`); ``cells``: cells by type; ``blocks``: resources by
    instance, each with everything below it. A LUT belongs to the instance whose net it drives: the design is flattened,
    so an instance's LUTs are only attributed; their sum is exact, and so are flip-flops and memories.
    """

    target: str
    block: str
    netlist: Path
    resources: dict[str, float]
    cells: dict[str, int]
    blocks: dict[str, dict[str, float]]
    seconds: float
    tool: str


def owner(cell: str, depth: int) -> str:
    """The instance path of a cell in a flattened design, cut after ``depth`` instances.

    Flattening joins names with dots: ``frontend.detector.match_LUT4_Z_3`` is in ``frontend.detector``.
    """
    path = cell.replace("$flatten", "").replace("\\", "").split(".")[:-1]
    plain = []
    for part in path:
        if not part.isidentifier():
            break
        plain.append(part)
    return ".".join(plain[:depth])


def by_block(target: parts.Target, cells: dict[str, dict], depth: int = 3) -> dict[str, dict[str, float]]:
    """Resources of every instance down to ``depth``; an instance's figures contain what is below it."""
    kinds: dict[str, Counter] = {}
    for name, cell in cells.items():
        path = owner(name, depth)
        while path:
            kinds.setdefault(path, Counter())[cell["type"]] += 1
            path = path.rpartition(".")[0]
    counted = {path: parts.count(target, found) for path, found in sorted(kinds.items())}
    return {path: figures for path, figures in counted.items() if any(figures.values())}


def synthesize(
    config: HardwareConfig, *, name: str, block: str = "core", target: str = "ecp5", harness: bool = False,
    build: Path = BUILD,
) -> Synthesis:  # fmt: skip
    """Synthesize one block of a configuration.

    Parameters
    ----------
    name : of the configuration, for folder names.
    harness : with shift registers at the ports, for routing.
    build : folder of netlists, scripts and logs.

    Raises
    ------
    ValueError
        An unknown block or target.
    yosys.ToolError
        When Yosys fails.
    """
    if target not in parts.TARGETS:
        raise ValueError(f"target must be one of {', '.join(parts.TARGETS)}, not {target!r}")
    start = time.perf_counter()
    part = parts.TARGETS[target]
    component = make_block(block, config)
    if harness:
        component = Harness(component)
    top = block
    folder = build / name / f"{block}-{target}{'-harness' if harness else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    source, netlist = folder / "design.il", folder / "netlist.json"
    source.write_text(rtlil.convert(component, name=top, emit_src=False))
    lines = [f"read_rtlil {source}", part.synth.format(top=top), f"write_json {netlist}"]
    yosys.run_script(lines, folder=folder, name="synth", what=f"Yosys ({name} {block}, {target})")
    cells = yosys.cells_of(netlist, top)
    kinds = dict(sorted(Counter(c["type"] for c in cells.values()).items()))
    return Synthesis(
        target=target,
        block=block,
        netlist=netlist,
        resources=parts.count(part, kinds),
        cells=kinds,
        blocks=by_block(part, cells),
        seconds=time.perf_counter() - start,
        tool=yosys.tool_version(),
    )
