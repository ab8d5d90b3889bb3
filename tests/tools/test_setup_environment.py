"""Setting up the environment: what each level installs, and what a person sees of it."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.setup_environment import EXTRAS, Progress, install, level_of, main, missing, normal, packages

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def closure(requirements: list[str]) -> set[str]:
    """Normalized names of all packages that some requirements bring, by what the installed ones say of themselves."""
    found: set[tuple[str, frozenset]] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        one = todo.pop()
        key = (normal(one.name), frozenset(one.extras))
        if key in found:
            continue
        found.add(key)
        if key[0] == PROJECT["name"]:
            todo += [Requirement(text) for extra in one.extras for text in PROJECT["optional-dependencies"][extra]]
            continue
        for text in distribution(one.name).requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in ("", *one.extras)):
                todo.append(needed)
    return {name for name, _ in found} - {PROJECT["name"]}


@pytest.mark.parametrize("level", EXTRAS)
def test_a_level_is_what_its_extras_bring(level):
    """The sections of constraints.txt are neither more nor less: that is what the progress line counts."""
    extras = re.findall(r"\w+", EXTRAS[level])
    asked = [*PROJECT["dependencies"], *(text for e in extras for text in PROJECT["optional-dependencies"][e])]
    assert set(packages(CONSTRAINTS, level)) == closure(asked)


def test_every_pin_stands_in_a_section_once():
    pins = re.findall(r"^([\w.-]+)==", CONSTRAINTS, re.M)
    assert len(pins) == len({normal(name) for name in pins}) == len(packages(CONSTRAINTS, "all"))


def test_the_base_has_no_torch_and_no_compiler_of_its_own():
    base = packages(CONSTRAINTS, "base")
    assert not {"torch", "scikit-learn", "scipy", "pyosys", "ruff"} & set(base) and len(base) < 50
    assert set(base) < set(packages(CONSTRAINTS, "fpga")) < set(packages(CONSTRAINTS, "all"))


def test_missing_packages_are_those_of_other_versions_too(tmp_path):
    for name in ("NumPy-2.0.dist-info", "find_libpython-0.5.1.dist-info", "rich-1.dist-info"):
        (tmp_path / name).mkdir()
    wanted = {"numpy": "2.0", "find-libpython": "0.5.1", "rich": "2", "typer": "1"}
    assert missing(wanted, tmp_path) == {"rich", "typer"}


PIP = """\
Looking in links: /somewhere
Obtaining file:///work
Collecting numba (from reprise==0.1.0)
  Downloading numba-0.68.1-cp311-cp311-manylinux_2_27_x86_64.whl (3.8 MB)
Processing /folder/find_libpython-0.5.1-py3-none-any.whl (from cocotb)
Requirement already satisfied: rich in /lib (from reprise==0.1.0)
Collecting setuptools>=77
Installing collected packages: numba, find-libpython
"""


def test_the_line_counts_what_is_installed(capsys):
    """Tools of the build and packages that are there already are not counted; each line says where pip is."""
    progress = Progress({"numba", "find-libpython"}, terminal=True)
    for line in PIP.splitlines():
        progress.read(line)
    shown = re.sub(r" \(\d+ s\)", "", capsys.readouterr().out).split("\r\033[K[setup] ")[1:]
    assert shown == ["1 of 2: numba", "2 of 2: find-libpython", "2 of 2 found, unpacking them"]


def test_without_a_terminal_nothing_is_drawn(capsys):
    progress = Progress({"numba"}, terminal=False)
    progress.read("Collecting numba")
    progress.end()
    assert capsys.readouterr().out == "" and progress.seen == {"numba"}


def test_pips_remarks_are_left_out_and_its_errors_are_not(tmp_path):
    python = tmp_path / "python"
    lines = ["WARNING: Location 'file:///opt/x/' is ignored: it is neither a file nor a directory.", "ERROR: no such"]
    python.write_text("#!/bin/sh\n" + "".join(f'echo "{line}" >&2\n' for line in lines) + "echo Collecting x\nexit 1\n")
    python.chmod(0o755)
    said = install(python, "base", Progress(set(), terminal=False))
    assert "ERROR: no such" in said and "is ignored" not in said
    python.write_text("#!/bin/sh\necho noise\n")
    assert install(python, "base", Progress(set(), terminal=False)) == ""


def test_a_level_must_be_one_of_those_there_are(capsys):
    assert [level_of([level]) for level in EXTRAS] == list(EXTRAS)
    for words in ([], ["everything"], ["base", "fpga"]):
        with pytest.raises(SystemExit) as ended:
            level_of(words)
        assert ended.value.code == 2 and "Traceback" not in capsys.readouterr().err


def test_another_python_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.version_info", (3, 12, 1))
    assert main("base", tmp_path / "venv") == 2
    assert "Python 3.11 is needed" in capsys.readouterr().out and not (tmp_path / "venv").exists()
