"""The network file: a manifest ``NAME.yaml``, and beside it ``NAME.safetensors`` with the integers.

Every field is described in ``docs/network-format.md``. Reading validates everything before a network is built: the
manifest's fields, the tensor file's SHA-256, the name, type and shape of every tensor, and the network's own rules. No
torch is imported.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import save as save_tensors

from ...support.errors import MissingFileError, explain
from ...support.yaml_file import to_yaml
from ..network.network import Network
from .arrays import ArrayFileError, check_size, read_tensors
from .layers import layer_entry, to_network, to_tensors, version_of
from .manifest import FORMAT, VERSION, Manifest, NetworkFileError, read_manifest, tensor_shapes

__all__ = ["FORMAT", "VERSION", "NetworkFile", "NetworkFileError", "load", "read_manifest", "save"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NetworkFile:
    """What a network file holds.

    Members
    -------
    network : reprise.model.network.network.Network
    images : uint8[n, C, H, W]
        Samples, of which there may be none. They are int8 if the input is signed, and [n, T, C, H, W] in mode "given".
    labels : int64[n]
    recipe, accuracy, statistics, widths, hardware, changes
        See ``docs/network-format.md``; ``accuracy`` has ``dataset``, ``images``, ``integer`` and ``float``.
    sha256 : digest of the tensor file
    path : of the manifest
    """

    network: Network
    images: np.ndarray
    labels: np.ndarray
    recipe: dict = field(default_factory=dict)
    accuracy: dict | None = None
    statistics: dict = field(default_factory=dict)
    widths: dict = field(default_factory=dict)
    hardware: dict = field(default_factory=dict)
    changes: tuple = ()
    sha256: str = ""
    path: Path = Path()

    def __repr__(self) -> str:
        n, shape = self.network, "x".join(map(str, self.network.input_shape))
        size = f"{len(n.layers)} layers, input {shape} of 0..{n.input_levels}, T={n.timesteps}"
        return f"NetworkFile({n.name}: {size}, {len(self.images)} samples)"

    def save(self, path: str | Path) -> Path:
        """Write it as ``path`` (``.yaml`` is added) and ``path.safetensors``, and return the manifest's path."""
        return save(
            self.network,
            path,
            recipe=self.recipe,
            accuracy=self.accuracy,
            statistics=self.statistics,
            widths=self.widths,
            hardware=self.hardware,
            changes=self.changes,
            samples=(self.images, self.labels),
        )


def _paths(path: str | Path) -> tuple[Path, Path]:
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        path = path.with_name(path.name + ".yaml")
    return path, path.with_suffix(".safetensors")


def save(
    network: Network,
    path: str | Path,
    *,
    recipe: dict | None = None,
    accuracy: dict | None = None,
    statistics: dict | None = None,
    widths: dict | None = None,
    hardware: dict | None = None,
    changes: Sequence[str] = (),
    samples: tuple | None = None,
) -> Path:
    """Write a network file. The same content gives the same bytes.

    Parameters
    ----------
    network : Network
    path : of the manifest; the suffix ``.yaml`` is added where it lacks
    recipe, statistics, changes : what is recorded, as plain values
    accuracy : {"dataset", "images", "integer" (percent), "float" (percent or None)}
    widths : {layer: {sum: (low, high, bits)}}
    hardware : fields of the configuration that encodings, statistics and widths are for
    samples : (images, labels) that are run unless somebody chooses others

    Returns
    -------
    Path
        Of the manifest.
    """
    path, tensor_path = _paths(path)
    pixel = np.int8 if network.input_signed else np.uint8
    frame = (network.timesteps,) * (network.input_mode == "given") + network.input_shape
    images, labels = samples if samples is not None else (np.zeros((0, *frame), pixel), np.zeros(0, np.int64))
    tensors = to_tensors(network)
    tensors["samples.images"] = np.ascontiguousarray(np.asarray(images, pixel))
    tensors["samples.labels"] = np.asarray(labels, dtype=np.int64)
    blob, layers = save_tensors(tensors), tuple(layer_entry(layer) for layer in network.layers)
    values: dict[str, Any] = dict(
        format=FORMAT,
        version=version_of(network),
        name=network.name,
        tensors=dict(file=tensor_path.name, sha256=hashlib.sha256(blob).hexdigest()),
        input=dict(
            shape=network.input_shape,
            levels=network.input_levels,
            signed=network.input_signed,
            mode=network.input_mode,
        ),
        timesteps=network.timesteps,
        layers=layers,
        recipe=recipe or {},
        accuracy=accuracy,
        statistics=statistics or {},
        widths={k: {n: tuple(v) for n, v in w.items()} for k, w in (widths or {}).items()},
        hardware=hardware or {},
        changes=tuple(changes),
    )
    try:
        manifest = Manifest(**values)
    except ValidationError as e:
        raise explain(str(path), e, NetworkFileError) from e
    path.parent.mkdir(parents=True, exist_ok=True)
    tensor_path.write_bytes(blob)
    path.write_text(to_yaml(_plain(manifest.model_dump(by_alias=True) | {"layers": layers})))
    return path


