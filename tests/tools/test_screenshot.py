"""The picture of the report is of the figures that the shipped network has now; no browser is needed to know.

Where there is a browser, the picture is taken again, and must show what the one in the repository shows.
"""

import io
import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from reprise.cosim.command import run_network
from reprise.cosim.options import Options
from reprise.cosim.report.fields import Cosimulation
from reprise.estimate.report.fields import checked
from reprise.hw.arch.config import HardwareConfig
from tools import screenshot

RECORD = json.loads(screenshot.RECORD.read_text())


def test_the_picture_is_of_the_record():
    assert screenshot.shown(screenshot.PICTURE) == screenshot.digest(RECORD), "run make screenshot"
    with Image.open(screenshot.PICTURE) as image:
        assert image.size == screenshot.SIZE


def test_the_record_is_of_the_shipped_network_now(tmp_path):
    """By the exact cycle model, whose cycles the record's RTL has in every row."""
    config = HardwareConfig.load("paper")
    options = Options(config=config, config_name="paper", images=8, engine="interpreter", out=tmp_path)
    assert run_network("digits", options, Console(file=io.StringIO())) == 0
    now = json.loads((tmp_path / "report.json").read_text())
    assert screenshot.figures(now) == screenshot.figures(RECORD), (
        "reprise cosim digits --config paper; cp build/cosim/report.json docs/measured/cosim.json; make docs"
    )
    checked(RECORD, Cosimulation)
    assert RECORD["engine"] == "rtl" and RECORD["command"] == "reprise cosim digits --config paper"
    for one in (*RECORD["layers"], RECORD["rest"], RECORD["total"]):
        assert one["cycles"]["rtl"] == one["cycles"]["cycle_model"]


def test_every_figure_counts_and_no_time():
    for path in (
        ("layers", 1, "cycles", "bound"),
        ("total", "bit_density"),
        ("speed", "clock", "mhz"),
        ("mismatches",),
    ):
        other = deepcopy(RECORD)
        *way, last = path
        place = other
        for step in way:
            place = place[step]
        place[last] += 1
        assert screenshot.digest(other) != screenshot.digest(RECORD), path
    assert screenshot.digest(RECORD | {"date": "", "commit": "x", "command": None}) == screenshot.digest(RECORD)


def _areas(picture: Path) -> dict[tuple[int, int, int], float]:
    """Return the share of the picture that each strong colour covers; letters and greys are left out."""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    strong = pixels[np.ptp(pixels, axis=1) > 70] // 32
    colours, counts = np.unique(strong, axis=0, return_counts=True)
    return {tuple(c): n / len(pixels) for c, n in zip(colours.tolist(), counts, strict=True) if n > 400}


@pytest.mark.skipif(screenshot.browser() is None, reason=f"none of {', '.join(screenshot.BROWSERS)} is on the path")
def test_a_browser_draws_what_the_picture_shows(tmp_path):
    """The charts have the same colours and sizes; fonts may differ from machine to machine."""
    again = tmp_path / "again.png"
    screenshot.draw(RECORD, str(screenshot.browser()), again)
    shown, drawn = _areas(screenshot.PICTURE), _areas(again)
    assert len(shown) >= 4, shown
    assert shown.keys() == drawn.keys()
    for colour, share in shown.items():
        assert drawn[colour] == pytest.approx(share, rel=0.2), colour


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A copy of the picture that is of other figures, and a browser that draws a red page."""
    picture = tmp_path / "report.png"
    Image.new("RGB", (3, 3)).save(picture)
    monkeypatch.setattr(screenshot, "PICTURE", picture)
    monkeypatch.setattr(screenshot, "ROOT", tmp_path)
    (tmp_path / "red.png").write_bytes(_red())
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor one in "$@"; do case $one in --screenshot=*) cp {tmp_path}/red.png "${{one#*=}}";; '
        f'file://*) cp "${{one#file://}}" {tmp_path}/page.html;; esac; done\n'
    )
    program.chmod(0o755)
    return picture


def _red() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (255, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(screenshot.app, list(arguments))
    return done.exit_code, done.output


def test_a_stale_picture_is_told_and_drawn(elsewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert run() == (1, "report.png: of other figures\n")
    assert run("--write") == (0, "written: report.png\n")
    assert run() == (0, "report.png: of the present figures\n")
    with Image.open(elsewhere) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0) and image.size == (40, 30)
    assert "All 3,664 elements equal the model." in (tmp_path / "page.html").read_text()
    before = elsewhere.stat().st_mtime_ns
    assert run("--write") == (0, "") and elsewhere.stat().st_mtime_ns == before
    assert run("--write", "--again") == (0, "written: report.png\n")


def test_without_a_browser_the_picture_stays(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(Path("/nowhere")))
    before = elsewhere.read_bytes()
    code, said = run("--write")
    assert code == 0 and "stays as it is: none of chromium, " in said and elsewhere.read_bytes() == before
