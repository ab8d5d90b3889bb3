"""Synthesizes blocks with Yosys and counts their cells, by resource and by instance."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amaranth import Const, Value
from amaranth.back import rtlil  # type: ignore[attr-defined]  # not in the stubs
from amaranth.lib import wiring

from ...estimate.area import structure
from ...hw.arch.config import HardwareConfig
from ...support.cache import Store, digest
from ...support.errors import RepriseError
from .. import yosys
from ..harness import Harness, make_block
from . import parts

NETLISTS = Store("netlists")
"""Where synthesized blocks, blocks in a harness, and netlists whose cells have their sites are kept."""

UNCHECKED = "setparam -set COLLISION_X_MASK 1'1 *processor*/t:$memrd_v2 *row_table*/t:$memrd_v2 %u */r:CLK_ENABLE=1 %i"
"""The processor and the row table never use a word that was read while it was written (docs/processor.md), so no logic
is needed that defines it."""


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A synthesized block.

    resources : units by resource (see :mod:`reprise.flow.fpga.parts`).
    cells : number of cells by type.
    blocks : on ECP5, the resources of each instance with everything below it. The design is flattened, so a LUT or
        flip-flop is attributed to the instance whose net it drives; totals are exact, and so are memories.
    structure : what the description held before synthesis; estimates are fitted to it.
    """

    target: str
    block: str
    netlist: Path
    resources: dict[str, float]
    cells: dict[str, int]
    blocks: dict[str, dict[str, float]]
    structure: structure.Structure
    seconds: float
    tool: str


def owner(cell: str, instances: set[str], depth: int) -> str:
    """Return the instance that a cell of a flattened design belongs to, at most ``depth`` deep; it is "" for the top.

    Flattening joins names with dots (``frontend.detector.match_LUT4_Z_3``). The names of packed fields hold dots, too,
    so only known ``instances`` count.
    """
    path = cell.replace("$flatten", "").replace("\\", "")
    while path:
        path = path.rpartition(".")[0]
        if path in instances:
            return ".".join(path.split(".")[:depth])
    return ""


def instances_of(cells: dict[str, dict]) -> set[str]:
    """Return the paths of the instances that flattening dissolved. Yosys leaves a $scopeinfo cell of each."""
    return {name for name, cell in cells.items() if cell["type"] == "$scopeinfo"}


def by_block(target: parts.Target, cells: dict[str, dict], depth: int = 3) -> dict[str, dict[str, float]]:
    """Return the resources of every instance down to ``depth``. The figures of an instance contain what is below it."""
    kinds: dict[str, Counter] = {}
    instances = instances_of(cells)
    for name, cell in cells.items():
        path = owner(name, instances, depth)
        while path:
            kinds.setdefault(path, Counter())[cell["type"]] += 1
            path = path.rpartition(".")[0]
    counted = {path: parts.count(target, found) for path, found in sorted(kinds.items())}
    return {path: figures for path, figures in counted.items() if any(figures.values())}


def ports_of(component: wiring.Component) -> dict:
    """Return the ports by name. Constant ones, such as the ``ready`` of a stream that is always ready, are no ports."""
    ports = {"__".join(map(str, path)): Value.cast(value) for path, _, value in component.signature.flatten(component)}
    return {name: (value, None) for name, value in ports.items() if not isinstance(value, Const)}


def synthesize(config: HardwareConfig, *, name: str, block: str = "core", target: str = "ecp5") -> Synthesis:
    """Synthesize one block of a configuration. If the cache holds a netlist of the same design, it is taken.

    Parameters
    ----------
    name : of the configuration, for people
    block : of :data:`reprise.flow.harness.BLOCKS`
    target : of :data:`reprise.flow.fpga.parts.TARGETS`

    Raises
    ------
    RepriseError
        There is no such block or target.
    yosys.ToolError
        Yosys fails.
    """
    if target not in parts.TARGETS:
        raise RepriseError(f"target must be one of {', '.join(parts.TARGETS)}, not {target!r}")
    start = time.perf_counter()
    part = parts.TARGETS[target]
    component = make_block(block, config)
    source = rtlil.convert(component, name=block, ports=ports_of(component), emit_src=False)
    before = ["read_rtlil design.il", UNCHECKED]
    after = [part.synth.format(top=block), "write_json netlist.json", "write_rtlil netlist.il"]

    def make(folder: Path) -> None:
        run = partial(yosys.run_script, folder=folder, name="synth", what=f"Yosys ({name} {block}, {target})")
        (folder / "design.il").write_text(source)
        try:
            run(before + after)
        except yosys.ToolError as error:
            # Yosys has a defect (abc9 in pyosys 0.70): few designs fail an assertion when they come with a hierarchy.
            if "ERROR: Assert" not in str(error):
                raise
            run([*before, f"hierarchy -top {block}", "flatten", *after])

    key = f"{name}-{block}-{target}-{digest(source, before, after, yosys.tool_version())}"
    netlist = NETLISTS.get(key, make).folder / "netlist.json"
    cells = yosys.cells_of(netlist, block)
    kinds = dict(sorted(Counter(c["type"] for c in cells.values()).items()))
    return Synthesis(
        target=target,
        block=block,
        netlist=netlist,
        resources=parts.count(part, kinds),
        cells=kinds,
        blocks=by_block(part, cells) if target == "ecp5" else {},  # other targets only number LUTs and flip-flops
        structure=structure.read(make_block(block, config), structure.CORE_PATH if block == "accelerator" else ()),
        seconds=time.perf_counter() - start,
        tool=yosys.tool_version(),
    )


def with_harness(config: HardwareConfig, design: Synthesis) -> Path:
    """Return the netlist of a synthesized block (ECP5) between shift registers, for routing; its top is ``harness``.

    The harness is synthesized around a black box, which is filled afterwards. So the block is the very one whose
    figures are known.
    """
    block, inside = design.block, design.netlist.with_name("netlist.il").read_bytes()
    source = rtlil.convert(Harness(make_block(block, config)), name="harness", emit_src=False)
    lines = [
        "read_rtlil harness.il",
        "blackbox harness.dut",
        parts.TARGETS["ecp5"].synth.format(top="harness"),
        "delete =harness.dut",
        "read_rtlil netlist.il",
        f"rename {block} harness.dut",
        "flatten",
        "write_json harness.json",
    ]

    def make(folder: Path) -> None:
        (folder / "harness.il").write_text(source)
        (folder / "netlist.il").write_bytes(inside)
        yosys.run_script(lines, folder=folder, name="harness", what=f"Yosys (harness of {block})")

    key = f"harness-{block}-{digest(source, inside, lines, yosys.tool_version())}"
    return NETLISTS.get(key, make).folder / "harness.json"
