"""Runs a spiking transformer in RTL, one that comes with Reprise or has random weights; records its cycles by operator.

    python -m tools.transformers spikformer-1-384 --config paper [--set FIELD=VALUE] [--write]

The file of a network with random weights goes to ``build/networks``. ``reprise cosim`` then builds the simulator and
compares every map. With ``--write`` the figures go to ``docs/measured/transformers.json``, from which
docs/transformers.md has its tables; those of a network that comes with Reprise have the preset and its changes in
their name.
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
from reprise.model.files.shipped import shipped
from reprise.model.network.network import Network
from reprise.support.command_line import commands, example, main, one_of
from tools.tables import MEASURED
from tools.transformers.networks import NETWORKS, OPERATORS, SHIPPED, operator, shipped_operators

NAME = "python -m tools.transformers"
FILES = Path("build") / "networks"
RECORD = MEASURED / "transformers.json"
COLUMNS = ("rtl", "cycle_model", "published_model", "bit_sparse", "dense")
BITS = ("set_bits", "residual_bits")
"""What is counted of the rows, and, as a part of the column ``dense``, is the bit density and the product density."""

app = commands()


def by_operator(report: dict, operators: dict[str, str] | None = None) -> dict[str, dict[str, int]]:
    """Return cycles and bits of a report's layers, added up by the operators that it has, and of all of them.

    ``operators`` are those of layers whose names do not tell them.
    """
    of = operators or {layer["name"]: operator(layer["name"]) for layer in report["layers"]}
    named = {of[layer["name"]] for layer in report["layers"]}
    found = {name: dict.fromkeys((*COLUMNS, *BITS), 0) for name in OPERATORS if name in named}
    for layer in report["layers"]:
        for part, columns in (("cycles", COLUMNS), ("counts", BITS)):
            for column in columns:
                found[of[layer["name"]]][column] += layer[part][column]
    total = report["total"]
    all_ = {column: total["cycles"][column] for column in COLUMNS} | {bit: total["counts"][bit] for bit in BITS}
    return found | {"total": all_}


def levels_read(network: Network, name: str) -> int:
    """Return the largest level that a layer reads, or 0 for neurons on currents."""
    return max((network.feature_levels(source.feature) for source in network.layer(name).sources), default=0)


@app.command(epilog=example(f"{NAME} spikformer-1-384 --config paper"))
def transformers(
    name: Annotated[
        str,
        typer.Argument(
            help=", ".join([*NETWORKS, *SHIPPED]),
            metavar="NETWORK",
            callback=one_of(lambda: [*NETWORKS, *SHIPPED]),
        ),
    ],
    config: Annotated[str, typer.Option(help="preset or YAML file")] = "paper",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field; may be repeated")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="record the figures")] = False,
) -> None:
    """Run a spiking transformer in RTL, and compare every map."""
    key, path, operators = name, name, None
    if name in SHIPPED:
        file, key = shipped(name), "/".join([name, config, *(changes or ())])
        assert file is not None, "it comes with Reprise"
        network = network_file.load(file).network
        operators = shipped_operators(network)
    else:
        network, image = NETWORKS[name]()
        FILES.mkdir(parents=True, exist_ok=True)
        path = str(network_file.save(network, FILES / f"{name}.yaml", samples=(image, np.zeros(1, np.int64))))
    options = ["--config", config, *(word for change in changes or () for word in ("--set", change))]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "reprise", "cosim", path, *options, "--images", "1", "--out", out]
        subprocess.run(command, check=True)
        report = json.loads((Path(out) / "report.json").read_text())
    if write:
        records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        records[key] = {
            "command": " ".join([NAME, name, *options, "--write"]),
            "netlist": NETLIST,
            "elements": sum(layer["elements"] for layer in report["layers"]),
            "mismatches": report["mismatches"],
            "cycles": by_operator(report, operators),
            "layers": {
                layer["name"]: {"rtl": layer["cycles"]["rtl"], "levels": levels_read(network, layer["name"])}
                for layer in report["layers"]
            },
        }
        RECORD.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main(app, NAME)
