"""Benchmarks of whole co-simulations: how long a user waits for a first run, and for those after it.

Each is a command in a process of its own, and its figures are the seconds of its stages, which ``report.json`` has. The
CPU's seconds, of all cores and of all processes that the command starts, depend little on other work.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIGITS = ("cosim", "digits", "--config", "paper")


def _run(*arguments: str, cache: str | None = None) -> dict[str, float | int]:
    """Return the seconds of a co-simulation and of its stages, and how many cycles it simulated."""
    surroundings = os.environ | ({"REPRISE_CACHE": cache} if cache else {})
    with tempfile.TemporaryDirectory() as out:
        begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "reprise", *arguments, "--out", out]
        subprocess.run(command, check=True, capture_output=True, env=surroundings)
        seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads((Path(out) / "report.json").read_text())
    stages, cycles = report["stage_seconds"], report["total"]["cycles"]["rtl"]
    return {
        "seconds": seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        **{f"{name}_seconds": stages[name] for name in ("verilog", "build") if name in stages},
        "model_and_compiler_seconds": stages["compiler"] + stages["model"] + stages["cycle_model"],
        "simulation_seconds": stages["simulation"],
        "cycles": cycles,
        "cycles_per_second": round(cycles / stages["simulation"]),
    }


def bench_first() -> dict:
    """`reprise cosim digits --config paper` with an empty cache, as in a fresh clone."""
    with tempfile.TemporaryDirectory() as cache:
        return _run(*DIGITS, cache=cache)


def bench_again() -> dict:
    """`reprise cosim digits --config paper`, which finds everything in the cache."""
    _run(*DIGITS)
    return _run(*DIGITS)


def bench_images() -> dict:
    """`reprise cosim digits --config paper --images 40`, which finds everything in the cache."""
    _run(*DIGITS)
    return _run(*DIGITS, "--images", "40")


def bench_lenet5() -> dict:
    """`reprise cosim lenet5 --config paper --images 40`, which finds everything in the cache."""
    _run(*DIGITS)
    return _run("cosim", "lenet5", "--config", "paper", "--images", "40")
