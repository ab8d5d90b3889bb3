"""The tables of ``docs/fpga.md``, from the committed figures: ``reprise fpga tables`` writes them."""

from __future__ import annotations

from pathlib import Path

from .parts import TARGETS

PAGE = Path("docs/fpga.md")
BORDERS = "By net name: registers and LUTs between two instances may be counted to either, or to the one around them."
PLACED_ONCE = "A seed is placed once, for grade 6, and routed for each grade."
BEGIN, END = "<!-- tables: reprise fpga tables -->", "<!-- end of tables -->"


def _number(value: float) -> str:
    return f"{value:,.1f}" if value != int(value) else f"{int(value):,}"


def synthesis_table(records: list[dict]) -> list[str]:
    """One row a synthesized design."""
    lines = [
        "| configuration | block | family | LUT4 or LUT6 | of these logic LUTs | FF | block RAM | DSP | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in (r for r in records if r["kind"] == "synthesis"):
        logic = sum(n for kind, n in r["cells"].items() if kind.startswith("LUT"))
        figures = " | ".join(_number(r[k]) for k in ("ff", "ram", "dsp"))
        lines.append(
            f"| {r['config']} | {r['block']} | {r['target']} | {_number(r['lut'])} | {_number(logic)} | {figures} |"
            f" `{r['command'].removeprefix('reprise fpga ')}`{' ' + r['note'] if r.get('note') else ''} |"
        )
    units = "; ".join(f"{t.name}: {t.ram_unit}" for t in TARGETS.values())
    return [*lines, "", f"Block RAM in units of: {units}."]


def block_table(records: list[dict], config: str, block: str = "core", depth: int = 2) -> list[str]:
    """Instances of one design."""
    found = [r for r in records if r["kind"] == "synthesis" and (r["config"], r["block"]) == (config, block)]
    lines = ["| instance | family | LUT | FF | block RAM | DSP |", "|---|---|---|---|---|---|"]
    for r in found:
        for path, figures in r["blocks"].items():
            if path.count(".") < depth:
                row = " | ".join(_number(figures[k]) for k in ("lut", "ff", "ram", "dsp"))
                lines.append(f"| `{path}` | {r['target']} | {row} |")
    return lines


def route_table(records: list[dict]) -> list[str]:
    """One row a routed design."""
    lines = [
        "| configuration | block | part, grade | Fmax (MHz) | LUT4 | FF | block RAM | critical path | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in (r for r in records if r["kind"] == "route"):
        used = " | ".join(f"{r['utilization'][k][0]:,}" for k in ("lut", "ff", "ram"))
        path = r["critical"].partition(":")[0]
        lines.append(
            f"| {r['config']} | {r['block']} | {r['part']}, {r['grade']} | {r['fmax']} | {used} | {path} |"
            f" `{r['command'].removeprefix('reprise fpga ')}` |"
        )
    return lines


def text(records: list[dict]) -> str:
    """Everything between the markers."""
    tools = sorted({r["tool"] for r in records})
    parts = ["", "### Synthesized", "", *synthesis_table(records)]
    for config in ("small", "paper"):
        table = block_table(records, config)
        if len(table) > 2:
            parts += ["", f"### Blocks of the `{config}` core", "", BORDERS, "", *table]
    if any(r["kind"] == "route" for r in records):
        parts += ["", "### Placed and routed", "", PLACED_ONCE, "", *route_table(records)]
    return "\n".join([*parts, "", f"Tools: {', '.join(tools)}.", ""])


def update(page: str, records: list[dict]) -> str:
    """The page with new tables.

    Raises
    ------
    ValueError
        The page has no markers.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"{PAGE} must hold {BEGIN!r} and {END!r}: the tables stand between them")
    return page.partition(BEGIN)[0] + BEGIN + "\n" + text(records) + "\n" + END + page.partition(END)[2]
