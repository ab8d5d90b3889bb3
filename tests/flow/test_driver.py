"""What the drivers say of registers and errors is what the hardware says; the Python driver is for Python 3.8."""

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reprise.flow.handoff.drivers import C_DRIVER, EXAMPLES, PYTHON_DRIVER, SOURCES, write_drivers
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import COMMANDS, OPCODES, Error
from reprise.hw.csr import register_map

TINY = HardwareConfig.load("tiny")
PYTHON = sorted([*SOURCES.rglob("*.py")])
LATER = {"removeprefix", "removesuffix", "is_relative_to", "readlink", "lcm", "cache"}
"""Attributes that Python 3.8 has not."""


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drivers")
    write_drivers(folder, TINY)
    return folder


def test_every_source_is_delivered():
    delivered = {*(f"c/{n}" for n in C_DRIVER), *(f"python/reprise_driver/{n}" for n in PYTHON_DRIVER)}
    delivered |= {f"examples/{n}" for n in EXAMPLES}
    kept = {p.relative_to(SOURCES).as_posix() for p in SOURCES.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert kept == delivered


def printed(drivers, tmp_path, formats):
    """What C expressions are, by a program that prints them."""
    lines = ['#include "reprise.h"', "#include <stdio.h>", "int main(void) {"]
    lines += [f'printf("%lu\\n", (unsigned long)({one}));' for one in formats]
    (tmp_path / "print.c").write_text("\n".join([*lines, "return 0; }"]))
    program = tmp_path / "print"
    subprocess.run(["gcc", f"-I{drivers / 'c'}", "-o", program, tmp_path / "print.c"], check=True)
    return [int(line) for line in subprocess.run([program], capture_output=True, text=True).stdout.split()]


def test_c_header_has_the_register_map(drivers, tmp_path):
    """Offsets and masks as the C compiler sees them, against the map that the RTL is made of."""
    names = [f"REPRISE_{name}" for name in register_map.OFFSETS]
    names += [f"REPRISE_{r}_{f.upper()}_MASK" for r, fields in register_map.FIELDS.items() for f in fields]
    masks = [((1 << bits) - 1) << low for fields in register_map.FIELDS.values() for low, bits, _, _ in fields.values()]
    assert printed(drivers, tmp_path, names) == [*register_map.OFFSETS.values(), *masks]


def test_both_drivers_know_every_error_code(drivers, tmp_path):
    codes = printed(drivers, tmp_path, [f"REPRISE_ERROR_{error.name}" for error in Error if error])
    assert codes == [error.value for error in Error if error]
    described = json.loads((drivers / "python" / "reprise_driver" / "registers.json").read_text())
    assert described["program"]["errors"] == {str(error.value): error.text for error in Error if error}
    words = {str(OPCODES[name]): [f.word for f in fields if f.bits == 64] for name, fields in COMMANDS.items()}
    assert described["program"]["address_words"] == words


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_python_is_of_version_3_8(path):
    """Grammar of 3.8, annotations that are never evaluated, and nothing that came later."""
    text = path.read_text()
    tree = ast.parse(text, feature_version=(3, 8))
    assert path.name == "__init__.py" or "from __future__ import annotations" in text
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & LATER
    keywords = {k.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for k in node.keywords}
    assert not keywords & {"strict", "kw_only"}
    roots = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    roots |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
    standard = {"__future__", "asyncio", "json", "pathlib", "sys", "time", "typing"}
    assert roots <= standard | {"numpy", "pynq", "reprise_driver"}


def python_3_8():
    """A Python 3.8 of this machine; a name on PATH may be one of pyenv's that only says which versions there are."""
    known = sorted((Path.home() / ".pyenv" / "versions").glob("3.8.*/bin/python"))
    for one in [*known, shutil.which("python3.8")]:
        if one and subprocess.run([one, "-c", "pass"], capture_output=True).returncode == 0:
            return one
    return None


def test_python_3_8_runs_the_driver(drivers):
    """Where there is a Python 3.8: it imports all of the driver and makes the object (without NumPy's own code)."""
    found = python_3_8()
    if found is None:
        pytest.skip("there is no Python 3.8 here")
    lines = [
        "import sys, types",
        f"sys.path.insert(0, {str(drivers / 'python')!r})",
        "sys.modules['numpy'] = types.ModuleType('numpy')",
        "from reprise_driver import Reprise, Results",
        "class Mmio:",
        "    def read(self, offset): return 0",
        "    def write(self, offset, value): assert type(value) is int",
        "device = Reprise(Mmio())",
        "device.write('CONTROL', start=1)",
        "device.wait(0.1)",
        "print(sys.version_info[:2], Results._fields, device.read('STATUS', 'busy'))",
    ]
    done = subprocess.run([found, "-I", "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.stdout == "(3, 8) ('scores', 'classes', 'values', 'counters') 0\n", done.stderr
    for name in EXAMPLES:
        if name.endswith(".py"):
            path = drivers / "examples" / name
            assert subprocess.run([found, "-c", f"compile(open({str(path)!r}).read(), 'x', 'exec')"]).returncode == 0