def _plain(value: Any) -> Any:
    """Turn tuples and NumPy scalars into what YAML writes as lists and numbers."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def load(path: str | Path) -> NetworkFile:
    """Read and validate a network file.

    Raises
    ------
    FileNotFoundError
        The manifest or its tensor file does not exist.
    NetworkFileError
        A rule is broken; the message names the file, the field, the rule and the value.
    """
    path = Path(path)
    manifest = read_manifest(path)
    tensor_path = path.with_name(manifest.tensors.file)
    if not tensor_path.is_file():
        raise MissingFileError(f"{path}: tensors.file {manifest.tensors.file!r} must lie beside the manifest")
    try:
        check_size(tensor_path)
    except ArrayFileError as e:
        raise NetworkFileError(f"{tensor_path}: {e}") from None
    blob = tensor_path.read_bytes()
    digest = hashlib.sha256(blob).hexdigest()
    if digest != manifest.tensors.sha256:
        raise NetworkFileError(
            f"{path}: tensors.sha256 must be the digest of {tensor_path.name}, {digest}, not {manifest.tensors.sha256}"
        )
    tensors = dict(read_tensors(tensor_path, blob, NetworkFileError))
    images, labels = _samples(tensor_path, manifest, tensors)
    _check_tensors(tensor_path, tensor_shapes(manifest), tensors)
    try:
        network = replace(to_network(manifest, tensors), calibration=images)
    except ValueError as e:
        raise NetworkFileError(f"{path}: {e}") from e
    return NetworkFile(
        network=network,
        images=images,
        labels=labels,
        recipe=manifest.recipe,
        accuracy=None if manifest.accuracy is None else manifest.accuracy.model_dump(by_alias=True),
        statistics=manifest.statistics,
        widths=manifest.widths,
        hardware=manifest.hardware,
        changes=manifest.changes,
        sha256=digest,
        path=path,
    )


def _samples(path: Path, manifest: Manifest, tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = tensors.pop("samples.images", None), tensors.pop("samples.labels", None)
    frame = (manifest.timesteps,) * (manifest.input.mode == "given") + manifest.input.shape
    dtype = np.int8 if manifest.input.signed else np.uint8
    if images is None or images.dtype != dtype or images.shape[1:] != frame:
        have = "nothing" if images is None else f"{images.dtype}{images.shape}"
        raise NetworkFileError(
            f"{path}: samples.images must be {np.dtype(dtype)}[n, {', '.join(map(str, frame))}], not {have}"
        )
    if labels is None or labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise NetworkFileError(
            f"{path}: samples.labels must be int64[{len(images)}], one per image, not {getattr(labels, 'shape', None)}"
        )
    if labels.size and int(labels.min()) < -1:
        raise NetworkFileError(f"{path}: samples.labels must be from 0 on, or -1 for none, not {int(labels.min())}")
    if images.size and not manifest.input.signed and int(images.max()) > manifest.input.levels:
        raise NetworkFileError(f"{path}: samples.images must be in 0..{manifest.input.levels}, not {int(images.max())}")
    return images, labels


def _check_tensors(
    path: Path, expected: dict[str, tuple[type[np.integer], tuple[int, ...]]], tensors: dict[str, np.ndarray]
) -> None:
    if missing := sorted(set(expected) - set(tensors)):
        raise NetworkFileError(f"{path}: tensor {missing[0]!r} must be present (the manifest's layers name it)")
    if extra := sorted(set(tensors) - set(expected)):
        raise NetworkFileError(f"{path}: tensor {extra[0]!r} must not be present: no layer of the manifest has it")
    for name, (dtype, shape) in expected.items():
        have = tensors[name]
        if have.dtype != dtype or have.shape != shape:
            raise NetworkFileError(
                f"{path}: {name} must be {np.dtype(dtype)}{list(shape)}, not {have.dtype}{list(have.shape)}"
            )
