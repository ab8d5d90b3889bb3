"""The hand-off's C and Python drivers against the RTL's registers, in simulation."""

import ast
import json
import re
import subprocess
from dataclasses import asdict

import numpy as np
import pytest

from reprise.cosim.bench import verilator
from reprise.cosim.bench.system import Traffic
from reprise.flow.handoff.driver.reprise import Reprise
from reprise.flow.handoff.handoff import write_drivers
from reprise.flow.handoff.vectors import make_vectors
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import Error
from reprise.hw.csr import register_map
from reprise.support.errors import SimulationError
from tests.support.benches import system_bench

TINY = HardwareConfig.load("tiny")
C_FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding", "-O2"]
JOBS = ("poll", "interrupt", "after-errors")


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drivers")
    write_drivers(folder, TINY)
    return folder


def test_c_driver_needs_no_library(drivers, tmp_path):
    """Freestanding C99 without warnings; the object file asks for no symbol from outside."""
    made = tmp_path / "reprise.o"
    subprocess.run(["gcc", *C_FLAGS, "-c", "-o", made, drivers / "c" / "reprise.c"], check=True)
    undefined = subprocess.run(["nm", "-u", made], check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in undefined if name not in ("U", "_GLOBAL_OFFSET_TABLE_")] == []


def test_c_header_has_the_register_map(drivers, tmp_path):
    """Offsets and masks as the C compiler sees them, against the map that the RTL is made of."""
    lines = ['#include "reprise_registers.h"', "#include <stdio.h>", "int main(void) {"]
    for name in register_map.OFFSETS:
        lines.append(f'printf("%u\\n", REPRISE_{name});')
    for register, fields in register_map.FIELDS.items():
        for field in fields:
            lines.append(f'printf("%u\\n", REPRISE_{register}_{field.upper()}_MASK);')
    (tmp_path / "print.c").write_text("\n".join([*lines, "return 0; }"]))
    program = tmp_path / "print"
    subprocess.run(["gcc", f"-I{drivers / 'c'}", "-o", program, tmp_path / "print.c"], check=True)
    seen = [int(line) for line in subprocess.run([program], capture_output=True, text=True).stdout.split()]
    masks = [((1 << bits) - 1) << low for fields in register_map.FIELDS.values() for low, bits, _, _ in fields.values()]
    assert seen == [*register_map.OFFSETS.values(), *masks]


def test_start_without_an_address_needs_the_map(drivers):
    device = Reprise(None, registers_path=drivers / "python" / "registers.json")
    with pytest.raises(ValueError, match="program must be a byte address, not None: no map_path"):
        device.start()


def test_error_codes_of_the_drivers(drivers):
    """Both drivers know every code of the accelerator, by its name and its text, and no other."""
    source = (drivers / "python" / "reprise.py").read_text()
    table = re.search(r"^ERRORS = (\{.*?^\})", source, re.MULTILINE | re.DOTALL)
    assert ast.literal_eval(table[1]) == {error.value: error.text for error in Error if error}
    header = (drivers / "c" / "reprise.h").read_text()
    found = dict(re.findall(r"REPRISE_ERROR_([A-Z_]+) = (\d+),", header))
    assert {name: int(code) for name, code in found.items()} == {e.name: e.value for e in Error if e}


@pytest.fixture(scope="module")
def played(drivers, tmp_path_factory):
    """Both drivers have run all their jobs in one simulation; the folder of memory dumps, and what was asked for."""
    folder = tmp_path_factory.mktemp("played")
    library = folder / "reprise.so"
    subprocess.run(["gcc", *C_FLAGS, "-shared", "-fPIC", "-o", library, drivers / "c" / "reprise.c"], check=True)
    vectors = make_vectors(TINY)
    vectors.image.save(folder)
    bench = system_bench()
    bench._memory_file(vectors.before, folder / "memory.bin.bus")
    commands = vectors.image.commands()
    job = {
        "folder": str(folder),
        "library": str(library),
        "driver": str(drivers / "python" / "reprise.py"),
        "registers": str(drivers / "python" / "registers.json"),
        "map": str(folder / "memory.json"),
        "program": vectors.image.program,
        "windows": asdict(vectors.image.windows),
        "not_a_program": vectors.image.input_address,
        "hash": int(TINY.digest()[:8], 16),
        "commands": len(commands),
        "runs": sum(opcode == "RUN" for opcode, _ in commands),
        "counters": list(register_map.COUNTERS),
        "words": -(-vectors.image.size // bench.word),
        "signals": Traffic(latency=4, stall=0.1, seed=3).signals(),
    }
    (folder / "job.json").write_text(json.dumps(job))
    files = {"memory": "memory.bin.bus", "dump": "dump.bin", "profile": "profile.txt"}
    log = folder / "log"
    try:
        verilator.run(
            bench.model,
            "tests.flow.driver_cocotb",
            folder=folder / "run",
            env={"DRIVER_JOB": str(folder / "job.json"), "SYSTEM_DUMP": str(folder / "dump.bin")},
            plusargs=[f"+{key}={folder / file}" for key, file in files.items()],
            seed=1,
            log=log,
        )
    except SimulationError as error:
        raise AssertionError(f"{error}\n{log.read_text()[-4000:]}") from None
    return folder, vectors


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("language", ["c", "python"])
def test_driver_runs_a_network(played, language, job):
    folder, vectors = played
    dump = np.fromfile(folder / f"{language}-{job}.dump", np.uint8)
    word = vectors.image.config.bus_bits // 8
    for region in vectors.regions():
        part = slice(region["first"] * word, (region["first"] + region["count"]) * word)
        assert vectors.golden[part].any(), "the golden map says nothing"
        assert np.array_equal(dump[part], vectors.golden[part]), f"{region['name']} after {language} {job}"
