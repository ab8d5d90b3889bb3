"""Captures: spikes recorded at the inputs of a network's layers, as people hand them in.

A capture is an ``.npz`` with one array per layer and a YAML file beside it (same name, ``.yaml`` or ``.yml``)::

    timesteps: 32
    levels: 1                # optional: N of every array; 1 is a binary spike
    encoding: bitplane       # optional: how levels above 1 become rows
    neuron_levels: 1         # optional: N of the layers' own neurons; without it, that of the arrays
    layers:
      - {name: conv2, kind: conv, in_channels: 6, out_channels: 16, kernel: 5, stride: 1, padding: 0}
      - {name: fc, kind: linear, in_features: 576, out_features: 120}

An array is (T, C, H, W) for a convolution and (T, features) for a linear layer. Nothing is unpickled.
"""

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...support.errors import RepriseError, explain
from ...support.yaml_file import read_yaml
from ..network.layer import Encoding, Layer, Source
from ..network.neuron import Neuron
from ..prosparsity.tiling import KOrder, LayerTiles, layer_tiles
from .arrays import ArrayFileError, Npz

MOST_SPIKES, MOST_WEIGHTS, MOST_BITS = 1 << 26, 1 << 27, 1 << 31
"""The most recorded values, weights, and bits in the rows of a layer, since memory is taken in proportion to them. The
largest layers of VGG-16 have 3 million values a timestep, 103 million weights, and 29 million bits a timestep."""

SAMPLE = Path(__file__).parent / "data" / "digits_snn.npz"


class CaptureError(RepriseError):
    """A capture that cannot be read; the message names the file, the field, the rule and the value."""


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Size = Annotated[int, Field(ge=1, le=65536)]
"""Channels or features. What stands in a file is bounded, since arrays of these sizes are made."""


def _check_weights(count: int) -> None:
    if count > MOST_WEIGHTS:
        raise ValueError(f"the layer must have at most {MOST_WEIGHTS} weights, not {count}")


class ConvSpec(_Spec):
    """A convolution whose input was recorded."""

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["conv"]
    in_channels: Size
    out_channels: Size
    kernel: Annotated[int, Field(ge=1, le=255)]
    stride: Annotated[int, Field(ge=1, le=255)] = 1
    padding: Annotated[int, Field(ge=0, le=254)] = 0

    @model_validator(mode="after")
    def _windows_meet_the_feature(self) -> Self:
        if self.padding >= self.kernel:
            raise ValueError(f"padding must be smaller than the kernel ({self.kernel}), not {self.padding}")
        _check_weights(self.out_channels * self.in_channels * self.kernel**2)
        return self


class LinearSpec(_Spec):
    """A fully connected layer whose input was recorded."""

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["linear"]
    in_features: Size
    out_features: Size

    @model_validator(mode="after")
    def _weights_are_bounded(self) -> Self:
        _check_weights(self.out_features * self.in_features)
        return self


