"""Captures: spikes recorded at the inputs of a network's layers, as people hand them in.

A capture is an ``.npz`` with one array per layer and a YAML file beside it (same name, ``.yaml`` or ``.yml``)::

    timesteps: 32
    levels: 1                # optional: N of every array; 1 is a binary spike. A layer can have levels of its own
    encoding: bitplane       # optional: how levels above 1 become rows
    neuron_levels: 1         # optional: N of the layers' own neurons; without it, that of the arrays
    left_out: [attention_q]  # optional: arrays of the file that are of no layer here
    layers:
      - {name: conv2, kind: conv, in_channels: 6, out_channels: 16, kernel: 5, stride: 1, padding: 0}
      - {name: fc, kind: linear, in_features: 576, out_features: 120}
      - {name: fc2, kind: linear, in_features: 120, out_features: 480, tokens: 64}

An array is (T, C, H, W) for a convolution, (T, features) for a linear layer, and (T, tokens, features) for one that is
applied to several tokens. A ``.pkl``, ``.pt`` or ``.pth`` of tensors, as the published simulator has them, is read as
well (:mod:`reprise.model.files.tensor_pickle`); its arrays may have an axis of one image more. Nothing of a file is
run.
"""

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ...support.errors import RepriseError, explain
from ...support.yaml_file import read_yaml
from ..network.layer import Encoding, Layer, Source
from ..network.neuron import Neuron
from ..prosparsity.tiling import KOrder, LayerTiles, layer_tiles
from .arrays import ArrayFileError, Npz
from .capture_spec import CaptureSpec, ConvSpec, LinearSpec
from .tensor_pickle import TensorFile

MOST_SPIKES, MOST_BITS = 1 << 26, 1 << 31
"""The most recorded values, and bits in the rows of a layer, since memory is taken in proportion to them. The largest
layers of VGG-16 have 3 million values and 29 million bits a timestep."""

PICKLES = (".pkl", ".pt", ".pth")
"""Suffixes of files of tensors; any other file is an .npz."""

SAMPLE = Path(__file__).parent / "data" / "digits_snn.npz"


class CaptureError(RepriseError):
    """A capture that cannot be read; the message names the file, the field, the rule and the value."""


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
        return self.layer.convolutions[0].depth

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


def _spec_path(capture: Path, spec: Path | None, arrays: Npz | TensorFile) -> Path:
    if spec is not None:
        return spec
    for suffix in (".yaml", ".yml"):
        if capture.with_suffix(suffix).exists():
            return capture.with_suffix(suffix)
    held = ", ".join(f"{name} {header.shape}" for name, header in list(arrays.headers.items())[:12])
    raise CaptureError(
        f"{capture}: the layers' YAML {capture.with_suffix('.yaml').name} must lie beside it (or be named), since the "
        f"file has no kernels and strides, but only the arrays {held}"
    )


def _open_arrays(path: Path) -> Npz | TensorFile:
    if not path.is_file():
        raise CaptureError(f"{path}: must be a file, and there is none")
    if path.suffix in PICKLES:
        try:
            return TensorFile(path)
        except ArrayFileError as error:
            raise CaptureError(f"{path}: must be a file of tensors by name: {error}") from None
    if not zipfile.is_zipfile(path):
        raise CaptureError(f"{path}: must be an .npz (a zip of NumPy arrays), and it is not a zip file")
    try:
        return Npz(path)
    except ArrayFileError as error:
        raise CaptureError(f"{path}: must be a readable .npz of plain arrays: {error}") from None


def _shape(one: ConvSpec | LinearSpec, arrays: Npz | TensorFile) -> tuple[int, ...]:
    """Return the shape that a layer's array has without the axis of one image that tensors of a simulator have."""
    shape = arrays.headers[one.name].shape
    axes = 4 if one.kind == "conv" else 2 + (one.tokens > 1)
    if isinstance(arrays, TensorFile):
        for axis in (1, 0):
            if len(shape) == axes + 1 and shape[axis] == 1:
                shape = (*shape[:axis], *shape[axis + 1 :])
    return shape


