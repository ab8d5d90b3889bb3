"""The Verilog of an accelerator, and the JSON file that explains its ports."""

import json
from pathlib import Path

import reprise as rp

config = rp.HardwareConfig.load("tiny")
verilog, sidecar = rp.write_verilog(config, Path("build") / "examples" / "tiny")
print(f"{verilog}: {len(verilog.read_text().splitlines()):,} lines")

ports = json.loads(sidecar.read_text())["ports"]
for name, port in ports.items():
    if name.startswith("s_axil_aw") or name in ("clk", "rst", "irq"):
        print(f"  {port['direction']:6} {name} [{port['width']} bits]")
print(f"{len(ports)} ports; m_axi_* is the memory port, s_axil_* the registers (docs/registers.md)")
