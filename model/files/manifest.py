"""The manifest of a network file: its fields, their rules, and how it is read.

``docs/network-format.md`` says what every field means.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...support.errors import MissingFileError, RepriseError, explain
from ...support.yaml_file import read_yaml

FORMAT = "reprise-network"
VERSION = 2
"""The newest version, which is written where a network has sums, products or addends; all others are written in the
first."""

PARAMETERS = ("threshold", "bias", "v0", "leak")

Size = Annotated[int, Field(ge=1, le=1 << 24)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class NetworkFileError(RepriseError):
    """A network file that breaks a rule; the message names the file, the field, the rule and the value."""


FIGURES = {"spikes", "bit_density", "product_density"}
"""Statistics of a layer that are numbers."""


def _whole(value: object) -> object:
    if isinstance(value, float | bool):
        raise ValueError("Input should be a valid integer")
    return value


Whole = BeforeValidator(_whole)
"""Refuses what Python takes for equal to an integer: 1.0 and true."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Tensors(Part):
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}\.safetensors$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Input(Part):
    shape: tuple[Size, Size, Size]
    levels: Annotated[int, Field(ge=1, le=255)]
    signed: bool = False
    mode: Literal["repeat", "once", "given"] = "repeat"


class SourceEntry(Part):
    feature: Name
    shape: tuple[Size, Size, Size, Size]
    stride: Annotated[int, Field(ge=1, le=2)] = 1
    padding: Annotated[int, Field(ge=0, le=6)] = 0
    flatten: bool = False
    mask: Name | None = None


class ProductEntry(Part):
    feature: Name
    operand: Name
    over: Literal["tokens", "channels"]
    heads: Size
    channels: Size


class NeuronEntry(Part):
    kind: Literal["if", "lif", "readout", "sum"]
    levels: Annotated[int, Field(ge=0, le=255)]
    reset: Literal["soft", "hard", "none"]
    bits: Annotated[Literal[8, 16, 32], Whole] = 32
    shift: Annotated[int, Field(ge=0, le=31)] = 0


class LayerEntry(Part):
    name: Name
    sources: Annotated[tuple[SourceEntry, ...], Field(min_length=1, max_length=2)] = ()
    product: ProductEntry | None = None
    addend: Name | None = None
    shift: Annotated[int, Field(ge=0, le=7)] = 0
    neuron: NeuronEntry
    encoding: Literal["bitplane", "thermometer"]
    pool: Annotated[Literal[2, 3, 4] | None, Whole] = None
    pool_stride: Annotated[int, Field(ge=1, le=4)] | None = None
    pool_padding: Annotated[int, Field(ge=0, le=1)] = 0

    @model_validator(mode="after")
    def _reads(self) -> "LayerEntry":
        reads = bool(self.sources) + (self.product is not None)
        if reads != 1 and not (reads == 0 and self.addend):
            raise ValueError(f"layer {self.name!r} must have either sources or a product, or an addend and no sources")
        if self.pool is None and (self.pool_stride or self.pool_padding):
            raise ValueError(f"layer {self.name!r} must have no pool_stride and no pool_padding without a pool")
        return self

    @property
    def channels(self) -> int | None:
        """O, the number of output channels, or None if it is that of the addend."""
        if self.product:
            return self.product.channels
        return self.sources[0].shape[0] if self.sources else None

    @property
    def version(self) -> int:
        """The first version of the format that has such layers."""
        return 2 if self.second else 1

    @property
    def second(self) -> str:
        """What the layer has that only the second version of the format knows, or nothing."""
        found = {
            "is a product": self.product,
            "is a sum": self.neuron.kind == "sum",
            "has an addend": self.addend,
            "has a mask": any(source.mask for source in self.sources),
            "has a pool with a stride of its own": self.pool_stride or self.pool_padding,
        }
        return next((what for what, has in found.items() if has), "")


class Accuracy(Part):
    dataset: str
    images: Annotated[int, Field(ge=1)]
    integer: Annotated[float, Field(ge=0, le=100)]
    float_: Annotated[float | None, Field(ge=0, le=100, alias="float")] = None


class Manifest(Part):
    """The contents of the manifest."""

    format: Literal["reprise-network"]
    version: Annotated[Literal[1, 2], Whole]
    name: Name
    tensors: Tensors
    input: Input
    timesteps: Annotated[int, Field(ge=1, le=4096)]
    layers: Annotated[tuple[LayerEntry, ...], Field(min_length=1)]
    recipe: dict[str, Any] = {}
    accuracy: Accuracy | None = None
    statistics: dict[str, dict[str, Any]] = {}
    widths: dict[str, dict[str, tuple[int, int, int]]] = {}
    hardware: dict[str, int] = {}
    changes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _version(self) -> "Manifest":
        for layer in self.layers:
            if layer.version > self.version:
                here = f"layer {layer.name!r} {layer.second}"
                raise ValueError(f"version must be {layer.version}, not {self.version}: {here}")
        return self

    @field_validator("statistics")
    @classmethod
    def _figures(cls, statistics: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Check the figures that are shown; there may be others, which only inform."""
        for layer, entry in statistics.items():
            for name in FIGURES & entry.keys():
                value = entry[name]
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    raise ValueError(f"{layer}.{name} must be a finite number")
        return statistics


def tensor_shapes(manifest: Manifest) -> dict[str, tuple[type[np.integer], tuple[int, ...]]]:
    """Return (dtype, shape) of every tensor that the file must hold beside the samples, by its name."""
    found: dict[str, tuple[type[np.integer], tuple[int, ...]]] = {}
    channels: dict[str, int] = {}
    for layer in manifest.layers:
        channels[layer.name] = layer.channels or channels.get(layer.addend or "", 0)
        for i, source in enumerate(layer.sources):
            found[f"{layer.name}.weight{i}"] = (np.int8, source.shape)
        for name in PARAMETERS:
            found[f"{layer.name}.{name}"] = (np.int32, (channels[layer.name],))
    return found


def _tupled(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _tupled(v) for k, v in value.items()}
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value


def read_manifest(path: str | Path) -> Manifest:
    """Read and validate the manifest alone."""
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"network file {str(path)!r} does not exist (the manifest NAME.yaml is meant)")
    values = read_yaml(path, kind=NetworkFileError)
    version = values.get("version")
    if values.get("format") == FORMAT and isinstance(version, int) and not 1 <= version <= VERSION:
        raise NetworkFileError(
            f"{path}: version must be 1 or {VERSION}, not {version!r}: written by another release, export it again"
        )
    try:
        return Manifest(**_tupled(values))
    except ValidationError as e:
        raise explain(str(path), e, NetworkFileError) from e
    except TypeError as e:  # a key that is no text
        raise NetworkFileError(f"{path}: {e}") from e