def _check_header(path: Path, spec: CaptureSpec, one: ConvSpec | LinearSpec, arrays: Npz | TensorFile) -> None:
    """Check type and shape of a layer's array before it is unpacked."""
    where = f"{path}: array {one.name!r}"
    if one.name not in arrays.headers:
        raise CaptureError(
            f"{where}: must be there for the layer of that name; the file holds {sorted(arrays.headers)}"
        )
    array, shape = arrays.headers[one.name], _shape(one, arrays)
    wanted: tuple[int, ...]
    if one.kind == "conv":
        form, wanted, size = "(timesteps, in_channels, H, W)", (spec.timesteps, one.in_channels), shape[:2]
    elif one.tokens > 1:
        form, wanted, size = "(timesteps, tokens, in_features)", (spec.timesteps, one.tokens, one.in_features), shape
    else:
        form, wanted, size = "(timesteps, in_features)", (spec.timesteps, one.in_features), shape
    if size != wanted or len(shape) != form.count(",") + 1:
        numbers = ", ".join(map(str, wanted)) + (", H, W" if one.kind == "conv" else "")
        raise CaptureError(f"{where}: shape must be {form} = ({numbers}), not {array.shape}")
    if one.kind == "conv" and min(shape[2:]) + 2 * one.padding < one.kernel:
        raise CaptureError(
            f"{where}: H and W with padding {one.padding} must be at least the kernel {one.kernel}, not {shape[2:]}"
        )
    if math.prod(shape) > MOST_SPIKES:
        raise CaptureError(f"{where}: must be at most {MOST_SPIKES} values, not {array.shape}: record fewer timesteps")
    if one.kind == "conv":
        height, width = ((size + 2 * one.padding - one.kernel) // one.stride + 1 for size in shape[2:])
        bits = spec.timesteps * (one.levels or spec.levels) * height * width * one.in_channels * one.kernel**2
        if bits > MOST_BITS:
            raise CaptureError(
                f"{where}: its rows must have at most {MOST_BITS} bits, not {bits}: record fewer timesteps"
            )
    if array.dtype.kind not in "buif":
        raise CaptureError(f"{where}: values must be spikes (integers), not {array.dtype} with fractions or text")


def _spikes(path: Path, spec: CaptureSpec, one: ConvSpec | LinearSpec, arrays: Npz | TensorFile) -> np.ndarray:
    levels = one.levels or spec.levels
    where = f"{path}: array {one.name!r}"
    try:
        array = arrays.read(one.name)
    except ArrayFileError as error:
        kind = "file of tensors" if isinstance(arrays, TensorFile) else ".npz of plain arrays"
        raise CaptureError(f"{path}: must be a readable {kind}: {error}") from None
    if array.dtype.kind == "f" and array.size and not np.array_equal(array, np.floor(array)):
        raise CaptureError(f"{where}: values must be spikes (integers), not {array.dtype} with fractions or text")
    if array.size and (array.min() < 0 or array.max() > levels):
        rule = "0 or 1 (binary spikes; for multi-level ones set levels)" if levels == 1 else f"in 0..{levels}"
        raise CaptureError(f"{where}: values must be {rule}, not {array.min()}..{array.max()}")
    array = array.astype(np.uint8).reshape(_shape(one, arrays))
    if one.kind == "linear" and one.tokens > 1:  # a 1x1 convolution over the tokens
        return np.ascontiguousarray(array.transpose(0, 2, 1))[..., None]
    return array.reshape(*array.shape, *(1,) * (4 - array.ndim))


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
    path : path of the .npz, or of a .pkl, .pt or .pth of tensors
    spec : path of the YAML file, which is looked for beside it if it is not given

    Raises
    ------
    CaptureError
    """
    path = Path(path)
    arrays = _open_arrays(path)
    spec_path = _spec_path(path, None if spec is None else Path(spec), arrays)
    content = _read_spec(spec_path)
    names = [one.name for one in content.layers]
    if len(set(names)) < len(names):
        raise CaptureError(f"{spec_path}: layers: names must be unique, not {names}")
    if unknown := sorted(set(arrays.headers) - set(names) - set(content.left_out)):
        raise CaptureError(
            f"{path}: array {unknown[0]!r} must be of a layer in {spec_path.name}, which has {names}, or be named in "
            "its left_out"
        )
    if missing := sorted(set(content.left_out) - set(arrays.headers)):
        raise CaptureError(f"{spec_path}: left_out: {missing[0]!r} must be an array of {path.name}, which has none")
    for one in content.layers:
        _check_header(path, content, one, arrays)
    layers = [
        captured_layer(
            _spikes(path, content, one, arrays),
            one,
            one.levels or content.levels,
            content.encoding,
            content.neuron_levels,
        )
        for one in content.layers
    ]
    return Capture(name=path.stem, layers=tuple(layers))
