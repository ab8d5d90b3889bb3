"""The committed figures in ``docs/measured/resources.json``: one record for each measurement."""

from __future__ import annotations

import json
from pathlib import Path

from ...estimate.area import structure
from ...estimate.area.netlist import NETLIST
from ...hw.arch.config import HardwareConfig
from .route import GOAL, Route, summary
from .synth import Synthesis

RESOURCES = Path("docs/measured/resources.json")
KEYS = ("kind", "config", "block", "target", "part", "grade", "seed", "ripup", "goal", "free")


def key(record: dict) -> tuple:
    """Return what a record is a measurement of: a later record with the same key replaces it."""
    return tuple(record.get(k) for k in KEYS)


def load(path: Path = RESOURCES) -> list[dict]:
    """Return all records, and none if there is no file."""
    return json.loads(path.read_text())["records"] if path.is_file() else []


def save(record: dict, path: Path = RESOURCES) -> None:
    """Add a record, or replace the one that has its key."""
    records = [r for r in load(path) if key(r) != key(record)] + [record]
    records.sort(key=lambda r: tuple(str(k) for k in key(r)))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(json.dumps(r) for r in records)
    path.write_text(f'{{"format": 1, "records": [\n{text}\n]}}\n')


def options(config: str, changes: dict[str, int]) -> str:
    """Return the options that name a configuration with changes on the command line."""
    return " ".join([f"--config {config}", *(f"--set {k}={v}" for k, v in changes.items())])


def synthesis_record(name: str, config: HardwareConfig, found: Synthesis, shown: str) -> dict:
    """Return a synthesis as a record. ``shown`` are the options that name the configuration."""
    return {
        "kind": "synthesis",
        "netlist": NETLIST,
        "config": name,
        "block": found.block,
        "target": found.target,
        **found.resources,
        "cells": found.cells,
        "blocks": found.blocks,
        "configuration": config.to_dict(),
        "structure": structure.to_dict(found.structure),
        "tool": found.tool,
        "command": f"reprise fpga synth {shown} --block {found.block} --target {found.target}",
    }


def route_record(
    name: str, config: HardwareConfig, block: str, found: Route, shown: str, *, free: bool = False
) -> dict:
    """Return a routed design as a record.

    ``shown`` are the options that name the configuration, and ``free`` says that it had no floorplan.
    """
    others = {"goal": found.goal} if found.goal != GOAL else {}
    others |= {"free": True} if free else {}
    return {
        "kind": "route",
        "netlist": NETLIST,
        "config": name,
        "block": block,
        "target": "ecp5",
        "part": found.part,
        "grade": found.grade,
        "seed": found.seed,
        "ripup": found.ripup,
        **others,
        "fmax": found.fmax,
        "utilization": {k: list(v) for k, v in found.utilization.items()},
        "luts": found.luts,
        "critical": summary(found.path),
        "path": found.path,
        "tool": found.tool,
        "command": f"reprise fpga route {shown} --block {block} --part {found.part} --grade {found.grade}"
        f" --seed {found.seed}{' --ripup' if found.ripup else ''}"
        f"{f' --goal {found.goal:g}' if 'goal' in others else ''}{' --free' if free else ''}",
    }
