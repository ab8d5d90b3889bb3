"""The C driver and its examples: built by gcc and clang, and run against the Verilated accelerator."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import Interpreter
from reprise.export.find import find_network
from reprise.flow.handoff.drivers import EXAMPLES, write_drivers
from reprise.flow.handoff.image_files import write_image
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import Error
from reprise.hw.csr.register_map import COUNTERS, OFFSETS
from tests.flow.host.compilers import C99, WARNINGS, compile_c, compilers
from tests.flow.host.rtl import accelerator_library

TINY = HardwareConfig.load("tiny")
HOST = Path(__file__).resolve().parent / "host"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "host.md"
BASES = ("0x10000000", "0x320000000")
MISTAKES = {
    **dict.fromkeys(("ID", "VERSION", "CONFIG_HASH", "BUS", "STATUS"), "IRQ_STATUS"),
    **dict.fromkeys(("CONTROL", "IRQ_STATUS", "PROGRAM_LO"), "WATCHDOG"),
    **{"IRQ_ENABLE": "WATCHDOG", "READ_BASE_LO": "WRITE_BASE_LO", "READ_SIZE_LO": "READ_BASE_LO"},
    **{"WRITE_BASE_LO": "READ_BASE_LO", "WRITE_SIZE_LO": "READ_SIZE_LO", "CYCLES_LO": "CYCLES_HI"},
    **{"RUNS": "COMMANDS", "READ_BEATS": "WRITE_BEATS"},
}
"""Registers that the driver uses, each with another one whose offset it gets in a test."""
BUILDS = {
    "bare_metal": ["bare_metal.c", "image_data.S", "app.c"],
    "bare_metal_cached": ["-DCACHE", "cache.c", "bare_metal.c", "image_data.S", "app.c"],
    "linux_uio": ["linux_uio.c", "app.c"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a hand-off has for hosts, of the digits and two images, with the programs of this test beside it."""
    made = tmp_path_factory.mktemp("host")
    write_drivers(made / "drivers", TINY)
    file = find_network("digits", TINY)[0]
    write_image(made / "image", compile_network(file.network, TINY, 2), file.images[:2])
    for path in HOST.glob("*.[ch]"):
        shutil.copy(path, made)
    (made / "cache.c").write_text(
        "#include <stddef.h>\n#include <stdint.h>\n"
        "void cache_flush(uintptr_t first, size_t bytes);\nvoid cache_invalidate(uintptr_t first, size_t bytes);\n"
        "void cache_flush(uintptr_t first, size_t bytes) { (void)first; (void)bytes; }\n"
        "void cache_invalidate(uintptr_t first, size_t bytes) { (void)first; (void)bytes; }\n"
    )
    return made


def sources(folder):
    return sorted((folder / "drivers" / "c").glob("*.c"))


def includes(folder):
    return [f"-I{folder / name}" for name in ("drivers/c", "drivers/examples", "image", ".")]


