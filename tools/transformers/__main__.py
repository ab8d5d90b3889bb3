"""Runs a whole Spikformer with random weights in RTL, and records its cycles by operator.

    python -m tools.transformers 1 384 --config paper [--set FIELD=VALUE] [--write]

The network file goes to ``build/networks``. ``reprise cosim`` then builds the simulator and compares every map. With
``--write`` the figures go to ``docs/measured/transformers.json``, from which docs/transformers.md has its table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from reprise.estimate.area.netlist import NETLIST
from reprise.model.files import network_file
from reprise.support.command_line import commands, example, main
from tools.tables import MEASURED
from tools.transformers.spikformer import OPERATORS, operator, spikformer

NAME = "python -m tools.transformers"
NETWORKS = Path("build") / "networks"
RECORD = MEASURED / "transformers.json"
COLUMNS = ("rtl", "cycle_model", "published_model", "bit_sparse", "dense")
BITS = ("set_bits", "residual_bits")
"""What is counted of the rows, and, as a part of the column ``dense``, is the bit density and the product density."""

app = commands()


def by_operator(report: dict) -> dict[str, dict[str, int]]:
    """Return cycles and bits of a report's layers, added up by operator, and of all of them."""
    found = {name: dict.fromkeys((*COLUMNS, *BITS), 0) for name in OPERATORS}
    for layer in report["layers"]:
        for part, columns in (("cycles", COLUMNS), ("counts", BITS)):
            for column in columns:
                found[operator(layer["name"])][column] += layer[part][column]
    total = report["total"]
    all_ = {column: total["cycles"][column] for column in COLUMNS} | {bit: total["counts"][bit] for bit in BITS}
    return found | {"total": all_}


@app.command(epilog=example(f"{NAME} 1 384 --config paper"))
def transformers(
    depth: Annotated[int, typer.Argument(help="blocks")],
    dim: Annotated[int, typer.Argument(help="channels of a token")],
    config: Annotated[str, typer.Option(help="preset or YAML file")] = "paper",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field; may be repeated")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="record the figures")] = False,
) -> None:
    """Run a Spikformer for CIFAR-10 with random weights in RTL, and compare every map."""
    network, image = spikformer(depth, dim)
    NETWORKS.mkdir(parents=True, exist_ok=True)
    path = network_file.save(network, NETWORKS / f"{network.name}.yaml", samples=(image, np.zeros(1, np.int64)))
    options = ["--config", config, *(word for change in changes or () for word in ("--set", change))]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "reprise", "cosim", str(path), *options, "--images", "1", "--out", out]
        subprocess.run(command, check=True)
        report = json.loads((Path(out) / "report.json").read_text())
    if write:
        records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        records[network.name] = {
            "command": " ".join([NAME, str(depth), str(dim), *options, "--write"]),
            "netlist": NETLIST,
            "elements": sum(layer["elements"] for layer in report["layers"]),
            "mismatches": report["mismatches"],
            "cycles": by_operator(report),
        }
        RECORD.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main(app, NAME)
