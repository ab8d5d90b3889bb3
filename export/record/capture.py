"""Records the spikes that any network of PyTorch's layers sends into its convolutions and linear layers, as a capture.

Nothing of the network is converted, so that networks can be recorded that no import takes. The layers are known by
``torch.nn``'s classes, from which those of the frameworks are derived. What a layer reads becomes levels 0..N times one
value, if it is that, in all timesteps of one image; a layer that reads anything else (the pixels, currents, normalized
values) is left out, and the recording says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError
from torch import nn

from ...model.files.capture_spec import ConvSpec, LinearSpec, save_capture
from ...support.checks import require, require_int
from ...support.errors import RepriseError
from .running import copied, in_time, run, watching

TIMES = ("auto", "steps", "frames", "folded", "once")
Times = Literal["auto", "steps", "frames", "folded", "once"]
MOST_LEVELS = 255
CLOSE = 1e-4
"""How far a value may be from a whole number of levels, in levels: float32's rounding."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A capture that was written.

    Members
    -------
    path, layers_file : the arrays (.npz) and the layers' YAML file
    timesteps : T
    layers : what was recorded, as sentences by the layer's name
    left_out : why a layer was left out, by its name
    """

    path: Path
    layers_file: Path
    timesteps: int
    layers: dict[str, str]
    left_out: dict[str, str]


def record(
    module: nn.Module,
    image: np.ndarray,
    path: str | Path,
    *,
    timesteps: int,
    scale: float = 1.0,
    time: Times = "auto",
) -> Recording:
    """Run a network on one image and write what its layers read as a capture, which ``reprise density`` takes.

    Parameters
    ----------
    module : any module whose layers are derived from ``nn.Conv2d`` and ``nn.Linear``
    image : levels (C, H, W), or frames (T, C, H, W) for each timestep
    path : of the .npz; the layers' YAML lies beside it
    timesteps : T
    scale : the network takes ``image * scale``
    time : how the network takes its timesteps. "steps": it is called for each, and keeps its potentials or returns them
        behind its output; "frames": it is called once with (T, 1, C, H, W), or "folded" with (T, C, H, W); "once": it
        is called once with the image and makes the timesteps itself. "auto" is the one of these that its modules and
        the first call tell.

    Raises
    ------
    RepriseError
        The module fails, the timesteps are not T, or no layer reads spikes.
    """
    require(isinstance(module, nn.Module), "module", "a torch.nn.Module", type(module).__name__)
    require_int("timesteps", timesteps, 1)
    require(time in TIMES, "time", f"one of {', '.join(TIMES)}", time)
    frames = np.asarray(image)
    require(frames.ndim in (3, 4), "image", "of shape (C, H, W) or (T, C, H, W)", frames.shape)
    given = frames if frames.ndim == 4 else np.broadcast_to(frames, (timesteps, *frames.shape))
    require(len(given) == timesteps, "image", f"{timesteps} frames", len(given))
    shown = torch.tensor(np.ascontiguousarray(given)).float()[:, None] * scale
    with watching(copied(module)) as (twin, seen):
        how = run(twin, shown, time, seen)
    pixels = {_digest(part) for part in (*shown, shown)} if frames.ndim == 3 else set()
    arrays: dict[str, np.ndarray] = {}
    specs: list[ConvSpec | LinearSpec] = []
    layers, left_out = dict[str, str](), dict[str, str]()
    for name, one in seen.items():
        try:
            if all(_digest(part) in pixels for part in one.parts):
                raise RepriseError("it reads the image itself, and no spikes")
            array, spec, said = _layer(name, one.module, in_time(one.parts, one.module, timesteps, how))
        except RepriseError as error:
            left_out[name] = str(error)
            continue
        arrays[name], layers[name] = array, said
        specs.append(spec)
    if not specs:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items()) or "it has no Conv2d and no Linear"
        raise RepriseError(f"{type(module).__name__}: no layer reads spikes: {reasons}")
    try:
        written, beside = save_capture(Path(path), arrays, specs, timesteps)
    except OSError as error:
        raise RepriseError(f"{path}: cannot be written: {error.strerror}", field=str(path)) from None
    return Recording(path=written, layers_file=beside, timesteps=timesteps, layers=layers, left_out=left_out)


def _digest(values: torch.Tensor) -> bytes:
    return hashlib.sha256(values.contiguous().numpy().tobytes()).digest()


def _levels(values: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return whole levels and what one of them is worth; values that are no such levels raise RepriseError."""
    positive = values[values > 0]
    if not bool(values.isfinite().all()):
        raise RepriseError("it reads values that are NaN or infinite")
    if bool((values < 0).any()):
        raise RepriseError("it reads negative values, which are no spikes")
    if not len(positive):
        return values, 1.0
    least, found = float(positive.min()), values.unique()
    for parts in range(1, 17):  # the least level need not be 1: pooled spikes can be 2/4 and 3/4
        unit = least / parts
        whole = (found / unit).round()
        if float(whole.max()) <= MOST_LEVELS and float((found / unit - whole).abs().max()) < CLOSE:
            return (values / unit).round(), unit
    raise RepriseError(f"it reads {len(found)} different values, which are no levels 0..{MOST_LEVELS} of one unit")


