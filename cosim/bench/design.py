"""The bench around the accelerator as Verilog: memory, host, and the accelerator with its ports connected."""

from __future__ import annotations

import re
from pathlib import Path

from ...estimate.bench import MEMORY_DEPTH
from ...hw.arch.config import HardwareConfig
from ...hw.emission import TOP, Emitted
from .verilator import Design

RTL = Path(__file__).resolve().parent / "rtl"
PORTS = "reset host_* latency stall gap seed fault_* dump_* load_request irq cycle beats_*".split()
BENCH_NETS = ("s_axil_", "m_axi_")
CORE = f"{TOP}.datapath.core"
PROBES = {
    "detector_group": (f"{CORE}.frontend.detector", ("i__valid", "i__ready")),
    "detector_last": (f"{CORE}.frontend.detector", ("inserted_last",)),
    "tile_enter": (f"{CORE}.processor", ("i_begin__valid", "i_begin__ready")),
    "psum_row": (f"{CORE}.processor", ("o_psum__valid", "o_psum__ready")),
    "reuse0": (f"{CORE}.processor.issue", ("take[0]",)),
    "reuse1": (f"{CORE}.processor.issue", ("take[2]",)),
}
"""Events inside the design that its profile does not show: a module, and those of its signals that must all be set."""


def flatten_bits(description: dict, base: int = 0, prefix: str = "") -> dict[int, str]:
    """Return the name of every bit of a packed port of the sidecar, by its offset."""
    found: dict[int, str] = {}
    for name, part in description.get("fields", {}).items():
        found |= flatten_bits(part, base + part["offset"], f"{prefix}{name}.")
    for i in range(description.get("elements", 0)):
        element = description["element"]
        found |= flatten_bits(element, base + i * element["width"], f"{prefix}{i}.")
    if "fields" in description or "elements" in description:
        return found
    name = prefix.rstrip(".")
    if description["width"] == 1:
        return {base: name}
    return {base + i: f"{name}[{i}]" for i in range(description["width"])}


def probes(text: str) -> dict[str, str]:
    """Return the Verilog expressions of :data:`PROBES`, of which the first one gets the lowest bit.

    Tools may rename or drop what is inside a design. A probe whose signals are not there is left out.
    """
    found = {}
    for name, (module, signals) in PROBES.items():
        at = text.find(f"\nmodule \\{module} ")
        body = text[at : text.find("\nendmodule", at)] if at >= 0 else ""
        if all(_declared(body, signal) for signal in signals):
            found[name] = " & ".join(f"{module.replace(TOP, 'dut', 1)}.{signal}" for signal in signals)
    return found


def _declared(module: str, signal: str) -> bool:
    """Return whether the text of a module declares a signal, or the bit of it that is asked for."""
    name, _, bit = signal.rstrip("]").partition("[")
    found = re.search(rf"^ *(?:input|output|wire|reg) (?:\[(\d+):0\] )?{name}(?: = .*)?;", module, re.MULTILINE)
    return found is not None and int(bit or 0) <= int(found[1] or 0)


def instance(sidecar: dict, probed: dict[str, str]) -> str:
    """Return Verilog that instantiates the design and joins the probes.

    Where the bench has no net, inputs are 0 and outputs are open.
    """
    lines = []
    nets = {"clk", "rst", "irq", "profile"}
    # The bench can do without these signals of AXI.
    extra = ("lock", "qos", "region", "user")
    ignored = {f"{channel}{signal}" for channel in ("aw", "w", "b", "ar", "r") for signal in extra}
    for name, port in sidecar["ports"].items():
        signal = name.removeprefix("s_axil_").removeprefix("m_axi_")
        known = name in nets or (name.startswith(BENCH_NETS) and signal not in ignored)
        value = name if known else ("'0" if port["direction"] == "input" else "")
        lines.append(f"    .{name}({value})")
    joined = ", ".join(reversed([*probed.values()])) or "1'b0"
    joint = f"wire [{max(len(probed), 1) - 1}:0] probes = {{{joined}}};\n"
    return f"{TOP} dut (\n" + ",\n".join(lines) + f"\n);\n{joint}"


def design(config: HardwareConfig, emitted: Emitted, trace: bool, memory_bytes: int) -> Design:
    """Return the bench around an accelerator with a memory of so many bytes, ready to be built."""
    ports = emitted.sidecar["ports"]
    index = {name: bit for bit, name in flatten_bits(ports["profile"]).items()}
    defines = {
        "BUS_BITS": config.bus_bits,
        "ADDRESS_BITS": ports["m_axi_araddr"]["width"],
        "MEMORY_WORDS": memory_bytes // (config.bus_bits // 8),
        "MEMORY_DEPTH": MEMORY_DEPTH,
        "PROFILE_BITS": ports["profile"]["width"],
        "RUN_START": index["run_start"],
        "RUN_END": index["run_end"],
    }
    sources = {name: (RTL / name).read_text() for name in ("system_tb.sv", "axi_memory.sv", "axi_checker.v")}
    return Design(
        sources={**sources, f"{TOP}.v": emitted.text},
        top="system_tb",
        ports=PORTS,
        clock="clk",
        trace=trace,
        arguments=[f"-D{name}={value}" for name, value in defines.items()] + trace * ["--trace-underscore"],
        includes={"dut.svh": instance(emitted.sidecar, probes(emitted.text))},
    )
