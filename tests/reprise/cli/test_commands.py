"""The command ``reprise``: help that fits a screen, one voice for mistakes, exit codes, nothing heavy at its start."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from reprise.cli import app
from reprise.compiler.golden.arithmetic import WidthExceeded
from reprise.compiler.golden.errors import ProgramError
from reprise.export.pipeline import Refused
from reprise.model.files.shipped import shipped
from reprise.support import errors
from reprise.support.errors import RepriseError, SimulationError
from tests.reprise.command import reprise

ROOT = Path(__file__).resolve().parents[3]
DIGITS = shipped("digits")
HEAVY = {"torch", "amaranth", "numba", "cocotb", "matplotlib", "sklearn"}


def command_names(command, path=()):
    """Every command and group, as the words that call it."""
    yield path
    for name, sub in getattr(command, "commands", {}).items():
        yield from command_names(sub, (*path, name))


COMMANDS = sorted(command_names(get_command(app.app)))


def test_there_is_every_command():
    top = "train check show import density record estimate compare area fit cosim soak fuzz verilog presets image fpga"
    assert {path[0] for path in COMMANDS if path} == {*top.split(), "asic", "energy", "export"}
    kinds = {"nir", "qonnx", "spikingjelly", "torch"}
    assert {path[1] for path in COMMANDS if len(path) == 2 and path[0] == "import"} == kinds
    assert {path[1] for path in COMMANDS if len(path) == 2 and path[0] == "export"} == {"nir"}
    fpga = {"handoff", "synth", "route", "check"}
    assert {path[1] for path in COMMANDS if len(path) == 2 and path[0] == "fpga"} == fpga


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_a_screen_and_ends_with_an_example(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = reprise(*path, "--help")
    lines = done.out.rstrip("\n").splitlines()
    assert done.code == 0 and done.err == ""
    assert len(lines) <= 24, done.out
    assert max(map(len, lines)) <= 100, done.out
    assert lines[-1].strip().startswith("Example: reprise " + " ".join(path)), lines[-1]
    assert "`" not in done.out, "marks of a docstring"


def test_every_example_is_understood(tmp_path, monkeypatch):
    """The options and arguments of an example exist: it is parsed, and nothing of it is run."""
    monkeypatch.chdir(tmp_path)
    for path in COMMANDS:
        command = get_command(app.app)
        for name in path:
            command = command.commands[name]
        words = command.epilog.removeprefix("Example: reprise ").split()
        for word in words:  # the files that it reads
            if word.endswith("_FOLDER"):
                Path(word).mkdir()
            elif "." in word:
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                Path(word).touch()
        inner = get_command(app.app)
        while words and words[0] in getattr(inner, "commands", {}):
            inner = inner.commands[words.pop(0)]
        inner.make_context("reprise", words)


@pytest.mark.parametrize("arguments", [("presets",), ("--help",), ("--version",), ("cosim", "--help")])
def test_the_start_is_light(arguments):
    code = (
        "import sys; from reprise.cli.app import run; code = run(sys.argv[1:]); "
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "[]\n", done.stderr


@pytest.mark.parametrize("group", [(), ("fpga",), ("import",)])
def test_a_group_alone_shows_its_help(group):
    assert reprise(*group) == reprise(*group, "--help")


def test_version():
    from importlib.metadata import version

    assert reprise("--version").out == f"reprise {version('reprise')}\n"


def test_a_field_of_a_recipe_is_none_of_the_hardware():
    """So ``reprise train --set FIELD=VALUE`` knows which of both a field belongs to."""
    from reprise.export.train.recipe import Recipe
    from reprise.hw.arch.config import HardwareConfig

    assert not set(Recipe.model_fields) & set(HardwareConfig().to_dict())


def told(monkeypatch, error):
    """What ``reprise presets`` says when its work ends in an error."""

    def fail():
        raise error

    monkeypatch.setattr("reprise.cli.verilog.terminal", fail)
    return reprise("presets")


def test_several_problems_are_several_lines_and_a_log_is_no_problem(monkeypatch):
    done = told(monkeypatch, RepriseError("a must be 1, not 2", "b must be 3, not 4", detail="log of\nthe tool"))
    assert (done.code, done.err) == (2, "error: a must be 1, not 2\nerror: b must be 3, not 4\nlog of\nthe tool\n")


def test_other_exit_codes(monkeypatch):
    done = told(monkeypatch, SimulationError("the job never ended\nlast line of the log"))
    assert (done.code, done.err) == (3, "error: the job never ended\nlast line of the log\n")
    done = told(monkeypatch, KeyboardInterrupt())
    assert done.code == 130 and "start the same command again" in done.err and done.err.count("\n") == 1
    done = told(monkeypatch, FileNotFoundError(2, "No such file or directory", "spikes.npz"))
    assert (done.code, done.err) == (2, "error: spikes.npz: No such file or directory\n")
    monkeypatch.setattr("reprise.cosim.command.run_network", lambda *_: 1)
    assert reprise("cosim", "--config", "tiny").code == 1


@pytest.mark.parametrize(
    "package, extra", [("torch", "train"), ("nir", "import"), ("pyosys", "fpga"), ("pandas", None)]
)
def test_a_missing_optional_package_names_its_extra(monkeypatch, package, extra):
    error = ModuleNotFoundError(f"No module named {package + '.nn'!r}", name=f"{package}.nn")
    if extra is None:  # no extra of ours would bring it: a fault of ours
        with pytest.raises(ModuleNotFoundError):
            told(monkeypatch, error)
        return
    done = told(monkeypatch, error)
    assert done.code == 2 and done.err.startswith(f"error: the package {package!r} ")
    assert done.err.endswith(f"pip install 'reprise[{extra}]'\n")


def test_importing_without_its_packages_names_the_extra_that_brings_all(monkeypatch):
    for package in ("torch", "nir", "spikingjelly"):
        monkeypatch.setitem(sys.modules, package, None)
    for command in (("import", "nir", "x.nir"), ("import", "spikingjelly", "nets:make")):
        done = reprise(*command)
        assert done.code == 2 and done.err.endswith(": pip install 'reprise[import]'\n"), done.err


def test_extras_are_those_of_pyproject():
    """A package that an error names comes with the extra that it names: directly, or with a package that needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brings = {"h5py": "nir", "peakrdl_html": "peakrdl", "systemrdl": "peakrdl", "sklearn": "scikit_learn"}
    brings["cocotbext"] = "cocotbext_axi"
    for package, extra in errors.EXTRAS.items():
        names = {name.replace("-", "_") for name in project["optional-dependencies"][extra]}
        assert brings.get(package, package) in names, package
    base = {name.replace("-", "_") for name in project["dependencies"]}
    assert not base & set(errors.EXTRAS)


