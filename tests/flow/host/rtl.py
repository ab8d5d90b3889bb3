"""The Verilated accelerator as a library that host programs drive: C programs are linked to it, Python loads it."""

from __future__ import annotations

from pathlib import Path

from reprise.cosim.bench.toolchain import plain_paths
from reprise.cosim.bench.verilator import MAKE_VARIABLES, MODELS, VERILATOR_ROOT, WARNINGS, run_tool
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.emission import TOP, verilog_of
from reprise.support.cache import digest

SHIM = Path(__file__).resolve().parent / "shim.cpp"
LIBRARY = "libaccelerator.so"


def accelerator_library(config: HardwareConfig) -> Path:
    """Build the library of a configuration, or find it in the cache."""
    text, shim = verilog_of(config).text, SHIM.read_text()

    def make(work: Path) -> None:
        with plain_paths(work, VERILATOR_ROOT) as (place, home):
            (place / f"{TOP}.v").write_text(text)
            (place / "shim.cpp").write_text(shim)
            command = ["verilator", "-cc", "-Mdir", str(place), "--top-module", TOP, "--prefix", "Vreprise"]
            command += ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"]
            command += ["--output-split", "20000", "-CFLAGS", "-fPIC", *WARNINGS, f"{TOP}.v"]
            run_tool(command, cwd=place, what="Verilator (host library)", home=home)
            make = ["make", "-j", "2", "-C", str(place), "-f", "Vreprise.mk", *MAKE_VARIABLES]
            run_tool([*make, "libVreprise.a", "libverilated.a"], cwd=place, what="C++ build", home=home)
            link = ["c++", "-std=gnu++17", "-O1", "-fPIC", "-shared", "-pthread", f"-I{home}/include", "shim.cpp"]
            link += ["libVreprise.a", "libverilated.a", "-o", LIBRARY]
            run_tool(link, cwd=place, what="link (host library)", home=home)
        for path in work.iterdir():
            if path.name not in (LIBRARY, "shim.cpp"):
                path.unlink()

    key = digest(text, shim, WARNINGS, MAKE_VARIABLES)
    return MODELS.get(f"host-{key}", make).folder / LIBRARY
