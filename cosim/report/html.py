"""Writes ``report.html``, a page for a browser that refers to no other file."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from .charts import causes_chart, cycles_chart, densities_chart, picture
from .tables import CAUSES, table_lines

STYLE = """
:root{color-scheme:light dark;--ink:#222;--page:#fff;--line:#ddd;--good:#18794e;--bad:#c1121f}
@media (prefers-color-scheme:dark){:root{--ink:#ddd;--page:#181a1b;--line:#444;--good:#4cc38a;--bad:#ff8a80}}
@media print{:root{--ink:#000;--page:#fff;--line:#bbb}}
body{font-family:system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:60em;color:var(--ink);
background:var(--page);line-height:1.45}
h1{font-size:1.5em;overflow-wrap:anywhere}h2{font-size:1.15em;margin-top:2em}
.wide{overflow-x:auto}.wide svg{display:block;width:100%;min-width:36em;height:auto}.wide text{font-family:inherit}
table{border-collapse:collapse;font-size:.85em;font-variant-numeric:tabular-nums}
td,th{padding:.25em .7em;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
td:first-child,th:first-child{text-align:left}
dl{font-size:.85em}dt{font-weight:600;float:left;clear:left;margin-right:.5em}dd{margin:0 0 .2em}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:bold}
.images{display:flex;flex-wrap:wrap;gap:1em}.images figure{margin:0;text-align:center;font-size:.85em}
.images img{width:96px;height:96px;image-rendering:pixelated;border:1px solid var(--line)}
"""
CYCLES = {
    "rtl": "RTL",
    "cycle_model": "cycle model",
    "bound": "bound",
    "published_model": "published model",
    "bit_sparse": "bit-sparse",
    "dense": "dense",
}
"""How the page calls the fields of ``cycles``; the charts know these names."""
TERMS = {
    "RTL": "measured in the simulated hardware, from the start command to the interrupt",
    "cycle model": "our model of the whole accelerator, which equals the RTL",
    "bound": "the least our processor can take for these tiles if nothing else takes time",
    "published model": "the compute model of the published Prosperity simulator, without memory and neurons",
    "bit-sparse": "one set bit per cycle",
    "dense": "one bit per cycle, set or not",
    "bits": "set bits of all bits of the rows that a layer reads",
    "products": "bits that product sparsity leaves to add, of all bits",
}


def _wide(content: str) -> str:
    """Let content scroll by itself where the page is narrower."""
    return f'<div class="wide">{content}</div>'


def _list(meanings: dict[str, str]) -> str:
    """List words with their meanings."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in meanings.items()) + "</dl>"


def _figures(report: dict) -> list[str]:
    layers = report["layers"]
    parts = []
    if report["total"]["cycles"]["rtl"]:
        parts.append("<h2>RTL cycles by layer and cause</h2>")
        parts.append(_wide(causes_chart({one["name"]: one["cause_cycles"] for one in layers})))
        parts.append(f"<p>Every cycle has one cause, by what the accumulators did in it.</p>{_list(CAUSES)}")
    cycles = {one["name"]: {name: one["cycles"][key] for key, name in CYCLES.items()} for one in layers}
    parts += ["<h2>Cycles by layer</h2>", _wide(cycles_chart(cycles))]
    densities = {
        one["name"]: {"bits": 100 * one["bit_density"], "products": 100 * one["product_density"]} for one in layers
    }
    parts += ["<h2>Density by layer</h2>", _wide(densities_chart(densities))]
    return parts


def _table(report: dict) -> str:
    head = ("layer", *CYCLES.values(), "bits", "products", "mismatches")
    lines = ["<tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>"]
    for name, one in table_lines(report):
        cells = [one["cycles"].get(key) for key in CYCLES]
        shown = ["-" if v is None else f"{v:,}" for v in cells]
        shown += [f"{100 * one[key]:.2f} %" if key in one else "-" for key in ("bit_density", "product_density")]
        wrong = one.get("mismatches")
        mark = "<td>-</td>" if wrong is None else f'<td class="{"bad" if wrong else "good"}">{wrong:,}</td>'
        lines.append(f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{s}</td>" for s in shown) + mark + "</tr>")
    return _wide("<table>" + "".join(lines) + "</table>") + _list(TERMS)


def _images(report: dict, images: np.ndarray, levels: int, signed: bool) -> str:
    parts = []
    predicted = report["predictions"] or ["?"] * report["images"]
    for image, got, label in zip(images, predicted, report["labels"], strict=True):
        right = label is None or label == got
        wanted = "" if right else f" (is {label})"
        kind = "good" if right else "bad"
        caption = f'<figcaption class="{kind}">{got}{wanted}</figcaption>'
        parts.append(f'<figure><img src="{picture(image, levels, signed)}" alt="image">{caption}</figure>')
    return '<div class="images">' + "".join(parts) + "</div>"


def write_html(report: dict, path: Path, *, images: np.ndarray, levels: int, signed: bool, notes: list[str]) -> None:
    """Write the page.

    Parameters
    ----------
    report : of :func:`reprise.cosim.report.report.make_report`
    path : of the page
    images : levels (images, C, H, W) or (images, T, C, H, W)
    levels : largest level of the input
    signed : whether the input is int8
    notes : lines of text below the title
    """
    wrong = report["mismatches"]
    verdict = f'<p class="bad">{wrong:,} mismatches: {escape(str(report["first_mismatch"]))}</p>'
    if not wrong:
        verdict = f'<p class="good">All {report["elements"]:,} elements of every feature map equal the model.</p>'
    title = f"{report['network']} on {report['configuration_name']}"
    body = [f"<h1>{escape(title)}</h1>", verdict, *(f"<p>{escape(note)}</p>" for note in notes)]
    body += ["<h2>Images and predictions</h2>", _images(report, images, levels, signed)]
    body += ["<h2>Cycles and densities</h2>", _table(report), *_figures(report)]
    tools = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    body.append(
        f"<h2>Made with</h2><p>{escape(tools)}; seed {report['seed']}; memory {escape(str(report['memory']))}</p>"
    )
    page = '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    page += '<meta name="viewport" content="width=device-width,initial-scale=1">'
    page += f"<title>{escape(title)}</title>"
    path.write_text(f"{page}<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n")
