"""Says how the ports of the accelerator appear in wrappers; the sidecar of the Verilog has the ports."""

from __future__ import annotations

MASTER_PARAMETERS = (
    "XIL_INTERFACENAME m_axi, PROTOCOL AXI4, READ_WRITE_MODE READ_WRITE, ADDR_WIDTH {address}, DATA_WIDTH {data}, "
    "ID_WIDTH {id}, HAS_BURST 1, HAS_LOCK 0, HAS_QOS 0, HAS_REGION 0, SUPPORTS_NARROW_BURST 0, MAX_BURST_LENGTH 16"
)
SLAVE_PARAMETERS = "XIL_INTERFACENAME s_axil, PROTOCOL AXI4LITE, ADDR_WIDTH {address}, DATA_WIDTH {data}"
PARAMETERS = {"cache": "AXI_CACHE", "prot": "AXI_PROT"}
"""Signals of an address channel that the wrapper's parameters drive, in place of the accelerator's constants."""

TESTBENCH = {
    "clk": "clk", "rst": "rst", "irq": "irq", "profile": "profile",
    **{f"s_axil_{n}": n for n in (
        "awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp", "bvalid", "bready",
        "araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready",
    )},
    **{f"m_axi_{n}": f"m_{n}" for n in (
        "arvalid", "arready", "araddr", "arlen", "arsize", "arburst", "arcache", "arprot", "arid",
        "rvalid", "rready", "rdata", "rresp", "rlast", "awsize", "awburst", "awcache", "awprot", "awid", "bresp",
        "awvalid", "awready", "awaddr", "awlen", "wvalid", "wready", "wdata", "wstrb", "wlast", "bvalid", "bready",
    )},
}  # fmt: skip
"""The net of the testbench at each port. Other inputs are 0, which means OKAY for responses; other outputs are open."""


def testbench_connections(sidecar: dict) -> list[tuple[str, str]]:
    """Return every port with its net."""
    found = []
    for name, port in sidecar["ports"].items():
        zero = f"{port['width']}'b0" if port["direction"] == "input" else ""
        found.append((name, TESTBENCH.get(name, zero)))
    return found


def pin_ports(sidecar: dict) -> tuple[list[dict], int, int]:
    """Return every port but clock and reset as a slice of ``given`` (inputs) or ``seen`` (outputs), and both widths."""
    found, used = [], {"input": 0, "output": 0}
    for name, port in sidecar["ports"].items():
        if name in ("clk", "rst"):
            continue
        low = used[port["direction"]]
        used[port["direction"]] += port["width"]
        net = "given" if port["direction"] == "input" else "seen"
        found.append({"name": name, "net": net, "low": low, "high": low + port["width"] - 1})
    return found, used["input"], used["output"]


def ip_ports(sidecar: dict) -> list[dict]:
    """Return the AXI ports with their interfaces. The first port of an interface carries its parameters.

    What the wrapper drives by itself has the parameter as its ``constant``.
    """
    found, seen = [], set()
    width = {name: port["width"] for name, port in sidecar["ports"].items()}
    for name, port in sidecar["ports"].items():
        bus = next((b for b in ("s_axil", "m_axi") if name.startswith(b + "_")), None)
        if bus is None:
            continue
        sizes = {"address": width[f"{bus}_awaddr"], "data": width[f"{bus}_wdata"], "id": width.get(f"{bus}_awid", 0)}
        parameters = (SLAVE_PARAMETERS if bus == "s_axil" else MASTER_PARAMETERS).format(**sizes)
        found.append(
            {
                "name": name,
                "bus": bus,
                "signal": name.removeprefix(bus + "_"),
                "direction": port["direction"],
                "range": f"[{port['width'] - 1}:0] " if port["width"] > 1 else "",
                "constant": PARAMETERS.get(name.removeprefix("m_axi_")[2:]) if bus == "m_axi" else None,
                "parameter": None if bus in seen else parameters,
            }
        )
        seen.add(bus)
    return found
