"""Trained networks by content key: the recipe and the code that trains. No torch is imported on a hit."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from ..model.files import network_file
from ..model.hardware import Hardware, sizes
from ..support.errors import RepriseError
from ..support.presets import PACKAGE
from .train.recipe import Recipe, preset


def code_key() -> str:
    """SHA-256 of what a trained network depends on beside its recipe: networks, training, quantization, torch."""
    digest = hashlib.sha256(version("torch").encode())
    for folder in ("nn", "qat", "trace", "train"):
        for path in sorted((PACKAGE / "export" / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def is_network_file(path: str | Path) -> bool:
    """A YAML file whose first lines name the format."""
    path = Path(path)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as f:
        return network_file.FORMAT in f.read(400)


def file_of(recipe: Recipe, hardware: Hardware, cache: str | Path = "build/networks") -> Path:
    """The network file of a recipe that is exported for a configuration, whether it is there or not."""
    return Path(cache) / f"{recipe.title}-{recipe.key(code_key(), json.dumps(sizes(hardware)))}.yaml"


def cached(
    network: str | Path,
    hardware: Hardware,
    *,
    data: str | Path | None = None,
    cache: str | Path = "build/networks",
    progress: bool = True,
) -> Path:
    if is_network_file(network):
        return Path(network)
    recipe: Recipe = preset(str(network))
    if not recipe.quantize:
        remedy = "a network that is trained in floating point has no network file"
        raise RepriseError(where=str(network), field="quantize", rule="true", value=False, remedy=remedy)
    path = file_of(recipe, hardware, cache)
    if path.is_file():
        return path
    from .pipeline import produce

    produce(recipe, path, hardware, data=data, progress=progress)
    return path
