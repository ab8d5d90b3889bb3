"""Programs for developers: ``--help`` does no work, a wrong word is an error, and ``--write`` alone writes to docs."""

import importlib
import re
import runpy
import sys
import warnings
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *(ROOT / "tools").rglob("*.py"),
    ROOT / "tests" / "mutation" / "runner.py",
    ROOT / "tests" / "formal" / "measure.py",
    ROOT / "hw" / "csr" / "generate.py",
]
MAIN = 'if __name__ == "__main__":'


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return f"reprise.{name}" if name.startswith("hw.") else name


def called(name: str) -> str:
    """What stands after ``python -m``: a package is called by its own name."""
    return name.removesuffix(".__main__")


PROGRAMS = sorted(module_of(path) for path in FILES if MAIN in path.read_text())
WITHOUT_PACKAGES = "tools.setup_environment"
"""Runs before anything is installed, so that the standard library parses its command line."""


def tracked() -> dict[Path, tuple[int, int]]:
    """When files were written that a program may write, and their sizes."""
    folders = ("docs", "hw/csr", "model/files/data", "estimate/area", "configs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files = [path for path in [*files, *ROOT.glob("*.md")] if "__pycache__" not in path.parts]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.fixture
def program(monkeypatch, capsys, tmp_path):
    """Run a program as ``python -m`` does, elsewhere; its exit code and both outputs."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *words])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            warnings.filterwarnings("ignore", message=".*found in sys.modules")  # it is run anew on purpose
            runpy.run_module(name, run_name="__main__")
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_programs_are_found():
    assert {"tools.bench", "tools.make_sample", "tests.mutation.runner", "reprise.hw.csr.generate"} <= set(PROGRAMS)
    assert WITHOUT_PACKAGES in PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_does_no_work_and_ends_with_an_example(name, program, tmp_path):
    before = tracked()
    code, out, err = program(name, "--help")
    assert (code, err) == (0, "")
    last = " ".join(out.rpartition("\n\n")[2].split())
    examples = (f"Example: python -m {called(name)}", "Example: python3.11 tools/setup_environment.py")
    assert last.startswith(examples), last
    assert tracked() == before and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != WITHOUT_PACKAGES])
def test_every_command_has_an_example_of_options_that_it_has_and_explains(name):
    top = get_command(importlib.import_module(name).app)
    for word, command in getattr(top, "commands", {"": top}).items():
        start = f"Example: python -m {called(name)} {word}".rstrip()
        assert command.epilog.startswith(start), command.epilog
        assert all(param.help for param in command.params)
        known = {option for param in command.params for option in param.opts}
        assert {word for word in command.epilog.split() if word.startswith("--")} <= known


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_unknown_option_is_a_mistake(name, program):
    before = tracked()
    code, out, err = program(name, "--nonsense")
    assert (code, out) == (2, "")
    assert "error: " in err and "Traceback" not in err and (name == WITHOUT_PACKAGES or err.count("\n") == 1)
    assert tracked() == before


MISTAKES = [
    ("tests.mutation.runner", ["frontent"], "PART must be one of accel, .*frontend.*, not 'frontent'"),
    ("tools.bench", ["model.nothing"], "NAME must be the beginning of one of .*model.sample.*, not 'model.nothing'"),
    ("tools.bench", ["--out", "nowhere/a.json"], "--out must be a file that can be written, .*there is no folder"),
    ("tools.check_files", [], "Missing argument 'FILE'"),
    ("tools.doc_tables", ["none.md"], "PAGE must be a file that is there, not 'none.md': there is no such file"),
    ("tools.replay_core", ["none.npz"], "CAPTURE must be a file that is there, not 'none.npz'"),
    ("tools.replay_core", ["--config", "huge"], "config must be a preset"),
    ("tools.replay_core", ["--seed", "-1"], "--seed must be an integer of at least 0, not -1"),
    ("tools.setup_environment", ["everything"], "invalid choice: 'everything'"),
    ("tools.train_tables", ["lenet5", "--data", "none"], "--data must be a folder that is there, not 'none'"),
    ("tools.train_tables", ["joins", "--data", ".", "--epochs", "0"], "--epochs must be an integer of at least 1"),
    ("tools.train_tables", ["joins", "--data", ".", "--only", "sow"], "a join must be one of .*, not 'sow'"),
    ("tools.train_tables", ["curves", "--data", ".", "--thresholds", "1,x"], "--thresholds must be numbers"),
]


@pytest.mark.parametrize(("name", "words", "message"), MISTAKES, ids=[" ".join([n, *w]) for n, w, _ in MISTAKES])
def test_a_mistake_is_told_before_any_work(name, words, message, program):
    code, out, err = program(name, *words)
    assert (code, out) == (2, "") and re.search(message, err), err


def test_a_benchmark_without_its_data_is_skipped(program, monkeypatch, tmp_path):
    """As a program, where the class that the benchmark raises must be the one that the program catches."""
    monkeypatch.setattr("tools.benches.model.CAPTURE", tmp_path / "none.npz")
    code, out, err = program("tools.bench", "model.lenet5", "--out", "figures.json")
    assert (code, err) == (0, "") and "the published capture is absent" in out
    assert "the published capture is absent" in (tmp_path / "figures.json").read_text()
