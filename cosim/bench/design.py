"""The bench around the accelerator as Verilog: memory, host, and the accelerator with its ports connected."""

from __future__ import annotations

from pathlib import Path

from ...estimate.bench import MEMORY_DEPTH
from ...hw.arch.config import HardwareConfig
from ...hw.emission import TOP, Emitted
from .verilator import Design

RTL = Path(__file__).resolve().parent / "rtl"
PORTS = "clk rst host_* latency stall gap seed fault_* dump_* load_request irq cycle beats_*".split()
BENCH_NETS = ("s_axil_", "m_axi_")


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


def instance(sidecar: dict) -> str:
    """Return Verilog that instantiates the design; where the bench has no net, inputs are 0 and outputs are open."""
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
    return f"{TOP} dut (\n" + ",\n".join(lines) + "\n);\n"


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
        trace=trace,
        arguments=[f"-D{name}={value}" for name, value in defines.items()],
        includes={"dut.svh": instance(emitted.sidecar)},
    )
