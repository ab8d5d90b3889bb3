"""What people see: tables at any width, progress in a log and on a terminal, characters that an output cannot show."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reprise.cosim.report.tables import cycle_table, density_table
from reprise.model.files.shipped import shipped
from reprise.support import progress
from reprise.support.progress import Stages, counting, doing
from reprise.support.terminal import Figures, counted, prose
from tests.reprise.command import reprise

ROOT = Path(__file__).resolve().parents[3]
DIGITS = shipped("digits")


def rendered(shown: object, width: int) -> list[str]:
    """The lines of a table as they stand in a pipe of that width."""
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    return console.file.getvalue().splitlines()


def cells(lines: list[str]) -> list[list[str]]:
    """The cells of every line of a table, of headings too."""
    return [[cell.strip() for cell in re.split("[│┃|]", line)[1:-1]] for line in lines if re.match("[│┃|]", line)]


@pytest.mark.parametrize("seed", range(6))
def test_a_table_loses_nothing_at_any_width(seed):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    headings = [
        f"{word} {'model' * int(n)}".strip() for word, n in zip("abcdefghij", rng.integers(0, 2, 10), strict=True)
    ]
    names = ["conv1", "stage2.block0.conv1", "total"]
    rows = [[f"{n:,}" for n in rng.integers(0, 10 ** int(rng.integers(1, 10)), 10)] for _ in names]
    table = Figures("layer", *headings, title="cycles")
    for name, row in zip(names, rows, strict=True):
        table.add_row(name, *row)
    for width in range(40, 150, 7):
        lines = rendered(table, width)
        assert max(map(len, lines)) <= width
        found = {name: [] for name in names}
        for line in cells(lines):
            if line[0] in found:
                found[line[0]] += line[1:]
        assert found == dict(zip(names, rows, strict=True)), "every figure of every line, whole and in its order"
        words = [word for line in cells(lines) for cell in line for word in cell.split()]
        assert all(word in words for heading in headings for word in heading.split())
        parts = sum(line[0] == "layer" for line in cells(lines))
        assert parts == 1 or width < len(rendered(table, 1000)[1]), "what fits stays together"


def test_a_name_that_fits_nowhere_is_wrapped_and_text_gives_way_before_figures():
    table = Figures("layer", "cycles", prose("why", least=12))
    table.add_row("a" * 40, "1,234,567", "one two three four five six seven eight")
    for width in (30, 36, 50):
        lines = rendered(table, width)
        assert max(map(len, lines)) <= width and any("1,234,567" in line for line in lines)
        assert "".join(line[0] for line in cells(lines) if set(line[0]) == {"a"}).startswith("a" * 40)
        assert "".join(" ".join(line[-1] for line in cells(lines)).split()).endswith("onetwothreefourfivesixseveneight")


def numbers(value: object) -> set[str]:
    """Every integer above 999 in a JSON value, as tables write it."""
    if isinstance(value, dict | list):
        return set().union(*map(numbers, value.values() if isinstance(value, dict) else value))
    return {f"{value:,}"} if isinstance(value, int) and value > 999 else set()


def test_estimate_and_density_break_no_number_at_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = reprise("estimate", DIGITS, "--config", "tiny", "--json", tmp_path / "a.json")
    report = json.loads((tmp_path / "a.json").read_text())
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 80
    tokens = set(done.out.split())
    for one in (*report["layers"], report["total"]):
        assert numbers(one["cycles"]) <= tokens
    assert {one["name"] for one in report["layers"]} <= tokens
    assert "1 image," in done.out and "image(s)" not in done.out
    done = reprise("density", "--json", tmp_path / "b.json")
    report = json.loads((tmp_path / "b.json").read_text())
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 80
    shown = {key: n for key, n in report["total"]["cycles"].items() if f"{n:,}" in done.out.split()}
    assert shown == report["total"]["cycles"]
    headings = " ".join(done.out.split())
    assert all(word in headings for word in ("density", "product", "reduction", "matches", "published", "bound"))


@pytest.mark.parametrize("width", ["0", "1", "19", "none"])
def test_a_width_that_is_none_shows_something(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    done = reprise("presets")
    assert done.code == 0 and "boards:" in done.out and {"tile_m", "1024"} <= set(re.split("[│┃\\s]+", done.out))


def test_show_cuts_no_heading_and_no_name_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = reprise("show", DIGITS)
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 80 and "…" not in done.out
    words = set(done.out.split())
    assert {"readout", "thermometer", "64x128x1x1", "membrane", "density", "encoding", "reads", "output"} <= words


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> dict:
    """A report whose RTL cycles are those of the model, as if it had been simulated."""
    out = tmp_path_factory.mktemp("cosim")
    done = reprise("cosim", DIGITS, "--config", "tiny", "--engine", "interpreter", "--images", "1", "--out", out)
    assert done.code == 0, done.text
    report = json.loads((out / "report.json").read_text())
    for one in (*report["layers"], report["rest"], report["total"]):
        one["cycles"]["rtl"] = one["cycles"]["cycle_model"]
        one["model_error_fraction"] = 0.0
        one["cause_cycles"] = {"adding": one["cycles"]["rtl"], "row": 5}
    report["layers"][0]["mismatches"] = 1
    return report


def test_the_tables_of_a_co_simulation_break_nothing_at_80_columns(stored):
    lines = rendered(cycle_table(stored), 80) + rendered(density_table(stored), 80)
    assert max(map(len, lines)) <= 80 and "…" not in "".join(lines)
    found = {cell for line in cells(lines) for cell in line}
    for one in (*stored["layers"], stored["total"]):
        kept = ("rtl", "cycle_model", "published_model", "bit_sparse", "dense")
        assert numbers([one["cycles"][key] for key in kept]) <= found
    assert "1 of 256" in found and {one["name"] for one in stored["layers"]} <= found


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_that_cannot_show_a_character_ends_no_run(encoding, tmp_path):
    words = ["cosim", str(DIGITS), "--config", "tiny", "--engine", "interpreter", "--images", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "reprise", *words, "--out", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        cwd=ROOT,
        capture_output=True,
    )
    assert done.returncode == 0 and done.stderr.decode(encoding).splitlines()[0] == "network digits: begins"
    assert done.stdout.decode(encoding).splitlines()[-1] == "all 458 elements equal the model"


def test_a_character_that_cannot_be_shown_is_a_question_mark():
    code = "import typer; from reprise.support.command_line import commands, main; app = commands()\n"
    code += "@app.command()\ndef say(): print('\\u2713 5 \\u00b5s'); raise ValueError('\\u2713')\nmain(app, 'say')"
    command, encoding = [sys.executable, "-c", code, "--traceback"], {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env={**os.environ, **encoding}, cwd=ROOT, capture_output=True)
    assert done.stdout == b"? 5 ?s\n" and b"internal error: ValueError: " in done.stderr and done.returncode == 1


def pipe() -> Console:
    return Console(file=io.StringIO(), width=80)


def screen() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=True)


def test_in_a_log_a_stage_has_a_line_when_it_begins_and_one_when_it_ends():
    console = pipe()
    with Stages(console) as stages:
        with stages.stage("build", "Verilator model", note="building (30 to 100 s the first time)") as stage:
            assert console.file.getvalue() == "Verilator model: building (30 to 100 s the first time)\n"
            stage.advance(3, "half of it")
            stage.remark("built")
        with stages.stage("model", "model"):
            assert console.file.getvalue().splitlines()[2:] == ["model: begins"]
    lines = console.file.getvalue().splitlines()
    assert re.fullmatch(r"Verilator model: done in \d+\.\d s, built", lines[1])
    assert re.fullmatch(r"model: done in \d+\.\d s", lines[3]) and len(lines) == 4
    with Stages(console := pipe(), quiet=True) as stages, stages.stage("model", "model"):
        pass
    assert console.file.getvalue() == ""


def test_in_a_log_a_long_job_has_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr(progress, "EVERY", -1.0)
    console = pipe()
    with counting(console, "train digits", 3) as count:
        for n in range(3):
            count.advance(1, f"loss {n}")
    lines = console.file.getvalue().splitlines()
    assert lines[:3] == [
        "train digits: 0 of 3",
        "train digits: 1 of 3, 0 s, loss 0",
        "train digits: 2 of 3, 0 s, loss 1",
    ]
    assert re.fullmatch(r"train digits: done in \d+\.\d s, loss 2", lines[3]) and len(lines) == 4
    with doing(console := pipe(), "Yosys", "1 to 10 minutes") as one:
        assert console.file.getvalue() == "Yosys: 1 to 10 minutes\n"
        one.note("half of it")
    assert re.fullmatch(r"Yosys: done in \d+\.\d s", console.file.getvalue().splitlines()[-1])


def test_on_a_terminal_of_80_columns_the_time_is_whole():
    console = screen()
    note = "building (30 to 100 s the first time), and more"
    with Stages(console) as stages, stages.stage("build", "waiting for the Verilator model", note=note, total=130):
        pass
    with counting(console, "train resnet-sparse-b2-n4-t1", 1000) as count:
        count.advance(1000, "loss 0.123456789 and more, which is cut")
    frames = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in re.split("[\r\n]+", console.file.getvalue())]
    first = [line for line in frames if "waiting for" in line]
    second = [line for line in frames if "train" in line]
    assert first and second and max(map(len, frames)) <= 80
    assert all("waiting for the Verilator model" in line and re.search(r"\d:\d\d:\d\d ", line) for line in first)
    assert all("train resnet-sparse-b2-n4-t1" in line and re.search(r"/1000 \d:\d\d:\d\d ", line) for line in second)
    assert "1000/1000" in second[-1]
    assert re.search(r"0:00:00 building \(30 to 100 s the$", first[-1]), "a note loses whole words"


def test_what_fails_leaves_no_bar_above_its_error():
    console = screen()
    with pytest.raises(KeyError), Stages(console) as stages, stages.stage("network", "network x", note="trained"):
        raise KeyError
    assert stages._progress.tasks == [] and "network" in stages.seconds


def test_numbers_of_things():
    assert [counted(n, "image") for n in (0, 1, 2, 1000)] == ["0 images", "1 image", "2 images", "1,000 images"]
    assert [counted(n, "mismatch") for n in (1, 2)] == ["1 mismatch", "2 mismatches"]
