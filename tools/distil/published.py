"""Distils the published result tables of Prosperity (HPCA 2025) into ``estimate/baselines/published.json``.

The tables are CSV files, one value for each network and data set; they were read out of the reference tables of the
published simulator. Of the descriptions of networks, those are taken whose layers are all convolutions, linear layers,
neurons and pools: their matrix layers tell which capture is theirs.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reprise.estimate.baselines.published import FILE
from reprise.support.command_line import INPUT_FOLDER, Write, commands, example, main
from reprise.support.errors import RepriseError
from reprise.support.yaml_file import read_yaml

NAME = "python -m tools.distil.published"
app = commands()

SOURCE = {
    "paper": "Prosperity: Accelerating Spiking Neural Networks via Product Sparsity, HPCA 2025, arXiv 2503.03379",
    "repository": "https://github.com/dubcyfor3/Prosperity",
    "licence": "MIT",
}
SIZES = {
    "conv2d": ("in_channels", "out_channels", "size", "kernel", "stride", "padding"),
    "fc": ("in_features", "out_features", "tokens"),
    "lif": ("neurons",),
    "maxpool2d": ("channels",),
}
"""What is kept of a layer, by its kind; a network with other kinds is left out."""


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _value(text: str) -> float | int | None:
    if text in ("", "N/A"):
        return None
    return int(text) if text.isdigit() else float(text)


def _by_name(path: Path, key: str) -> dict[str, dict[str, float | int | None]]:
    return {row.pop(key): {name: _value(text) for name, text in row.items()} for row in _rows(path)}


def _by_tile(path: Path) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Return the values by quantity and by tile, of which the key is ``MxK``."""
    found: dict[str, dict[str, Any]] = {}
    for row in _rows(path):
        quantity, tile = row.pop("quantity"), row.pop("tile")
        if tile:
            rows, bits = (part[1:] for part in tile.split("_"))
            found.setdefault(quantity, {})[f"{rows}x{bits}"] = {name: _value(text) for name, text in row.items()}
    return found


def _networks(path: Path) -> dict[str, Any]:
    found = {}
    for name, layers in read_yaml(path, kind=RepriseError, rule="hold networks").items():
        if all(one["kind"] in SIZES for one in layers):
            kept = [{key: one[key] for key in ("name", "kind", *SIZES[one["kind"]])} for one in layers]
            kept = [one for one in kept if one["kind"] != "maxpool2d"]
            found[name] = {"timesteps": layers[0]["timesteps"], "layers": kept}
    return found


def distilled(folder: Path) -> dict[str, Any]:
    """Return what the package ships of the tables in a folder."""
    return {
        "source": SOURCE,
        "seconds": _by_name(folder / "time_s.csv", "accelerator"),
        "energy_mj": _by_name(folder / "energy_mj.csv", "accelerator"),
        "dram_bits": _by_name(folder / "dram_bits.csv", "model_name")["mem_access"],
        "density": _by_name(folder / "density.csv", "quantity"),
        "tile_rows": _by_tile(folder / "m_dse.csv"),
        "tile_bits": _by_tile(folder / "k_dse.csv"),
        "networks": _networks(folder / "networks.yaml"),
    }


@app.command(epilog=example(f"{NAME} ../shared/data/published --write"))
def published(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", callback=INPUT_FOLDER, help="of the CSV and YAML files")],
    write: Write = False,
) -> None:
    """Distil the published tables into the file that Reprise ships."""
    text = json.dumps(distilled(folder), indent=1) + "\n"
    same = FILE.is_file() and FILE.read_text() == text
    if not same and write:
        FILE.write_text(text)
    print(f"{'same' if same else 'written' if write else 'differs'}: {FILE.name}")
    raise typer.Exit(int(not same and not write))


if __name__ == "__main__":
    main(app, NAME)
