"""Proves that a fault in the Verilog changes nothing: its module, with the fault and without, answers alike for ever.

The module stands alone. What the modules inside it answer may be anything, the same for both, and what they are given
counts as an output. Copies of a register may differ in the cycles after a reset, in which nothing uses them
(hw/lib/fanout.py), so those are left out. Yosys makes and-gates of the two modules, and ABC proves by property-directed
reachability. What is proven like that holds for the whole design; what is not can still be without effect there.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tests.flow.delivered.verilog_mutants import Fault, Module, parse

SETTLE = 2
"""Cycles after a reset in which the two need not be alike."""

SECONDS = 120
"""The most time that ABC takes for a fault."""

SCRIPT = """read_verilog pair.v
proc; memory_map; opt_clean
miter -equiv -flatten -make_outputs gold gate both
read_verilog watched.v
hierarchy -top watched; proc; flatten; setundef -undriven -zero; setundef -init -zero
async2sync; dffunmap; opt_clean; techmap; abc -g AND; opt_clean
write_aiger -zinit both.aig
"""

WATCHED = """module watched (clk, {names});
  input clk;
{declared}
  reg [{settle}:0] settled = 0;
  wire trigger;
  output bad;
  always @(posedge clk) settled <= {resets} ? 0 : {{settled, 1'b1}};
  assign bad = trigger & settled[{settle}];
  both inner (.in_clk(clk), {inner}.trigger(trigger));
endmodule
"""


def _alone(lines: list[str], modules: dict[str, Module], name: str, called: str) -> tuple[str, dict[str, str]]:
    """Return a module's Verilog without those inside it, under another name, and its inputs with their ranges."""
    start = next(n for n, line in enumerate(lines) if re.match(rf"module {re.escape(name)} *\(", line))
    first = next(n for n in range(start, len(lines)) if lines[n].endswith(");"))  # a long header has several lines
    end = next(n for n in range(start, len(lines)) if lines[n] == "endmodule")
    body, extra, child = [], dict[str, tuple[str, str]](), ""
    for line in lines[first + 1 : end]:
        instance = re.match(r"^  (\\reprise\S*|reprise\S*)\s+\S+\s+\($", line)
        if instance:
            child = instance[1]
        elif child and line.startswith("    ."):
            port, net = re.match(r"    \.(\S+?)\s*\((.*)\),?$", line).groups()
            size, cut = modules[child].nets[port], f"cut{len(extra)}"
            given = port in modules[child].outputs
            extra[cut] = ("input" if given else "output", size)
            body += [f"  {extra[cut][0]} {size}{cut};", f"  assign {f'{net} = {cut}' if given else f'{cut} = {net}'};"]
        elif child and line == "  );":
            child = ""
        else:
            body.append(line)
    head = " ".join(lines[start : first + 1]).split("(", 1)[1].rsplit(")", 1)[0]
    inputs = {
        n.strip(): size or "" for size, n in re.findall(r"^  input (\[\d+:0\] )?(\S+) ?;$", "\n".join(body), re.M)
    }
    text = f"module {called} ({', '.join([head, *extra])});\n" + "\n".join(body) + "\nendmodule\n"
    return text, inputs


def proven(text: str, fault: Fault, folder: Path) -> bool:
    """Return whether a fault of a design's Verilog is proven to change nothing. Files are left in the folder."""
    lines, modules = text.splitlines(), parse(text.splitlines())
    gold, inputs = _alone(lines, modules, fault.module, "gold")
    head, _, tail = lines[fault.line].rpartition(fault.good)
    lines[fault.line] = head + fault.bad + tail
    gate, _ = _alone(lines, modules, fault.module, "gate")
    inputs.pop("clk", None)
    names = {port: f"i{n}" for n, port in enumerate(inputs)}
    watched = WATCHED.format(
        names=", ".join([*names.values(), "bad"]),
        declared="\n".join(f"  input {inputs[port]}{name};" for port, name in names.items()),
        inner="".join(f".\\in_{port.removeprefix(chr(92))} ({name}), " for port, name in names.items()),
        resets=" | ".join(names[port] for port in ("rst", "data_reset") if port in names) or "1'b0",
        settle=SETTLE,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pair.v").write_text(gold + gate)
    (folder / "watched.v").write_text(watched)
    (folder / "prove.ys").write_text(SCRIPT)
    yosys = Path(__file__).parents[2] / "formal" / "yosys.py"
    made = subprocess.run([sys.executable, str(yosys), "-ql", "yosys.log", "prove.ys"], cwd=folder, capture_output=True)
    if made.returncode or not (folder / "both.aig").is_file():
        return False
    native = importlib.util.find_spec("pyosys")
    assert native is not None and native.origin is not None
    abc = Path(native.origin).with_name("yosys-abc")
    command = f"read_aiger both.aig; strash; scorr; dc2; scorr; write_aiger reduced.aig; pdr -T {SECONDS}"
    told = subprocess.run([str(abc), "-c", command], cwd=folder, capture_output=True, text=True)
    (folder / "abc.log").write_text(told.stdout + told.stderr)
    return "Property proved" in told.stdout or _never(folder / "reduced.aig")


def _never(path: Path) -> bool:
    """Return whether the output of a netlist (binary AIGER) is the constant 0, which PDR does not take."""
    head, output = path.read_bytes().split(b"\n", 2)[:2]
    return head.split()[3:5] == [b"0", b"1"] and output == b"0"
