"""Faults of a user's machine while a simulator is built: spaces in paths, missing programs, a full disk."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reprise.cosim.bench import verilator
from reprise.cosim.bench.toolchain import TOOLS, plain_paths, require_tools, run_program
from reprise.support.cache import Store
from reprise.support.command_line import explanation
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise

COUNTER = "module counter(input clk, output reg [7:0] n); always @(posedge clk) n <= n + {step}; endmodule\n"


def counter(step):
    return verilator.Design(sources={"counter.v": COUNTER.format(step=step)}, top="counter")


@pytest.fixture
def anew(tmp_path, monkeypatch):
    """Models are built at a path that make cannot take, with a Verilator that lies at such a path, too."""
    strange = tmp_path / "my work $x #1"
    strange.mkdir()
    (strange / "verilator").symlink_to(verilator.VERILATOR_ROOT)
    monkeypatch.setattr(verilator, "VERILATOR_ROOT", strange / "verilator")
    monkeypatch.setattr(verilator, "MODELS", Store("models", strange))
    return strange


def test_a_checkout_path_with_a_space(anew):
    before = set(Path(tempfile.gettempdir()).glob("reprise-*"))
    model = counter(3).build()
    assert not model.cached and model.executable.is_relative_to(anew)
    done = subprocess.run([model.executable, "+none"], capture_output=True, text=True, timeout=60)
    assert "libcocotb" not in done.stderr and "cannot open shared object" not in done.stderr, done.stderr
    assert counter(3).build().cached
    assert sorted(path.name for path in model.executable.parent.iterdir()) == [
        ".made",
        "counter",
        "counter.v",
        "ports.vlt",
    ]
    assert set(Path(tempfile.gettempdir()).glob("reprise-*")) <= before, "links are removed"


def test_paths_that_make_can_take_stay_and_others_get_links(tmp_path, monkeypatch):
    plain, strange = tmp_path / "plain", tmp_path / "a b"
    for folder in (plain, strange):
        folder.mkdir()
    with plain_paths(plain, plain) as given:
        assert given == (plain, plain)
    with plain_paths(plain, strange) as (work, other):
        assert work == plain and other != strange and other.resolve() == strange.resolve() and " " not in str(other)
    assert not other.exists() and strange.is_dir()
    with pytest.raises(ZeroDivisionError), plain_paths(strange, plain) as (work, other):
        assert other == plain and " " not in str(work)
        (work / "log").write_text("why")
        _ = 1 / 0
    assert (strange / "log").read_text() == "why" and not work.exists()
    monkeypatch.setattr(tempfile, "tempdir", str(strange))
    with pytest.raises(RepriseError, match="the folder for temporary files must be .*, not '.*a b.*set TMPDIR"):
        with plain_paths(plain, strange):
            pass


def only(folder, *names):
    """A PATH that has these programs alone."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


@pytest.mark.parametrize("missing", TOOLS)
def test_a_program_that_is_missing_is_named_with_the_remedy(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(verilator, "MODELS", Store("models", tmp_path))
    monkeypatch.setenv("PATH", only(tmp_path / "bin", *set(TOOLS) - {missing}))
    with pytest.raises(RepriseError) as raised:
        counter(5).build()
    (line,) = explanation(raised.value)
    assert line.startswith(
        f"error: {missing} must be on PATH to build a simulator, and is not: install {TOOLS[missing]} ("
    )
    assert "--engine interpreter" in line
    assert not list(tmp_path.glob("cache/models/*")), "it is told before anything is made"


def test_all_that_is_missing_is_told_at_once(tmp_path):
    with pytest.raises(RepriseError, match=r"make, c\+\+, ar, perl must be on PATH .* and are not"):
        require_tools(str(tmp_path))


def test_the_command_says_so_before_any_work(tmp_path, monkeypatch):
    from reprise.cosim.bench import system

    monkeypatch.setattr(system, "known", lambda *_, **__: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = reprise("cosim", "digits", "--config", "tiny", "--images", "1", "--out", tmp_path / "out")
    assert done.code == 2, done.text
    assert done.err.splitlines()[-1].startswith("error: make, c++, ar, perl must be on PATH to build a simulator")


def test_a_full_disk_in_a_tool_names_the_folder_and_the_remedy(tmp_path):
    script = "echo 'fatal error: error writing to a.o: No space left on device' >&2; exit 1"
    with pytest.raises(OSError) as raised:
        run_program(["sh", "-c", script], cwd=tmp_path, env=os.environ, what="C++ build")
    assert raised.value.errno == errno.ENOSPC
    (line,) = explanation(raised.value)
    assert line.startswith(f"error: {tmp_path}: No space left on device: free some space, or set REPRISE_CACHE to")


def test_a_full_disk_in_the_cache_and_in_a_report(tmp_path):
    def fill(folder):
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    store = Store("things", tmp_path)
    with pytest.raises(OSError) as raised:
        store.get("one", fill)
    (line,) = explanation(raised.value)
    assert line.startswith(f"error: {store.folder}/one.") and "set REPRISE_CACHE" in line
    with pytest.raises(OSError) as raised:
        Path("/dev/full").write_text("x" * 100_000)
    (line,) = explanation(raised.value)
    assert line.startswith("error: /dev/full: No space left on device: free some space, or set REPRISE_CACHE")


def test_a_full_disk_where_figures_go(tmp_path):
    done = reprise("estimate", "digits", "--config", "tiny", "--json", "/dev/full")
    said = (
        "error: /dev/full: cannot be written: No space left on device: free some space, or name a file on another disk"
    )
    assert done.code == 2 and done.err.splitlines()[-1] == said


def test_too_little_memory_is_one_line():
    assert explanation(MemoryError("Unable to allocate 298. GiB")) == [
        "error: the memory of this machine must be enough, and it is not (Unable to allocate 298. GiB): take fewer "
        "images at a time"
    ]


def test_an_encoding_without_any_other_characters(tmp_path):
    """Files and both outputs, in a locale of ASCII alone."""
    env = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "reprise", "estimate", "digits", "--config", "tiny", "--json", tmp_path / "a.json"]
    done = subprocess.run(command, env=env, capture_output=True, timeout=120)
    assert done.returncode == 0 and done.stdout.isascii() and done.stderr.isascii(), done.stderr
    assert (tmp_path / "a.json").read_bytes().isascii()
