"""Simulates the mapped netlist itself on recorded inputs: its toggles are what the replay is held against.

The netlist is Verilog (:mod:`reprise.flow.energy.gates`) in Verilator. It gets the inputs that the RTL got, from the
first cycle of the reset on; its flip-flops and memories go their own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...cosim.bench.main_program import CYCLE_PS
from ...cosim.bench.verilator import MAKE_VARIABLES, run_tool
from ...cosim.trace.fst import Waveform
from ...hw.emission import TOP
from ..asic.library import Library
from ..asic.netlist import Netlist
from .gates import GateLevel
from .replay import Activity, Replay
from .sources import CYCLE, DUT, load

FLAGS = [
    *MAKE_VARIABLES[:3],
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    *(f"OPT_{n}=-O0" for n in ("FAST", "SLOW", "GLOBAL")),
]
"""Variables of make. Delays in Verilog are coroutines in C++, and compiling takes longer than the simulation does."""

BENCH = """
module bench;
  reg clk = 0;
  reg [{width}:0] vectors [0:{last}];
  reg [{width}:0] now;
  integer cycle;
  {top} dut({ports});
  always @(posedge clk) now <= vectors[cycle + 1];
  initial begin
    $readmemh("vectors.hex", vectors);
    now = vectors[0];
    for (cycle = 0; cycle < {last}; cycle = cycle + 1) begin
      #1 if (cycle == {first}) begin
        $dumpfile("nets.vcd");
        $dumpvars(1, dut);
      end
      #1 clk = 1;
      #1 clk = 0;
    end
    $finish;
  end
endmodule
"""
"""Plays recorded inputs, which change with the clock's edge, so that every net settles once in a cycle."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """The same cycles, replayed and simulated at gate level.

    Members
    -------
    replayed : the replay's activity
    toggles : int64[nets] of the gate-level simulation; 0 for nets that are no gate's or flip-flop's output
    differing : outputs of gates and flip-flops whose toggles differ
    outputs : how many there are
    """

    replayed: Activity
    toggles: np.ndarray
    differing: int
    outputs: int


def _times(wave: Waveform) -> tuple[np.ndarray, np.ndarray]:
    """Return a time in every cycle, and the bench's count of cycles there."""
    handle, width = wave.signals[CYCLE]
    times = np.arange(wave.end // CYCLE_PS) * CYCLE_PS + CYCLE_PS // 2
    return times, (wave.sample(handle, times).astype(np.int64) << np.arange(width)[:, None]).sum(axis=0)


def simulate(
    netlist: Netlist, library: Library, inputs: dict[str, np.ndarray], first: int, folder: Path, top: str = TOP
) -> np.ndarray:
    """Simulate a netlist; return int64[nets], how often every net toggles after cycle ``first``.

    Parameters
    ----------
    netlist, library : what is simulated
    inputs : bool[width, cycles] of every input but the clock, from the reset on
    first : the first cycle that counts
    folder : where files are written
    top : name of the module
    """
    rows, low = list(inputs.values()), 0
    ports = [".clk(clk)"]
    for name, values in inputs.items():
        ports.append(f".{name}(now[{low + len(values) - 1}:{low}])")
        low += len(values)
    bits = np.concatenate(rows)
    padded = np.zeros((-(-len(bits) // 8) * 8, bits.shape[1]), bool)
    padded[: len(bits)] = bits
    words = np.packbits(padded, axis=0, bitorder="little").T[:, ::-1]
    gates = GateLevel(netlist, library)
    (folder / "netlist.v").write_text(gates.text(top))
    (folder / "vectors.hex").write_text("\n".join(word.tobytes().hex() for word in words) + "\n")
    bench = BENCH.format(width=len(bits) - 1, last=bits.shape[1] - 1, top=top, ports=", ".join(ports), first=first)
    (folder / "bench.v").write_text(bench)
    command = ["verilator", "--binary", "--trace", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal"]
    command += ["-Wno-lint", "--top-module", "bench", "--Mdir", str(folder / "obj"), "-j", "2"]
    command += ["-MAKEFLAGS", " ".join(FLAGS), "--output-split", "20000", "--output-split-cfuncs", "2000"]
    run_tool([*command, "bench.v", "netlist.v"], cwd=folder, what="Verilator (netlist)")
    run_tool([str(folder / "obj" / "Vbench")], cwd=folder, what="gate-level simulation")
    return counted(folder / "nets.vcd", gates.vectors, netlist.nets)


def counted(path: Path, vectors: dict[str, list[int]], nets: int) -> np.ndarray:
    """Return how often every bit of some vectors changes in a VCD file after its first values, int64[nets]."""
    codes: dict[str, list[str]] = {}  # signals that are always equal share one
    changes: dict[str, list[int]] = {}
    times = 0
    for line in path.read_text().splitlines():
        word = line.split()
        if word[:1] == ["$var"] and word[4] in vectors:
            codes.setdefault(word[3], []).append(word[4])
        elif line.startswith("#"):
            times += 1
        elif line[:1] in ("b", "0", "1") and times:
            value, code = (word[0][1:], word[1]) if line[0] == "b" else (line[0], line[1:])
            if code in codes:
                changes.setdefault(code, []).append(int(value, 2))
    found = np.zeros(nets, np.int64)
    for code, values in changes.items():
        states = np.array(values, np.uint64)
        moved = states[1:] ^ states[:-1]
        for name in codes[code]:
            for bit, net in enumerate(vectors[name]):
                found[net] = np.count_nonzero(moved >> np.uint64(bit) & np.uint64(1))
    return found


def agreement(netlist: Netlist, library: Library, path: Path, window: tuple[int, int], folder: Path) -> Agreement:
    """Count the toggles of some cycles by replay and by gate-level simulation.

    Parameters
    ----------
    netlist, library : what is simulated
    path : of the waveform of the RTL, from the reset on
    window : (first, last + 1) of the bench's cycles that count
    folder : where files are written
    """
    first, cycles = window[0], window[1] - window[0]
    replayed = Replay(netlist, library).run(load(path, netlist, first, cycles), [(0, cycles)])
    wave = Waveform(path)
    times, count = _times(wave)
    at = int(np.searchsorted(count, first))
    names = [name for name in netlist.inputs if name != "clk"]
    inputs = {name: wave.sample(wave.signals[f"{DUT}{name}"][0], times[: at + cycles]) for name in names}
    toggles = simulate(netlist, library, inputs, at, folder)
    outputs = np.concatenate([netlist.gate_output, netlist.q])
    differing = int(np.count_nonzero(replayed.toggles[0][outputs] != toggles[outputs]))
    return Agreement(replayed=replayed, toggles=toggles, differing=differing, outputs=len(outputs))
