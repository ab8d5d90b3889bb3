"""What the YAML file of a capture says of its layers, validated, and the writer of captures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_WEIGHTS = 1 << 27
"""The most weights of a layer, since memory is taken in proportion to them. The largest of VGG-16 has 103 million."""


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Size = Annotated[int, Field(ge=1, le=65536)]
"""Channels or features. What stands in a file is bounded, since arrays of these sizes are made."""


LevelsOf = Annotated[int, Field(ge=1, le=255)]
"""N of an array, or of neurons."""


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
    levels: LevelsOf | None = None

    @model_validator(mode="after")
    def _windows_meet_the_feature(self) -> Self:
        if self.padding >= self.kernel:
            raise ValueError(f"padding must be smaller than the kernel ({self.kernel}), not {self.padding}")
        _check_weights(self.out_channels * self.in_channels * self.kernel**2)
        return self


class LinearSpec(_Spec):
    """A fully connected layer whose input was recorded; it may be applied to several tokens of an image."""

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["linear"]
    in_features: Size
    out_features: Size
    tokens: Size = 1
    levels: LevelsOf | None = None

    @model_validator(mode="after")
    def _weights_are_bounded(self) -> Self:
        _check_weights(self.out_features * self.in_features)
        return self


class CaptureSpec(_Spec):
    """The contents of a capture's YAML file."""

    timesteps: Annotated[int, Field(ge=1)]
    levels: LevelsOf = 1
    encoding: Literal["bitplane", "thermometer"] = "bitplane"
    neuron_levels: LevelsOf | None = None
    left_out: list[str] = []
    layers: Annotated[list[Annotated[ConvSpec | LinearSpec, Field(discriminator="kind")]], Field(min_length=1)]


def save_capture(
    path: Path, arrays: Mapping[str, np.ndarray], layers: Sequence[ConvSpec | LinearSpec], timesteps: int
) -> tuple[Path, Path]:
    """Write the arrays of a capture (.npz) and the YAML file of its layers beside it, and return both paths."""
    path = path.with_suffix(".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(path, **named)
    lines = [f"timesteps: {timesteps}", "layers:"]
    for one in layers:
        fields = one.model_dump(exclude_defaults=True)
        text = yaml.safe_dump({"name": one.name, "kind": one.kind, **fields}, default_flow_style=True, width=1000)
        lines.append(f"  - {text.strip()}")
    path.with_suffix(".yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, path.with_suffix(".yaml")
