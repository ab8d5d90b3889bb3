"""Finds the registers of the delivered Verilog that a reset brings back to their initial values.

They are those of every instance, as paths from the top. The testbench looks at them after a reset, and when a job
starts, which resets the datapath.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = r"(?:\\\S+ |[A-Za-z_][\w$]*)"
DECLARED = re.compile(rf"  (?:output )?reg (?:signed )?(?:\[\d+:0\] )?({NAME}) *= (\d+'[hd][0-9a-f]+);")
CLOCKED = re.compile(rf"    ({NAME}) *<= ({NAME}) *;")
RESET = re.compile(rf"    if \((rst|data_reset)\) begin\n      ({NAME}) *= (\d+'[hd][0-9a-f]+);\n    end\n")
INSTANCE = re.compile(rf"^  ({NAME}) +({NAME}) \($", re.MULTILINE)
MODULE = re.compile(rf"^module ({NAME}) *\(.*?^endmodule", re.MULTILINE | re.DOTALL)

RST, JOB = "rst", "data_reset"
"""The reset of everything, and that of the datapath at the start of a job: their nets in each module of the Verilog."""


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register of the design.

    Members
    -------
    path : its name, as Verilog writes it below the top
    value : its initial value, a literal of Verilog
    job : whether the start of a job resets it, and not only the reset of the accelerator
    """

    path: str
    value: str
    job: bool


@dataclass
class _Module:
    registers: list[tuple[str, str, bool]] = field(default_factory=list)
    instances: list[tuple[str, str]] = field(default_factory=list)


def _module(text: str) -> _Module:
    """Find the registers and the instances of a module, as Amaranth has Yosys write it.

    A register takes a net in each clock. The block that computes the net ends with the resets, so that they win.
    """
    initial = dict(DECLARED.findall(text))
    resets: dict[tuple[str, str], str] = {(net, kind): value for kind, net, value in RESET.findall(text)}
    found = _Module(instances=[(inner, name) for inner, name in INSTANCE.findall(text) if inner != "module"])
    for name, net in CLOCKED.findall(text):
        if name in initial and (net, RST) in resets:
            assert {resets[net, RST], resets.get((net, JOB), initial[name])} == {initial[name]}, name
            found.registers.append((name, initial[name], (net, JOB) in resets))
    return found


def registers(text: str, top: str) -> list[Register]:
    """Return the registers of a design's Verilog that its resets set, instance by instance.

    Parameters
    ----------
    text : the Verilog
    top : the name of its top module
    """
    modules = {m[1].strip(): _module(m[0]) for m in MODULE.finditer(text)}
    found = []

    def walk(module: str, path: str) -> None:
        for name, value, job in modules[module].registers:
            found.append(Register(path=path + name, value=value, job=job))
        for inner, name in modules[module].instances:
            walk(inner.strip(), f"{path}{name}.")

    walk(top, "")
    return found
