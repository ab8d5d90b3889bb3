"""The wheel is whole: built, installed without the checkout, and used in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from reprise.support import cache
from tools.setup_environment import packages

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "configs")


def tracked() -> list[str]:
    """Files of the working tree, those not committed yet among them; links as links."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted(name for name in listed if name and (ROOT / name).exists())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the tree: what an earlier build left in the checkout would come along otherwise."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        target = folder / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(folder), str(folder / "tree")]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment that has the dependencies of this one and Reprise from the wheel alone."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", *options]
    subprocess.run([*pip, str(wheel)], check=True)
    # After the wheel, so that pip finds no Reprise to replace. Files ``*.pth`` in these folders, by which the
    # checkout may be installed there, are not read: Python does so in its own site-packages only.
    constraints = packages((ROOT / "constraints.txt").read_text(), "base")
    places = {str(distribution(name).locate_file("").resolve()) for name in constraints}
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(sorted(places)) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    """Run a program of that environment in an empty folder; its output."""
    folder = tmp_path_factory.mktemp("empty")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment["REPRISE_CACHE"] = str(cache.root())

    def call(program: str, *arguments: str) -> str:
        command = [str(installed / "bin" / program), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call.folder = folder
    return call


def test_every_file_of_the_rooms_is_in_the_wheel(wheel):
    """Sources, presets, benches, headers, templates, drivers, networks, the mark of types, licences; nothing else."""
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = set()
    for name in tracked():
        top, _, rest = name.partition("/")
        if top in ROOMS and not name.endswith(".md"):
            expected.add(f"reprise/{name}")
        elif top == "reprise" and not (ROOT / name).is_symlink():
            expected.add(name)
    assert held == expected
    sources = (".py", ".sv", ".v", ".h", ".c", ".j2", ".rdl", ".vlt")
    kinds = (*sources, ".yaml", ".json", ".npz", ".safetensors", "py.typed")
    assert all(any(name.endswith(kind) for name in held) for kind in kinds)
    licences = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_reprise_is_not_the_checkout(run, installed):
    code = "import reprise, sys; print(reprise.__file__); print(*sys.path, sep='\\n')"
    file, *path = run("python", "-c", code).split("\n")
    assert Path(file).is_relative_to(installed)
    assert not any(Path(one).resolve() in (ROOT, ROOT / "reprise") for one in path if one)


def test_presets(run):
    listed = run("reprise", "presets")
    assert all(name in listed for name in ("tiny", "small", "paper", "paper2"))


def test_verilog(run):
    run("reprise", "verilog", "--config", "tiny")
    made = run.folder / "build/verilog/tiny"
    assert "module reprise" in (made / "reprise.v").read_text()
    assert json.loads((made / "reprise.json").read_text())["ports"]


def test_cosimulation_of_the_shipped_digits(run):
    """The same sources, so the same key: a model that the checkout built is taken."""
    said = run("reprise", "cosim", "digits", "--config", "tiny", "--images", "2", "--out", "cosim")
    assert "all 916 elements equal the model" in said
    report = json.loads((run.folder / "cosim/report.json").read_text())
    assert report["mismatches"] == 0 and report["total"]["cycles"]["rtl"] == report["total"]["cycles"]["cycle_model"]
    assert "commit" not in report and report["command"].startswith("reprise cosim digits")


def test_area_and_estimate(run):
    """They read data that comes along."""
    assert "frames per second" in run("reprise", "estimate", "digits", "--config", "tiny")
    assert "LUT" in run("reprise", "area", "--config", "tiny").upper()


def test_nothing_is_written_beside_the_sources(run, installed):
    """Kernels, Verilog and models go to the cache: a site-packages that can't be written is enough."""
    (site,) = (installed / "lib").glob("python*/site-packages")
    files = {p.suffix for p in (site / "reprise").rglob("*") if p.is_file() and "__pycache__" in p.parts}
    assert files <= {".pyc"}
