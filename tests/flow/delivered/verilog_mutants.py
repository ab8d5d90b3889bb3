"""Faults in the delivered Verilog, all in one text: which of them is live is chosen when the simulation starts.

``python -m tests.flow.delivered.measure`` draws random ones and counts how many the delivered testbench finds.
"""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reprise.cosim.bench.verilator import MAKE_VARIABLES, VERILATOR_ROOT

# With -Og the simulation runs five times as fast as with -O0, and takes a third longer to build.
FLAGS = [*MAKE_VARIABLES[:3], "CFG_CXXFLAGS_COROUTINES=-fcoroutines", "OPT_FAST=-Og", "OPT_GLOBAL=-O1"]

NAME = r"(?:\\\S+\s|[A-Za-z_][\w$]*)"
NUMBER = re.compile(r"\d+'h[0-9a-fA-F]+")
OPERATORS = {" & ": " | ", " | ": " & ", " ^ ": " & ", " + ": " - ", " - ": " + ", " == ": " != ", " != ": " == "}
OPERATORS |= {" >= ": " > ", " <= ": " < ", " > ": " >= ", " < ": " <= ", " << ": " >> ", " >> ": " << ", " ~ ": " "}
STATEMENT = re.compile(rf"^(\s+(?:assign\s+)?{NAME}\s*(?:\[[^\]]*\]\s*)?(<?=) )([^=].*);$")
CONDITION = re.compile(r"^(\s+(?:end else )?if \()(.*)(\) begin)$")
DECLARED = re.compile(rf"^  (?:(?:wire|reg|input|output) )(\[\d+:0\] )?({NAME})(?: = \S+)?\s*;$")
LEFT = re.compile(rf"\s+({NAME})\s*(?:\[.*?\]\s*)*<?= ")
INSTANCE = re.compile(r"^  (\\reprise\S*|reprise\S*)\s+\S+\s+\($")
KINDS = ("operator", "constant", "net", "condition")
SELECT = "reprise_tb.dut.faults.live"


@dataclass(frozen=True)
class Fault:
    """One fault: its line in the Verilog, counted from 0, its kind, and the expression without and with it."""

    line: int
    kind: str
    module: str
    good: str
    bad: str


@dataclass
class Module:
    """What is known of a module: its nets with the text of their range, its output ports, and who depends on whom."""

    nets: dict[str, str]
    outputs: set[str]
    groups: list[tuple[range, set[str], set[str]]]
    instances: list[tuple[str, str, set[str]]]


def _names(text: str) -> set[str]:
    return {m.strip() for m in re.findall(NAME, text)}


def parse(lines: list[str]) -> dict[str, Module]:
    """Take Verilog apart as Amaranth has Yosys write it: one statement to a line, blocks indented by two."""
    found: dict[str, Module] = {}
    module, child, n = "", "", 0
    while n < len(lines):
        line, first = lines[n], n
        if line.startswith("module "):
            module = line.split("(")[0].split()[1]
            found[module] = Module({}, set(), [], [])
        elif DECLARED.match(line):
            size, name = DECLARED.match(line).groups()
            if "signed" not in line:
                found[module].nets[name.strip()] = size or ""
            if line.startswith("  output "):
                found[module].outputs.add(name.strip())
        elif line.startswith("  assign "):
            left, right = line.removeprefix("  assign ").split(" = ", 1)
            found[module].groups.append((range(n, n + 1), _names(left), _names(right)))
        elif line.startswith("  always "):
            n += 1
            while line.endswith("begin") and lines[n] != "  end":
                n += 1
            block = lines[first : n + 1]
            left = {_first(m[1]) for m in map(LEFT.match, block) if m}
            found[module].groups.append((range(first, n + 1), left, _names(" ".join(block))))
        elif line.startswith("  initial begin"):
            while lines[n] != "  end":
                n += 1
        elif INSTANCE.match(line):
            child = INSTANCE.match(line)[1]
        elif line.startswith("    ."):
            port, net = re.match(r"    \.(\S+?)\s*\((.*)\),?$", line).groups()
            found[module].instances.append((child, port, _names(net)))
        n += 1
    return found


def _first(text: str) -> str:
    return re.match(NAME, text)[0].strip()


def live(modules: dict[str, Module]) -> set[tuple[str, str]]:
    """Return the nets that can reach an output of the design, as (module, net)."""
    before: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for name, module in modules.items():
        for _, left, right in module.groups:
            for net in left:
                before.setdefault((name, net), set()).update((name, other) for other in right)
        for child, port, nets in module.instances:
            if port in modules[child].outputs:
                for net in nets:
                    before.setdefault((name, net), set()).add((child, port))
            else:
                before.setdefault((child, port), set()).update((name, net) for net in nets)
    found: set[tuple[str, str]] = set()
    left = [("reprise", net) for net in modules["reprise"].outputs]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += before.get(one, ())
    return found


