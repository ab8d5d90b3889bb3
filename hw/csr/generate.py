"""Generates the register map's Python constants, C header and page from ``hw/csr/registers.rdl``.

``python -m reprise.hw.csr.generate --write`` writes ``hw/csr/register_map.py``, ``hw/csr/registers.h`` and
``docs/registers.md``. It needs the ``fpga`` extra (systemrdl-compiler, peakrdl).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...support.command_line import OUTPUT_FOLDER, Write, commands, example, main

if TYPE_CHECKING:
    from systemrdl.node import FieldNode, RootNode

NAME = "python -m reprise.hw.csr.generate"
ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "hw" / "csr" / "registers.rdl"
STATIC_ASSERT = """#include <assert.h>
#if !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 201112L)
#undef static_assert /* C99 has none */
#define static_assert(condition, text) typedef char reprise_static_assert[(condition) ? 1 : -1]
#endif
"""
"""What PeakRDL's header includes, with what C99 lacks of it."""

app = commands()


def compile_rdl() -> RootNode:
    """Compile ``registers.rdl`` and return the elaborated address map."""
    from systemrdl.compiler import RDLCompiler

    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate()


def registers(root: RootNode) -> list[dict]:
    """Return the registers in order of their addresses, each as a dictionary.

    Its keys are the register's name, byte offset, title, text, the event that it counts (None if it is no counter) and
    fields. A field has its name, lowest bit, number of bits, access, reset value and text.
    """
    found = []
    for node in root.top.registers():
        fields = [
            {
                "name": f.inst_name,
                "low": f.low,
                "bits": f.width,
                "access": _access(f),
                "reset": f.get_property("reset") or 0,
                "text": f.get_property("desc") or "",
            }
            for f in node.fields()
        ]
        found.append(
            {
                "name": node.inst_name,
                "offset": node.absolute_address,
                "title": node.get_property("name"),
                "text": node.get_property("desc") or "",
                "event": node.get_property("counter_event", default=None),
                "fields": fields,
            }
        )
    return found


def _access(field: FieldNode) -> str:
    """Return a field's access: r, rw, w1 (acts when written 1) or w1c (cleared by writing 1)."""
    if field.get_property("onwrite") is not None:
        return "w1c"
    if field.get_property("singlepulse"):
        return "w1"
    return "rw" if field.is_sw_writable else "r"


def python_text(found: list[dict]) -> str:
    """Return the text of ``hw/csr/register_map.py``."""
    lines = [
        '"""The register map.',
        "",
        "It is generated from ``hw/csr/registers.rdl`` by ``python -m reprise.hw.csr.generate``; do not edit it here.",
        '"""',
        "",
        "OFFSETS = {",
        *(f'    "{r["name"]}": 0x{r["offset"]:03X},' for r in found),
        "}",
        '"""Byte offset of every register."""',
        "",
        "FIELDS = {",
    ]
    for r in found:
        lines.append(f'    "{r["name"]}": {{')
        for f in r["fields"]:
            reset = f"0x{f['reset']:X}" if f["reset"] > 9 else f["reset"]
            lines.append(f'        "{f["name"]}": ({f["low"]}, {f["bits"]}, "{f["access"]}", {reset}),')
        lines.append("    },")
    lines += [
        "}",
        '"""Fields of every register: lowest bit, bits, access as in docs/registers.md, value after reset."""',
        "",
        "COUNTERS = {",
        *(f'    "{r["name"]}": "{r["event"]}",' for r in found if r["event"]),
        "}",
        '"""The event that each counter register counts (``reprise.hw.interface.events``)."""',
    ]
    return "\n".join(lines) + "\n"


def markdown_text(found: list[dict]) -> str:
    """Return the text of ``docs/registers.md``."""
    first = next(r["offset"] for r in found if r["name"] == "CYCLES_LO")
    last = max(r["offset"] for r in found if r["event"])
    lines = [
        "# Registers",
        "",
        "A host reaches the accelerator through these registers of 32 bits, which are behind its AXI4-Lite port. This",
        "page is generated from `hw/csr/registers.rdl` by `python -m reprise.hw.csr.generate`.",
        "",
        "The column *access* says what a host may do: *r* is read only, *rw* is read and written, *w1* acts when 1 is",
        "written to it, and *w1c* is cleared by writing 1. Any other address is answered with SLVERR.",
        f"The registers from offset 0x{first:03X} to 0x{last:03X} are counters. They show the last snapshot, which",
        "is of the same cycle for all of them, and every job starts them at 0.",
        "",
        "| offset | register | bits | field | access | reset | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found:
        for i, f in enumerate(r["fields"]):
            bits = f"{f['low'] + f['bits'] - 1}:{f['low']}" if f["bits"] > 1 else f"{f['low']}"
            head = f"0x{r['offset']:03X} | {r['name']}" if i == 0 else " | "
            title = f"{r['title']}. {r['text']}".strip() if i == 0 else ""
            meaning = " ".join(part for part in (title, f["text"]) if part)
            lines.append(f"| {head} | {bits} | {f['name']} | {f['access']} | 0x{f['reset']:X} | {meaning} |")
    return "\n".join(lines) + "\n"


def header_text(root: RootNode) -> str:
    """Return the text of ``hw/csr/registers.h``, which PeakRDL writes."""
    from peakrdl_cheader.exporter import CHeaderExporter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registers.h"
        CHeaderExporter().export(root, str(path), reuse_typedefs=False)
        text = path.read_text().replace("#include <assert.h>\n", STATIC_ASSERT)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def outputs() -> dict[Path, str]:
    """Return every generated file and its text."""
    root = compile_rdl()
    found = registers(root)
    return {
        ROOT / "hw" / "csr" / "register_map.py": python_text(found),
        ROOT / "hw" / "csr" / "registers.h": header_text(root),
        ROOT / "docs" / "registers.md": markdown_text(found),
    }


@app.command(epilog=example(f"{NAME} --write"))
def generate(
    write: Write = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="also write browsable pages there")
    ] = None,
) -> None:
    """Make the register map's tracked files anew from hw/csr/registers.rdl: Python constants, C header, page."""
    made = outputs()
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if write:
            path.write_text(made[path])
        print(f"{'written' if write else 'differs'}: {path.relative_to(ROOT)}")
    if html:
        from peakrdl_html import HTMLExporter

        HTMLExporter().export(compile_rdl(), str(html))
        print(f"written: {html}")
    raise typer.Exit(int(bool(stale) and not write))


if __name__ == "__main__":
    main(app, NAME)
