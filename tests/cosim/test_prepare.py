"""The bench that another process makes while this one runs the models."""

import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from reprise.compiler import CompileError
from reprise.cosim.bench import system
from reprise.cosim.command import simulate
from reprise.cosim.jobs import prepare
from reprise.cosim.jobs.prepare import Preparation
from reprise.cosim.options import Options
from reprise.export.find import choose_images, open_network
from reprise.support.progress import Stages
from tests.support.cosim_jobs import TINY


@pytest.fixture(scope="module", autouse=True)
def built():
    """The model is in the cache, so that a helper has little to do."""
    return system.SystemBench(TINY)


@pytest.fixture
def stages(tmp_path):
    with (tmp_path / "shown").open("w") as shown, Stages(Console(file=shown), quiet=True) as stages:
        yield stages


def test_what_is_there_needs_no_helper(stages, monkeypatch):
    monkeypatch.setattr(prepare.subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    assert system.known(TINY)
    with Preparation(TINY, 100, stages) as preparation:
        assert preparation.bench(100).cached == {"verilog": True, "build": True}
    assert not stages.seconds


def test_other_benches_are_other_models():
    assert not system.known(TINY, memory_bytes=1 << 40) and not system.known(TINY.replace(psum_bits=TINY.psum_bits - 1))


def test_the_helper_makes_it_and_says_so(stages, monkeypatch):
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    with Preparation(TINY, 100, stages) as preparation:
        assert preparation.bench(100).cached == {"verilog": True, "build": True}
    assert stages.notes == {"verilog": "cached", "build": "cached"}
    assert set(stages.seconds) == {"verilog", "build", "waiting"}
    assert "; meanwhile " in stages.closing() and stages.closing().index("waiting") < stages.closing().index("verilog")


def test_a_bench_of_more_memory_is_made_when_it_is_needed(stages, monkeypatch):
    asked = []
    monkeypatch.setattr(system, "known", lambda *a, **k: True)
    monkeypatch.setattr(system, "SystemBench", lambda *a, memory_bytes, **k: asked.append(memory_bytes))
    with Preparation(TINY, (1 << 25) + 1, stages) as preparation:
        for size in (100, 1 << 26, (1 << 27) - 1):
            preparation.bench(size)
    assert asked == [1 << 26, 1 << 26, 1 << 27]


def test_the_bench_is_begun_before_k_tiles_are_chosen(tmp_path, stages, monkeypatch):
    """Choosing runs the model, whose kernels a first run compiles; the Verilog does not wait for that."""
    begun = []
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    start = Preparation._start
    monkeypatch.setattr(Preparation, "_start", lambda self: begun.append(start(self)) or begun[0])

    def run(*_: object, **__: object) -> None:
        assert begun and begun[0].poll() is None
        raise ZeroDivisionError

    monkeypatch.setattr("reprise.compiler.depths.run", run)
    config, file = TINY.replace(tile_k=16), open_network("digits", TINY)
    with pytest.raises(ZeroDivisionError):
        simulate(file, choose_images(file, 1, 0), Options(config=config, config_name="tiny", out=tmp_path), stages)
    assert begun[0].poll() is not None, "it ends with the run"


def test_a_network_that_cannot_be_compiled_begins_no_bench(tmp_path, stages, monkeypatch):
    monkeypatch.setattr(system, "known", lambda *a, **k: pytest.fail("somebody asked for a bench"))
    config, file = TINY.replace(max_levels=1), open_network("digits", TINY)
    with pytest.raises(CompileError, match="max_levels=1"):
        simulate(file, choose_images(file, 1, 0), Options(config=config, config_name="tiny", out=tmp_path), stages)


def test_a_helper_that_fails_costs_nothing_but_time(stages, monkeypatch):
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Preparation(TINY, 100, stages) as preparation:
        assert preparation.bench(100).model.executable.is_file()


def test_nobody_is_left_when_the_models_fail(tmp_path, stages, monkeypatch):
    """The helper and the compilers that it started end with the run that would have used them."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {tmp_path}/compiler\nwait\n")
    script.chmod(0o755)
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    monkeypatch.setattr(sys, "executable", str(script))
    pid = tmp_path / "compiler"
    with pytest.raises(ZeroDivisionError), Preparation(TINY, 100, stages):
        while not pid.exists() or not pid.read_text():
            time.sleep(0.01)
        _ = 1 / 0
    for _ in range(500):
        if not running(pid.read_text().strip()):
            return
        time.sleep(0.01)
    pytest.fail("the compiler still runs")


def running(pid: str) -> bool:
    """Whether a process still does something (one that has ended may wait to be taken off the table)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
