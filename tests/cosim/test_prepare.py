"""The bench that another process makes while this one runs the models."""

import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from reprise.cosim.bench import system
from reprise.cosim.jobs import prepare
from reprise.cosim.jobs.prepare import Preparation
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
        assert preparation.bench().cached == {"verilog": True, "build": True}
    assert not stages.seconds


def test_other_benches_are_other_models():
    assert not system.known(TINY, memory_bytes=1 << 40) and not system.known(TINY.replace(psum_bits=TINY.psum_bits - 1))


def test_the_helper_makes_it_and_says_so(stages, monkeypatch):
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    with Preparation(TINY, 100, stages) as preparation:
        assert preparation.bench().cached == {"verilog": True, "build": True}
    assert stages.notes == {"verilog": "cached", "build": "cached"}
    assert set(stages.seconds) == {"verilog", "build", "waiting"}
    assert "; meanwhile " in stages.closing() and stages.closing().index("waiting") < stages.closing().index("verilog")


def test_a_helper_that_fails_costs_nothing_but_time(stages, monkeypatch):
    monkeypatch.setattr(system, "known", lambda *a, **k: False)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Preparation(TINY, 100, stages) as preparation:
        assert preparation.bench().model.executable.is_file()


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