def _layer(name: str, m: nn.Module, read: torch.Tensor) -> tuple[np.ndarray, ConvSpec | LinearSpec, str]:
    """Return what a layer has read (T, calls, ...) as levels, its description, and a sentence."""
    timesteps, tokens = read.shape[:2]
    if tokens > 1 and isinstance(m, nn.Conv2d):
        raise RepriseError(f"it was called {tokens} times in each of {timesteps} timesteps")
    values, unit = _levels(read)
    levels = max(int(values.max()), 1)
    fields: dict[str, Any] = dict(name=name, levels=levels if levels > 1 else None)
    spec: ConvSpec | LinearSpec
    try:
        if isinstance(m, nn.Conv2d):
            spec = ConvSpec(
                **fields,
                kind="conv",
                in_channels=m.in_channels,
                out_channels=m.out_channels,
                kernel=_one("kernel_size", m.kernel_size),
                stride=_one("stride", m.stride),
                padding=_padding(m),
            )
            if _one("dilation", m.dilation) != 1:
                raise RepriseError(f"its dilation is {m.dilation}, and captures have none")
            shape: tuple[int, ...] = (timesteps, *read.shape[2:])
        else:
            assert isinstance(m, nn.Linear)
            shape = (timesteps, tokens, m.in_features) if tokens > 1 else (timesteps, m.in_features)
            spec = LinearSpec(
                **fields, kind="linear", in_features=m.in_features, out_features=m.out_features, tokens=tokens
            )
    except ValidationError as error:
        raise RepriseError("; ".join(str(part["msg"]) for part in error.errors())) from None
    array = values.reshape(shape).numpy().astype(np.uint8)
    worth = "" if unit == 1 else f" of {unit:.6g}"
    kind = "spikes" if levels == 1 else f"levels 0..{levels}"
    return array, spec, f"{kind}{worth}, {100 * float((array > 0).mean()):.2f} % of {array.size} are not zero"


def _one(what: str, value: Any) -> int:
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(set(pair)) != 1:
        raise RepriseError(f"its {what} {pair} differs in the two directions, and captures have one number")
    return int(pair[0])


def _padding(m: nn.Conv2d) -> int:
    if m.padding_mode != "zeros":
        raise RepriseError(f"its padding is {m.padding_mode!r}, and captures pad with zeros")
    if m.padding == "valid":
        return 0
    if m.padding == "same":
        kernel = _one("kernel_size", m.kernel_size)
        if kernel % 2 == 0:
            raise RepriseError("padding 'same' of an even kernel is not symmetric")
        return kernel // 2
    return _one("padding", m.padding)
