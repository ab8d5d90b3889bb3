"""The C driver and its examples: built by gcc and clang, and run against the Verilated accelerator."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reprise.compiler import compile_network
from reprise.export.find import find_network
from reprise.flow.handoff.drivers import EXAMPLES, write_drivers
from reprise.flow.handoff.image_files import write_image
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import Error
from tests.flow.host.compilers import C99, WARNINGS, compile_c, compilers
from tests.flow.host.rtl import accelerator_library

TINY = HardwareConfig.load("tiny")
HOST = Path(__file__).resolve().parent / "host"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "host.md"
BASES = ("0x10000000", "0x320000000")
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

    def build(name, *others):
        parts = [folder / f"{name}.c", *others, *sources(folder), library, f"-Wl,-rpath,{library.parent}"]
        compile_c(["gcc"], [*C99, *includes(folder), "-o", folder / name, *parts], folder)
        return folder / name

    return build


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("slots, poll", [(2, 0), (1, 1)])
def test_the_application_runs(folder, built, base, slots, poll):
    """Four batches of two digits with one and two slots, by interrupt and by polling: all scores are the model's."""
    program = built("run_app", folder / "drivers" / "examples" / "app.c")
    done = run(program, folder / "image" / "memory.bin", base, slots, poll)
    assert done.returncode == 0, done.stdout + done.stderr
    *classes, passed, seen = done.stdout.splitlines()
    assert classes == ["image 0: class 000", "image 1: class 008"] * 4 and passed.startswith("PASS")
    assert "\n".join(f"  {line}" for line in [*classes, passed]) in PAGE.read_text(), (
        "docs/host.md shows another output"
    )
    barriers, flushed, invalidated, stray, refused = map(int, re.findall(r"\d+", seen))
    assert barriers == 8 and flushed >= slots * 34432 + 4 * 640 and invalidated == 4 * 1024  # a start, an end each
    assert (stray, refused) == (0, 0)


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
    assert run(program).returncode == 2
    for words, message in (
        (("/dev/none", "udmabuf0", image / "none.bin"), "cannot open .*none.bin: No such file"),
        (("/dev/none", "udmabuf0", image / "memory.json"), "memory.json must be 31744 bytes: take the one"),
        (("/dev/none", "udmabuf0", image / "memory.bin"), "cannot map /dev/none: No such file"),
    ):
        done = run(program, *words)
        assert done.returncode == 1 and re.search(message, done.stderr), done.stderr


def test_the_makefile_of_the_examples(folder):
    done = run("make", "-C", folder / "drivers" / "examples", "CROSS_COMPILE=")
    assert done.returncode == 0 and (folder / "drivers" / "examples" / "linux_uio").is_file(), done.stderr