def _changed(r: random.Random, kind: str, text: str, nets: dict[str, str]) -> str | None:
    """Return an expression with one fault of a kind, or None if it has no place for one."""
    if kind == "condition":
        return f"!({text})"
    if kind == "operator":
        places = [(m.start(), o) for o in OPERATORS for m in re.finditer(re.escape(o), text)]
        if not places:
            return None
        at, operator = r.choice(places)
        return text[:at] + OPERATORS[operator] + text[at + len(operator) :]
    if kind == "constant":
        places = list(NUMBER.finditer(text))
        if not places:
            return None
        m = r.choice(places)
        width, value = int(m[0].split("'")[0]), int(m[0].split("h")[1], 16)
        return f"{text[: m.start()]}{width}'h{value ^ (1 << r.randrange(width)):x}{text[m.end() :]}"
    places = [m for m in re.finditer(NAME, text) if m[0].strip() in nets]
    if not places:
        return None
    m = r.choice(places)
    name = m[0].strip()
    others = sorted(n for n, size in nets.items() if size == nets[name] and n != name and "dump_module" not in n)
    return f"{text[: m.start()]}{r.choice(others)} {text[m.end() :]}" if others else None


def draw(text: str, seed: int, count: int) -> list[Fault]:
    """Draw faults: a kind, then a line that has a place for it.

    A statement that cannot reach an output is left out, as are the values that memories have at the beginning.
    """
    r, lines = random.Random(seed), text.splitlines()
    modules, places = parse(lines), []
    alive = live(modules)
    for name, module in modules.items():
        for where, left, _ in module.groups:
            if not any((name, net) in alive for net in left):
                continue
            for n in where:
                condition, statement = CONDITION.match(lines[n]), STATEMENT.match(lines[n])
                if (condition or statement) and "dump_module" not in lines[n]:
                    places.append((n, name, condition[2] if condition else statement[3], bool(condition)))
    faults: list[Fault] = []
    while len(faults) < count:
        kind = r.choice(KINDS)
        line, module, good, condition = r.choice(places)
        if any(fault.line == line for fault in faults) or (kind == "condition") != condition:
            continue
        bad = _changed(r, kind, good, modules[module].nets)
        if bad is not None:
            faults.append(Fault(line, kind, module, good, bad))
    return faults


def known(text: str, wanted: Iterable[tuple[str, str, str]]) -> list[Fault]:
    """Return faults of nets with a name, each of which has one driver: (module, net, the expression with the fault).

    The module is called without ``reprise.`` before it, and "" is the top. {} stands for the good expression.
    """
    lines, faults = text.splitlines(), []
    modules = parse(lines)
    for module, net, bad in wanted:
        name = f"\\reprise.{module}" if module else "reprise"
        places = [n for where, left, _ in modules[name].groups if net in left for n in where]
        drivers = [n for n in places if (m := LEFT.match(lines[n].replace("  assign ", "  "))) and m[1].strip() == net]
        assert len(drivers) == 1, f"{name} must have one driver of {net}, not {len(drivers)}: name another net"
        good = STATEMENT.match(lines[drivers[0]])[3]
        assert "$signed" not in good, (
            f"{net} is signed, and would not be so beside another expression: name another net"
        )
        faults.append(Fault(drivers[0], "known", name, good, bad.format(f"({good})")))
    return faults


def with_faults(text: str, faults: list[Fault]) -> str:
    """Return the Verilog with all faults in it; the simulation's argument ``+fault=N`` makes the Nth one live."""
    lines = text.splitlines()
    for n, fault in enumerate(faults, 1):
        assert fault.good in lines[fault.line]
        both = f"({SELECT} == {n} ? ({fault.bad}) : ({fault.good}))"
        head, _, tail = lines[fault.line].rpartition(fault.good)
        lines[fault.line] = head + both + tail
    top = next(n for n, line in enumerate(lines) if line.startswith("module reprise("))
    end = next(n for n in range(top, len(lines)) if lines[n] == "endmodule")
    lines[end] = "  reprise_fault faults ();\nendmodule"
    chooser = "module reprise_fault;\n  integer live;\n  initial begin\n    live = 0;\n"
    chooser += '    if ($value$plusargs("fault=%d", live)) $display("fault %0d", live);\n  end\nendmodule\n'
    return "\n".join(lines) + "\n" + chooser


def play(folder: Path, command: list[str], numbers: list[int], limit: float) -> list[dict]:
    """Run the built testbench with faults, and tell of each whether it was found, and the seconds of CPU it took."""
    found = []
    for n in numbers:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run([*command, f"+fault={n}"], cwd=folder, capture_output=True, text=True, timeout=limit)
            code, lines = done.returncode, done.stdout.splitlines()
        except subprocess.TimeoutExpired:
            code, lines = None, ["does not end"]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = next((line for line in lines if "error" in line or "golden" in line or "breaks" in line), "")
        passed = code == 0 and "PASS" in lines
        found.append({"found": not passed, "exit": code, "cpu": after.ru_utime - before.ru_utime, "told": told[:100]})
        found[-1]["lines"] = lines
    return found


def build(folder: Path, faults: list[Fault]) -> list[str]:
    """Build the testbench of a hand-off folder by its own script, with faults in its Verilog; return the command."""
    verilog = folder / "rtl" / "reprise.v"
    verilog.write_text(with_faults(verilog.read_text(), faults))
    path = os.pathsep.join([str(VERILATOR_ROOT / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "VERILATOR_ROOT": str(VERILATOR_ROOT), "PATH": path}
    script = ["sh", str(folder / "sim" / "run_verilator.sh"), "-MAKEFLAGS", " ".join(FLAGS)]
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "PASS" in done.stdout.splitlines(), done.stdout + done.stderr
    return [str(folder / "sim" / "obj" / "Vreprise_tb")]
