"""``report.html``: one file without references, for a browser."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from .charts import grouped, picture, stacked
from .report import CAUSES_NOTE

STYLE = """
body{font-family:system-ui,sans-serif;margin:2em auto;max-width:60em;color:#222;line-height:1.45}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;font-size:.85em}td,th{padding:.25em .7em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
.good{color:#18794e}.bad{color:#c1121f;font-weight:bold}
.images{display:flex;flex-wrap:wrap;gap:1em}.images figure{margin:0;text-align:center;font-size:.85em}
.images img{width:96px;height:96px;image-rendering:pixelated;border:1px solid #ccc}
"""


def _figures(report: dict) -> list[str]:
    layers = report["layers"]
    parts = []
    if report["cycles"]["rtl"]:
        parts.append("<h2>RTL cycles by layer and cause</h2>")
        parts.append(stacked({one["name"]: one["causes"] for one in layers}, unit="cycles"))
        parts.append(f"<p>The accumulators were {CAUSES_NOTE}</p>")
    names = {"rtl": "RTL", "cycle_model": "cycle model", "published_model": "published model"}
    rows = {}
    for one in layers:
        rows[one["name"]] = {label: one["cycles"][k] for k, label in names.items() if one["cycles"][k] is not None}
    parts += ["<h2>Cycles: RTL and models</h2>", grouped(rows)]
    densities = {
        one["name"]: {"bits": 100 * one["bit_density"], "products": 100 * one["product_density"]} for one in layers
    }
    parts += ["<h2>Density by layer, percent of all bits</h2>", grouped(densities, form="{:.2f} %")]
    return parts


def _table(report: dict) -> str:
    head = ("layer", "RTL", "cycle model", "published", "bit-sparse", "dense", "bits", "products", "mismatches")
    lines = ["<tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>"]
    total = dict(report["total"], name="total", mismatches=report["mismatches"])
    for one in [*report["layers"], total]:
        c = one["cycles"]
        cells = [c[key] for key in ("rtl", "cycle_model", "published_model", "bit_sparse", "dense")]
        shown = ["-" if v is None else f"{v:,}" for v in cells]
        shown += [f"{100 * one[key]:.2f} %" for key in ("bit_density", "product_density")]
        wrong = one["mismatches"]
        mark = f'<td class="{"bad" if wrong else "good"}">{wrong:,}</td>'
        lines.append(f"<tr><td>{escape(one['name'])}</td>" + "".join(f"<td>{s}</td>" for s in shown) + mark + "</tr>")
    return "<table>" + "".join(lines) + "</table>"


def _images(report: dict, images: np.ndarray, levels: int, signed: bool) -> str:
    parts = []
    predicted = report["predictions"] or ["?"] * report["images"]
    for image, got, label in zip(images, predicted, report["labels"], strict=True):
        wanted = "" if label < 0 or label == got else f" (is {label})"
        kind = "good" if label < 0 or label == got else "bad"
        caption = f'<figcaption class="{kind}">{got}{wanted}</figcaption>'
        parts.append(f'<figure><img src="{picture(image, levels, signed)}" alt="image">{caption}</figure>')
    return '<div class="images">' + "".join(parts) + "</div>"


def write_html(report: dict, path: Path, *, images: np.ndarray, levels: int, signed: bool, notes: list[str]) -> None:
    """Write the page.

    Parameters
    ----------
    report : see :mod:`reprise.cosim.report.report`
    images : levels (images, C, H, W) or (images, T, C, H, W)
    levels, signed : of the input
    notes : lines of text below the title
    """
    wrong = report["mismatches"]
    verdict = f'<p class="bad">{wrong:,} mismatches: {escape(str(report["first_mismatch"]))}</p>'
    if not wrong:
        verdict = f'<p class="good">All {report["elements"]:,} elements of every feature map equal the model.</p>'
    title = f"{report['network']} on {report['config']}"
    body = [f"<h1>{escape(title)}</h1>", verdict, *(f"<p>{escape(note)}</p>" for note in notes)]
    body += ["<h2>Images and predictions</h2>", _images(report, images, levels, signed)]
    body += ["<h2>Cycles and densities</h2>", _table(report), *_figures(report)]
    tools = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    body.append(
        f"<h2>Made with</h2><p>{escape(tools)}; seed {report['seed']}; memory {escape(str(report['memory']))}</p>"
    )
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    path.write_text(f"{page}<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n")