class CaptureSpec(_Spec):
    """The contents of a capture's YAML file."""

    timesteps: Annotated[int, Field(ge=1)]
    levels: Annotated[int, Field(ge=1, le=255)] = 1
    encoding: Literal["bitplane", "thermometer"] = "bitplane"
    neuron_levels: Annotated[int, Field(ge=1, le=255)] | None = None
    layers: Annotated[list[Annotated[ConvSpec | LinearSpec, Field(discriminator="kind")]], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class CapturedLayer:
    """The recorded input of one layer, spikes uint8 (T, C, H, W) of 0..``levels``, and what the layer does with it.

    No weights are recorded, and of the neurons only N (``layer.neuron.levels``).
    """

    name: str
    layer: Layer
    spikes: np.ndarray
    levels: int

    @property
    def depth(self) -> int:
        """K of the layer's rows."""
        return self.layer.sources[0].depth

    @property
    def outputs(self) -> int:
        """Number of output channels."""
        return self.layer.channels

    def tiles(self, tile_m: int, tile_k: int, k_order: KOrder = "ckk") -> LayerTiles:
        """Make rows (by position, timestep, plane) and cut them every ``tile_m``, as the published simulator does."""
        return layer_tiles(
            self.layer,
            (self.spikes,),
            (self.levels,),
            tile_m=tile_m,
            tile_k=tile_k,
            k_order=k_order,
            whole_positions=False,
        )


@dataclass(frozen=True, kw_only=True)
class Capture:
    """A capture that was validated: its name and its layers."""

    name: str
    layers: tuple[CapturedLayer, ...]

    def __iter__(self) -> Iterator[CapturedLayer]:
        return iter(self.layers)


def _read_spec(path: Path) -> CaptureSpec:
    content = read_yaml(path, kind=CaptureError, rule="hold the keys timesteps and layers")
    try:
        return CaptureSpec.model_validate(content)
    except ValidationError as error:
        raise explain(str(path), error, CaptureError) from None


def _spec_path(capture: Path, spec: Path | None) -> Path:
    if spec is not None:
        return spec
    for suffix in (".yaml", ".yml"):
        if capture.with_suffix(suffix).exists():
            return capture.with_suffix(suffix)
    raise CaptureError(
        f"{capture}: the layers' YAML {capture.with_suffix('.yaml').name} must lie beside it (or be named)"
    )


def _open_arrays(path: Path) -> Npz:
    if not path.is_file():
        raise CaptureError(f"{path}: must be a file, and there is none")
    if not zipfile.is_zipfile(path):
        raise CaptureError(f"{path}: must be an .npz (a zip of NumPy arrays), and it is not a zip file")
    try:
        return Npz(path)
    except ArrayFileError as error:
        raise CaptureError(f"{path}: must be a readable .npz of plain arrays: {error}") from None


def _check_header(path: Path, spec: CaptureSpec, one: ConvSpec | LinearSpec, arrays: Npz) -> None:
    """Check type and shape of a layer's array before it is unpacked."""
    where = f"{path}: array {one.name!r}"
    if one.name not in arrays.headers:
        raise CaptureError(
            f"{where}: must be there for the layer of that name; the file holds {sorted(arrays.headers)}"
        )
    array = arrays.headers[one.name]
    if one.kind == "conv":
        form, wanted = "(timesteps, in_channels, H, W)", (spec.timesteps, one.in_channels)
    else:
        form, wanted = "(timesteps, in_features)", (spec.timesteps, one.in_features)
    if len(array.shape) != (4 if one.kind == "conv" else 2) or array.shape[:2] != wanted:
        numbers = ", ".join(map(str, wanted)) + (", H, W" if one.kind == "conv" else "")
        raise CaptureError(f"{where}: shape must be {form} = ({numbers}), not {array.shape}")
    if one.kind == "conv" and min(array.shape[2:]) + 2 * one.padding < one.kernel:
        raise CaptureError(
            f"{where}: H and W with padding {one.padding} must be at least the kernel {one.kernel}, "
            f"not {array.shape[2:]}"
        )
    if math.prod(array.shape) > MOST_SPIKES:
        raise CaptureError(f"{where}: must be at most {MOST_SPIKES} values, not {array.shape}: record fewer timesteps")
    if one.kind == "conv":
        height, width = ((size + 2 * one.padding - one.kernel) // one.stride + 1 for size in array.shape[2:])
        bits = spec.timesteps * spec.levels * height * width * one.in_channels * one.kernel**2
        if bits > MOST_BITS:
            raise CaptureError(
                f"{where}: its rows must have at most {MOST_BITS} bits, not {bits}: record fewer timesteps"
            )
    if array.dtype.kind not in "buif":
        raise CaptureError(f"{where}: values must be spikes (integers), not {array.dtype} with fractions or text")


def _spikes(path: Path, spec: CaptureSpec, one: ConvSpec | LinearSpec, arrays: Npz) -> np.ndarray:
    where = f"{path}: array {one.name!r}"
    try:
        array = arrays.read(one.name)
    except ArrayFileError as error:
        raise CaptureError(f"{path}: must be a readable .npz of plain arrays: {error}") from None
    if array.dtype.kind == "f" and array.size and not np.array_equal(array, np.floor(array)):
        raise CaptureError(f"{where}: values must be spikes (integers), not {array.dtype} with fractions or text")
    if array.size and (array.min() < 0 or array.max() > spec.levels):
        rule = "0 or 1 (binary spikes; for multi-level ones set levels)" if spec.levels == 1 else f"in 0..{spec.levels}"
        raise CaptureError(f"{where}: values must be {rule}, not {array.min()}..{array.max()}")
    return array.astype(np.uint8).reshape(*array.shape, *(1,) * (4 - array.ndim))


def captured_layer(
    spikes: np.ndarray,
    one: ConvSpec | LinearSpec,
    levels: int = 1,
    encoding: Encoding = "bitplane",
    neuron_levels: int | None = None,
) -> CapturedLayer:
    """Make a recorded layer from spikes (T, C, H, W) of 0..``levels`` and its description.

    Its neurons fire 0..``neuron_levels``; if that is not given, 0..``levels``, as those of the layer before it did.
    """
    if one.kind == "conv":
        outputs, shape = one.out_channels, (one.out_channels, one.in_channels, one.kernel, one.kernel)
        stride, padding = one.stride, one.padding
    else:
        outputs, shape, stride, padding = one.out_features, (one.out_features, one.in_features, 1, 1), 1, 0
    source = Source(feature="input", weight=np.zeros(shape, dtype=np.int8), stride=stride, padding=padding)
    neuron = Neuron.uniform(outputs, levels=neuron_levels or levels)
    layer = Layer(name=one.name, sources=(source,), neuron=neuron, encoding=encoding)
    return CapturedLayer(name=one.name, layer=layer, spikes=spikes, levels=levels)


def load_capture(path: str | Path, spec: str | Path | None = None) -> Capture:
    """Read and validate a capture.

    Parameters
    ----------
    path : path of the .npz
    spec : path of the YAML file, which is looked for beside the .npz if it is not given

    Raises
    ------
    CaptureError
    """
    path = Path(path)
    arrays = _open_arrays(path)
    spec_path = _spec_path(path, None if spec is None else Path(spec))
    content = _read_spec(spec_path)
    names = [one.name for one in content.layers]
    if len(set(names)) < len(names):
        raise CaptureError(f"{spec_path}: layers: names must be unique, not {names}")
    if unknown := sorted(set(arrays.headers) - set(names)):
        raise CaptureError(f"{path}: array {unknown[0]!r} must be of a layer in {spec_path.name}, which has {names}")
    for one in content.layers:
        _check_header(path, content, one, arrays)
    layers = [
        captured_layer(
            _spikes(path, content, one, arrays), one, content.levels, content.encoding, content.neuron_levels
        )
        for one in content.layers
    ]
    return Capture(name=path.stem, layers=tuple(layers))