def test_an_internal_error_is_no_mistake_of_the_user(monkeypatch):
    """Neither what NumPy or Python raise inside nor what a check of ours does; a plain ValueError is one, too."""
    kinds = (KeyError, TypeError, RuntimeError, AssertionError, ValueError, OSError)
    for error in (kind("x") for kind in (*kinds, ProgramError, WidthExceeded, Refused)):
        with pytest.raises(type(error)):
            told(monkeypatch, error)
    monkeypatch.setattr("reprise.cli.verilog.terminal", lambda: np.zeros(3) + np.zeros(4))
    with pytest.raises(ValueError, match="broadcast"):
        reprise("presets")


BROKEN = """
import sys
from reprise.cli import app, verilog

def fail():
    raise KeyError("lanes")

verilog.terminal = fail
app.main()
"""


@pytest.mark.parametrize("place", ["folder", "file"])
@pytest.mark.parametrize("words", [["presets"], ["presets", "--traceback"], ["--traceback", "presets"]], ids=" ".join)
def test_an_internal_error_is_told_in_one_line_and_its_traceback_is_kept(words, place, tmp_path):
    """A cache that cannot be written loses no traceback: it is shown then."""
    cache = tmp_path / "cache"
    cache.mkdir() if place == "folder" else cache.touch()
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, *words],
        env={**os.environ, "REPRISE_CACHE": str(cache)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    *shown, last = done.stderr.splitlines()
    assert last.startswith("internal error: KeyError: 'lanes' (<string>, line 6): please report it with the traceback")
    if place == "folder" and "--traceback" not in words:
        assert shown == [] and last.endswith(f" in {cache / 'traceback.txt'} (or shown with --traceback)")
        shown = (cache / "traceback.txt").read_text().splitlines()
        assert shown.pop(0).endswith("presets")
    assert "Traceback (most recent call last):" in shown and "KeyError: 'lanes'" in shown


def test_no_traceback_reaches_a_person():
    """The whole way once, as a process: one line on stderr, nothing on stdout, exit code 2."""
    command = [sys.executable, "-m", "reprise", "estimate", "none.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr


OLD = [
    ("cosim run --network digits", "`python -m cosim run` is now `reprise cosim`"),
    ("cosim capture spikes.npz", "`python -m cosim capture` is now `reprise cosim --capture`"),
    ("cosim soak", "`python -m cosim soak` is now `reprise soak`"),
    ("model density", "`python -m model density` is now `reprise density`"),
    ("model estimate x.yaml", "`python -m model estimate` is now `reprise estimate`"),
    ("export train", "`python -m export train` is now `reprise train`"),
    ("export import-nir x.nir", "`python -m export import-nir` is now `reprise import nir`"),
    ("hw verilog --config tiny", "`python -m hw verilog` is now `reprise verilog`"),
    ("hw estimate", "`python -m hw estimate` is now `reprise area`"),
    ("hw --help", "`python -m hw` is now `reprise verilog`"),
]


@pytest.mark.parametrize(("old", "said"), OLD)
def test_an_old_form_says_its_new_name(old, said):
    done = subprocess.run([sys.executable, "-m", *old.split()], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {said}\n")


def test_new_names_of_old_forms_exist():
    names = {" ".join(path) for path in COMMANDS}
    for _, said in OLD:
        new = said.split("`")[3].removeprefix("reprise ").removesuffix(" --capture")
        assert new in names, new