@pytest.mark.parametrize("program", BUILDS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_examples_build(folder, tmp_path, compiler, program):
    if compiler not in compilers():
        pytest.skip("clang is not installed: pip install ziglang")
    names = [folder / "drivers" / "examples" / n if n in EXAMPLES else n for n in BUILDS[program]]
    command = [*C99, *includes(folder), "-o", tmp_path / program, *names, *sources(folder)]
    compile_c(compilers()[compiler], command, folder)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("language", ["c", "c++"])
def test_every_header_stands_alone(folder, tmp_path, compiler, language):
    """In C99 and in C++, the registers of PeakRDL among them."""
    if compiler not in compilers():
        pytest.skip("clang is not installed: pip install ziglang")
    shutil.copy(Path(__file__).resolve().parents[2] / "hw" / "csr" / "registers.h", folder / "image")
    headers = [*(folder / "drivers" / "c").glob("*.h"), *(folder / "image").glob("*.h")]
    assert len(headers) == 7
    standard = "-std=c99" if language == "c" else "-std=c++11"
    for header in headers:
        made = tmp_path / f"{header.stem}.{'c' if language == 'c' else 'cpp'}"
        made.write_text(f'#include "{header.name}"\n#include "{header.name}"\nextern int used;\nint used = 1;\n')
        command = [standard, *WARNINGS, *includes(folder), "-c", "-o", tmp_path / "made.o", made]
        compile_c(compilers()[compiler], ["-x", language, *command], tmp_path)


def test_the_driver_needs_no_library(folder, tmp_path):
    """Freestanding: the objects ask for no symbol from outside, also for 32 bits where no division is at hand."""
    for mode in ("-O2", "-O3"):
        objects = []
        for path in sources(folder):
            objects.append(tmp_path / f"{path.stem}{mode}.o")
            compile_c(["gcc"], [*C99, "-ffreestanding", mode, "-c", "-o", objects[-1], path], tmp_path)
        compile_c(["gcc"], ["-r", "-nostdlib", "-o", tmp_path / "all.o", *objects], tmp_path)
        said = subprocess.run(["nm", "-u", tmp_path / "all.o"], check=True, capture_output=True, text=True).stdout
        assert [name for name in said.split() if name not in ("U", "_GLOBAL_OFFSET_TABLE_")] == []


@pytest.fixture(scope="module")
def built(folder):
    """A program of this test, linked to the Verilated accelerator."""
    library = accelerator_library(TINY)

    made = {}

    def build(name, *others, driver=folder / "drivers" / "c", flags=()):
        if (name, driver) not in made:
            target = driver.parent / name
            parts = [
                folder / f"{name}.c",
                *others,
                *sorted(driver.glob("*.c")),
                library,
                f"-Wl,-rpath,{library.parent}",
            ]
            compile_c(["gcc"], [*C99, *flags, f"-I{driver}", *includes(folder), "-o", target, *parts], folder)
            made[name, driver] = target
        return made[name, driver]

    return build


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def golden():
    """What the interpreter counts in a batch of two digits, by the names of the registers."""
    file = find_network("digits", TINY)[0]
    image = compile_network(file.network, TINY, 2)
    ran = Interpreter(image, image.initial_memory(file.images[:2]))
    ran.run()
    word, operations = TINY.bus_bits // 8, [operation for operation, _ in image.commands()]
    beats = {"READ_BEATS": ran.bytes_read // word, "WRITE_BEATS": ran.bytes_written // word}
    return beats | {"RUNS": operations.count("RUN"), "COMMANDS": len(operations) - 1}  # all but END


def fault_of(done, golden, slots, poll):
    """Return what a run of the application gave that is not as it must be, or nothing."""
    *classes, passed, counters, seen = done.stdout.splitlines() or ["", "", ""]
    if done.returncode or not passed.startswith("PASS"):
        return passed
    if classes != ["image 0: class 000", "image 1: class 008"] * 4:
        return classes
    cycles, *counts = map(int, re.findall(r"\d+", counters))
    counted = dict(zip(COUNTERS, counts, strict=True))
    wrong = {name: counted[name] for name, wanted in golden.items() if counted[name] != wanted}
    if wrong or not 0 < counted["RUN_BUSY"] < cycles:
        return counters
    barriers, flushed, invalidated, woken, stray, refused = map(int, re.findall(r"\d+", seen))
    # a start and an end each; the interrupt comes once for each job
    good = barriers == 8 and flushed >= slots * 34432 + 4 * 640 and invalidated == 4 * 1024
    return "" if good and woken == (0 if poll else 4) and (stray, refused) == (0, 0) else seen


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("slots, poll", [(2, 0), (1, 1)])
def test_the_application_runs(folder, built, golden, base, slots, poll):
    """Four batches of two digits with one and two slots, by interrupt and by polling: all scores are the model's."""
    program = built("run_app", folder / "drivers" / "examples" / "app.c")
    done = run(program, folder / "image" / "memory.bin", base, slots, poll)
    assert not fault_of(done, golden, slots, poll), done.stdout + done.stderr
    shown = "\n".join(f"  {line}" for line in done.stdout.splitlines()[:-2])
    assert shown in PAGE.read_text(), "docs/host.md shows another output"


@pytest.mark.parametrize("register", MISTAKES)
def test_a_wrong_register_of_the_driver_fails(folder, built, golden, tmp_path, register):
    """The delivered header has the offset of another register in one place: the application does not pass."""
    good, wrong = (f"#define REPRISE_{register} 0x{OFFSETS[name]:03x}u\n" for name in (register, MISTAKES[register]))
    shutil.copytree(folder / "drivers" / "c", tmp_path / "c")
    header = tmp_path / "c" / "reprise_registers.h"
    assert header.read_text().count(good) == 1
    header.write_text(header.read_text().replace(good, wrong))
    program = built("run_app", folder / "drivers" / "examples" / "app.c", driver=tmp_path / "c", flags=("-O0",))
    # polling, for a driver that reads something else in place of STATUS would wait for seconds
    poll = int(register == "STATUS")
    done = run(program, folder / "image" / "memory.bin", BASES[1], 1, poll)
    assert fault_of(done, golden, 1, poll), done.stdout


def test_a_wrong_image_fails(folder, built, tmp_path):
    """A weight that is another one, and a score that is another one: the same program says FAIL."""
    program = built("run_app", folder / "drivers" / "examples" / "app.c")
    data = bytearray((folder / "image" / "memory.bin").read_bytes())
    for at in range(64):
        data[at] ^= 0x55
    (tmp_path / "memory.bin").write_bytes(data)
    done = run(program, tmp_path / "memory.bin", BASES[0], 1, 0)
    assert done.returncode == 1 and "FAIL: class scores differ" in done.stdout
    done = run(program, folder / "image" / "memory.bin", BASES[0], 0, 0)
    assert done.returncode == 1 and "the memory must be at least" in done.stdout


def test_every_result_of_the_driver(folder, built):
    """Every code of the driver and of the accelerator is brought about, and has a sentence of its own."""
    done = run(built("errors"), folder / "image" / "memory.bin")
    assert done.returncode == 0 and done.stdout.endswith("0 failures, 0 strays, 0 refused\n"), done.stdout
    said = dict(re.findall(r"^(\w+): (.*)$", done.stdout, re.MULTILINE))
    header = (folder / "drivers" / "c" / "reprise.h").read_text()
    results = re.findall(r"^    REPRISE_([A-Z_]+) = (-\d+),? +/\* (.*) \*/$", header, re.MULTILINE)
    own = [name for name, _, _ in results]
    assert len(own) == 17 == header.count(" = -")
    rows = [f"| `REPRISE_{name}` | {code} | {text} |" for name, code, text in results]
    assert "\n".join(rows) in PAGE.read_text(), "docs/host.md lists other results"
    probed = {"NO_DEVICE", "OTHER_VERSION", "OTHER_CONFIG"}
    assert done.stdout.count("\nprobe: ") == len(probed)
    for name in set(own) - probed:
        assert " must be " in said[name] and ", not 0x" in said[name] and ": " in said[name]
    for error in Error:
        if error:
            assert f"not {error.value:#x}, at command" in said[f"ERROR_{error.name}"]
            assert said[f"ERROR_{error.name}"].endswith(error.text)


def test_the_linux_example_says_what_is_missing(folder, tmp_path):
    program = tmp_path / "linux_uio"
    parts = [folder / "drivers" / "examples" / name for name in ("linux_uio.c", "app.c")]
    compile_c(["gcc"], [*C99, *includes(folder), "-o", program, *parts, *sources(folder)], folder)
    image = folder / "image"
    size = (image / "memory.bin").stat().st_size
    assert run(program).returncode == 2
    for words, message in (
        (("/dev/none", "udmabuf0", image / "none.bin"), "cannot open .*none.bin: No such file"),
        (("/dev/none", "udmabuf0", image / "memory.json"), f"memory.json must be {size} bytes: take the one"),
        (("/dev/none", "udmabuf0", image / "memory.bin"), "cannot map /dev/none: No such file"),
    ):
        done = run(program, *words)
        assert done.returncode == 1 and re.search(message, done.stderr), done.stderr


def test_the_makefile_of_the_examples(folder):
    done = run("make", "-C", folder / "drivers" / "examples", "CROSS_COMPILE=")
    assert done.returncode == 0 and (folder / "drivers" / "examples" / "linux_uio").is_file(), done.stderr
