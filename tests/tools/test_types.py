"""The type check: it sees every file, little is exempt from it, and a component has the ports of its signature."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mypy.fscache import FileSystemCache
from mypy.modulefinder import FindModuleCache, SearchPaths
from mypy.options import Options

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
FILES = sorted(
    path
    for room in ("support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "reprise", "tools")
    for path in (ROOT / room).rglob("*.py")  # which does not follow the links of reprise/
)
MOST_IGNORES = 50
IGNORE = re.compile(r"#\s*type:\s*ignore")
REASONED = re.compile(r"\S.*  # type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \w.{5,}")
"""Behind code, with the codes of what is ignored and the reason."""


def test_every_file_is_checked_under_its_package_s_name():
    finder = FindModuleCache(SearchPaths((str(ROOT),), (), (), ()), FileSystemCache(), Options())
    found = [source for package in OPTIONS["packages"] for source in finder.find_modules_recursive(package)]
    paths = [Path(source.path).resolve() for source in found if source.path and source.path.endswith(".py")]
    assert sorted(paths) == FILES
    assert {source.module.split(".")[0] for source in found} == {"reprise", "tools"}


def test_bodies_are_checked_and_functions_typed_in_every_room():
    for option in ("check_untyped_defs", "disallow_untyped_defs", "warn_unused_ignores"):
        assert OPTIONS[option] is True
    libraries = ("reprise", "tests", "tools")
    for exception in OPTIONS["overrides"]:
        assert set(exception) == {"module", "ignore_missing_imports"}
        assert not [name for name in exception["module"] if name.split(".")[0] in libraries]


def test_ignores_are_few_and_have_reasons():
    lines = [(path.relative_to(ROOT), line) for path in FILES for line in path.read_text().splitlines()]
    ignores = [(path, line) for path, line in lines if IGNORE.search(line)]
    assert 0 < len(ignores) <= MOST_IGNORES
    assert [one for one in ignores if not REASONED.fullmatch(one[1].strip())] == []
    assert [one for one in lines if re.match(r"\s*#\s*mypy:|@(typing\.)?no_type_check", one[1])] == []


@pytest.mark.parametrize(
    "line, good",
    [
        ("x = f()  # type: ignore[attr-defined]  # not in the stubs", True),
        ("x = f()  # type: ignore[attr-defined, index]  # not in the stubs", True),
        ("x = f()  # type: ignore[attr-defined]", False),
        ("x = f()  # type: ignore  # not in the stubs", False),
        ("# type: ignore[attr-defined]  # not in the stubs", False),
    ],
)
def test_what_counts_as_a_reason(line, good):
    assert bool(REASONED.fullmatch(line)) == good


EXAMPLE = """
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Closed(wiring.Component):
    def __init__(self, bits: int) -> None:
        layout = data.StructLayout({"a": bits, "b": signed(bits)})
        super().__init__({"i": In(stream.Signature(layout)), "sum": Out(8, init=1), "pairs": In(layout).array(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal(data.StructLayout({"a": 4, "b": 4}))
        m.submodules.memory = memory = Memory(shape=8, depth=4, init=[])
        port = memory.read_port()
        m.d.comb += [port.addr.eq(kept.a), self.sum.eq(Mux(self.i.valid, kept.b, port.data)), self.i.ready.eq(1)]
        m.d.sync += kept.a.eq(self.i.payload.a + self.pairs[0].b)
        m.d.comb += self.summ.eq(0)  # ERROR
        m.d.comb += self.i.redy.eq(1)  # ERROR
        m.d.comb += self.sum.a.eq(1)  # ERROR
        return m


class Open(wiring.Component):
    def __init__(self, names: list[str]) -> None:
        super().__init__({"go": In(1), **{name: In(1) for name in names}})


closed, opened = Closed(4), Open(["x"])
print(len(closed.sum), opened.x, len(opened.go))
print(closed.go)  # ERROR
print(opened.go.wide)  # ERROR
"""


def test_a_component_has_the_ports_of_its_signature(tmp_path):
    (tmp_path / "example.py").write_text(EXAMPLE)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-pretty"]
    run = subprocess.run([*command, str(tmp_path / "example.py")], cwd=ROOT, capture_output=True, text=True)
    seen = {int(found[1]) for found in re.finditer(r"example\.py:(\d+): error: .*\[attr-defined\]", run.stdout)}
    wanted = {number for number, line in enumerate(EXAMPLE.split("\n"), 1) if line.endswith("# ERROR")}
    assert seen == wanted and f"Found {len(wanted)} errors" in run.stdout, run.stdout + run.stderr
