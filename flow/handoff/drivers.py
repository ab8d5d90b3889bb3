"""Writes the drivers of a hand-off, in C and Python, the programs that use them, and what both know of the hardware."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...hw.arch.program import ADDRESS_BITS, COMMAND_BYTES, OPCODES, Error
from ...hw.arch.relocation import ADDRESS_WORDS, BASE_ALIGNMENT
from ...hw.csr import register_map
from .rendering import render

SOURCES = Path(__file__).resolve().parent / "driver"
C_DRIVER = ("reprise.h", "reprise.c", "reprise_text.c", "reprise_image.h", "reprise_image.c")
PYTHON_DRIVER = ("__init__.py", "device.py", "errors.py", "image.py", "registers.py")
EXAMPLES = ("app.h", "app.c", "bare_metal.c", "image_data.S", "linux_uio.c", "reprise.dtsi", "Makefile", "run_pynq.py")

RUN, BUILT = "run", "built, not on a board"
_C, _PYTHON = ("C99 or C++ compiler", RUN), ("Python 3.8 or later with NumPy", "run in simulation, not on a board")

FILES = {
    "image/memory.bin": ("host: constant part of the memory image", RUN),
    "image/memory.json": ("host: map of the memory image", RUN),
    "image/image.h": ("host: the same map, C99", RUN),
    "image/samples.h": ("host: a batch of images and their class scores, C99", RUN),
    "image/samples.npz": ("host: the same for NumPy", RUN),
    "image/input.bin": ("host: the same images, packed", RUN),
    **dict.fromkeys((f"drivers/c/{name}" for name in (*C_DRIVER, "reprise_registers.h", "reprise_format.h")), _C),
    **dict.fromkeys((f"drivers/python/reprise_driver/{n}" for n in (*PYTHON_DRIVER, "registers.json")), _PYTHON),
    "drivers/examples/app.h": ("the application of the C examples", RUN),
    "drivers/examples/app.c": ("the application of the C examples", RUN),
    "drivers/examples/bare_metal.c": ("gcc, clang: no operating system", BUILT),
    "drivers/examples/image_data.S": ("gcc, clang: memory.bin in a program", BUILT),
    "drivers/examples/linux_uio.c": ("gcc, clang: Linux with UIO and u-dma-buf", BUILT),
    "drivers/examples/Makefile": ("make: builds linux_uio", BUILT),
    "drivers/examples/reprise.dtsi": ("dtc: nodes for linux_uio", "generated"),
    "drivers/examples/run_pynq.py": ("PYNQ", "run in simulation, not on a board"),
}
"""What a hand-off has for hosts, with its tool, and whether this project runs it."""


def registers_json(config: HardwareConfig) -> str:
    """Return the register map for the Python driver."""
    return json.dumps(
        {
            "configuration_hash": int(config.digest()[:8], 16),
            "offsets": register_map.OFFSETS,
            "fields": register_map.FIELDS,
            "counters": list(register_map.COUNTERS),
            "program": program_format(),
        },
        indent=1,
    )


def registers_header() -> str:
    """Return the text of ``reprise_registers.h``, for the C driver."""
    found = {"offsets": register_map.OFFSETS, "fields": register_map.FIELDS, "counters": list(register_map.COUNTERS)}
    return render("reprise_registers.h", **found)


def format_header() -> str:
    """Return the text of ``reprise_format.h``: what the C driver must know of programs and error codes."""
    most = max(map(len, ADDRESS_WORDS.values()))
    names = sorted(OPCODES, key=OPCODES.__getitem__)
    assert [OPCODES[name] for name in names] == list(range(len(names)))
    addresses = [(name, [*ADDRESS_WORDS[name], *[0] * (most - len(ADDRESS_WORDS[name]))]) for name in names]
    return render(
        "reprise_format.h",
        address_bits=ADDRESS_BITS,
        alignment=BASE_ALIGNMENT,
        command_bytes=COMMAND_BYTES,
        most=most,
        addresses=addresses,
        errors=[error for error in Error if error],
    )


def program_format() -> dict:
    """Return the same for ``registers.json`` of the Python driver."""
    return {
        "address_bits": ADDRESS_BITS,
        "command_bytes": COMMAND_BYTES,
        "address_words": {OPCODES[name]: words for name, words in ADDRESS_WORDS.items()},
        "errors": {error.value: error.text for error in Error if error},
    }


def write_drivers(folder: Path, config: HardwareConfig) -> None:
    """Write the drivers into ``folder/c`` and ``folder/python``, and programs with them into ``folder/examples``."""
    package = folder / "python" / "reprise_driver"
    for names, source, target in (
        (C_DRIVER, "c", folder / "c"),
        (PYTHON_DRIVER, "python/reprise_driver", package),
        (EXAMPLES, "examples", folder / "examples"),
    ):
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(SOURCES / source / name, target / name)
    (folder / "c" / "reprise_registers.h").write_text(registers_header())
    (folder / "c" / "reprise_format.h").write_text(format_header())
    (package / "registers.json").write_text(registers_json(config))
