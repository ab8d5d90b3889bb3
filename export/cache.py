"""The network files of presets: those that come with Reprise, and those that were trained and kept by content.

Neither kind needs torch to be found.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.files import network_file
from ..model.files.shipped import shipped
from ..model.hardware import Hardware, sizes
from ..support.cache import Entry, Store, digest, sources
from ..support.errors import RepriseError
from ..support.presets import PACKAGE
from .train.recipe import Recipe, preset

if TYPE_CHECKING:
    from .pipeline import Product

NETWORKS = Store("networks")


def key_of(recipe: Recipe, hardware: Hardware) -> str:
    """Return a key of all that a trained network depends on.

    That is the recipe, the sizes that it is exported for, the code that trains, and the version of torch.
    """
    code = sources(*(PACKAGE / "export" / folder for folder in ("nn", "qat", "trace", "train")))
    try:
        torch = version("torch")
    except PackageNotFoundError:  # without torch nothing can be trained, which is told when something has to be
        torch = ""
    return f"{recipe.title}-{digest(recipe.model_dump(), sizes(hardware), code, torch)}"


def is_network_file(path: str | Path) -> bool:
    """Return whether a path is that of a YAML file whose first lines name the format of network files."""
    path = Path(path)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as f:
        return network_file.FORMAT in f.read(400)


def ready(network: str | Path, hardware: Hardware) -> Path | None:
    """Return the network file that can be had without training, or None if there is none.

    It is the given file itself if it is a network file. For a preset, it is the one that comes with Reprise, if the
    preset still is the recipe that it was trained from, or else one that was trained before.
    """
    if is_network_file(network):
        return Path(network)
    recipe = preset(str(network))
    path = shipped(str(network))
    if path is not None and Recipe(**network_file.read_manifest(path).recipe) == recipe:
        return path
    folder = NETWORKS.find(key_of(recipe, hardware)) if recipe.quantize else None
    return None if folder is None else folder / f"{recipe.title}.yaml"


def cached(network: str | Path, hardware: Hardware, *, data: str | Path | None = None, progress: bool = True) -> Path:
    """Return what :func:`ready` finds, or else train the network and keep it.

    Two processes that want the same network train it once.

    Raises
    ------
    RepriseError
        The preset is trained in floating point only, or a package that training needs is missing.
    """
    found = ready(network, hardware)
    if found is not None:
        return found
    recipe = preset(str(network))
    if not recipe.quantize:
        remedy = "a network that is trained in floating point has no network file"
        raise RepriseError(where=str(network), field="quantize", rule="true", value=False, remedy=remedy)

    def make(folder: Path) -> None:
        from .pipeline import produce

        produce(recipe, folder / recipe.title, hardware, data=data, progress=progress)

    return _file(recipe, NETWORKS.get(key_of(recipe, hardware), make))


def keep(
    recipe: Recipe,
    hardware: Hardware,
    *,
    data: str | Path | None = None,
    checkpoint: Path | None = None,
    device: str | None = None,
) -> Product:
    """Train a network even if it is there already, and keep it where :func:`cached` finds it.

    ``checkpoint`` is a file to resume from and to write after every epoch, and ``device`` is "cpu" or "cuda".
    """
    from .pipeline import produce

    made: list[Product] = []

    def make(folder: Path) -> None:
        path = folder / recipe.title
        made.append(produce(recipe, path, hardware, data=data, checkpoint=checkpoint, device=device))

    entry = NETWORKS.get(key_of(recipe, hardware), make, anew=True)
    return dataclasses.replace(made[0], path=_file(recipe, entry))


def _file(recipe: Recipe, entry: Entry) -> Path:
    return entry.folder / f"{recipe.title}.yaml"
