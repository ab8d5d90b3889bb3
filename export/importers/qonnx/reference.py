"""Computes the nodes of a QONNX graph in float64 as ONNX and QONNX define them.

Nothing here knows how a graph is lowered: it is what an import is compared with, and what folds nodes of constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ...trace.graph import SourceRun, UnsupportedError

ROUNDING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "ROUND": torch.round,
    "FLOOR": torch.floor,
    "CEIL": torch.ceil,
    "ROUND_TO_ZERO": torch.trunc,
}
FLOATS = (1, 11)
"""ONNX's numbers for float32 and float64."""
Values = list[Any]
Attributes = Mapping[str, Any]


def largest(bits: float, *, signed: bool, narrow: bool) -> float:
    """Return the largest integer of a Quant node."""
    return 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow


def smallest(bits: float, *, signed: bool, narrow: bool) -> float:
    """Return the smallest integer of a Quant node."""
    return -(2 ** (bits - 1)) + narrow if signed else 0


def _quant(v: Values, a: Attributes) -> torch.Tensor:
    x, scale, zero, bits = v
    how = dict(signed=bool(a.get("signed", 1)), narrow=bool(a.get("narrow", 0)))
    low, high = smallest(float(bits), **how), largest(float(bits), **how)
    whole = ROUNDING[str(a.get("rounding_mode", "ROUND")).upper()]((x / scale + zero).clamp(low, high))
    return (whole - zero) * scale


def pads(a: Attributes) -> list[int]:
    """Return the padding of a node (top, left, bottom, right)."""
    return [int(p) for p in a.get("pads", (0, 0, 0, 0))]


def _padded(x: torch.Tensor, a: Attributes, value: float) -> torch.Tensor:
    top, left, bottom, right = pads(a)
    return F.pad(x, (left, right, top, bottom), value=value)


def _conv(v: Values, a: Attributes) -> torch.Tensor:
    bias = v[2] if len(v) > 2 else None
    steps = dict(stride=tuple(a.get("strides", (1, 1))), dilation=tuple(a.get("dilations", (1, 1))))
    return F.conv2d(_padded(v[0], a, 0.0), v[1], bias, groups=int(a.get("group", 1)), **steps)


def _gemm(v: Values, a: Attributes) -> torch.Tensor:
    x = v[0].T if a.get("transA", 0) else v[0]
    w = v[1].T if a.get("transB", 0) else v[1]
    y = a.get("alpha", 1.0) * (x @ w)
    return y + a.get("beta", 1.0) * v[2] if len(v) > 2 else y


def _norm(v: Values, a: Attributes) -> torch.Tensor:
    return F.batch_norm(v[0], v[3], v[4], v[1], v[2], eps=float(a.get("epsilon", 1e-5)))


def _max_pool(v: Values, a: Attributes) -> torch.Tensor:
    kernel = tuple(a["kernel_shape"])
    return F.max_pool2d(_padded(v[0], a, -torch.inf), kernel, tuple(a.get("strides", (1, 1))))


def _average_pool(v: Values, a: Attributes) -> torch.Tensor:
    return F.avg_pool2d(v[0], tuple(a["kernel_shape"]), tuple(a.get("strides", (1, 1))))


def _mean(v: Values, a: Attributes) -> torch.Tensor:
    axes = a["axes"] if len(v) < 2 else [int(i) for i in v[1]]
    return v[0].mean(tuple(axes), keepdim=bool(a.get("keepdims", 1)))


def _reshape(v: Values, a: Attributes) -> torch.Tensor:
    sizes = [int(size) for size in v[1]]
    kept = [v[0].shape[i] if size == 0 and not a.get("allowzero", 0) else size for i, size in enumerate(sizes)]
    if len(kept) == 2 and kept[0] == 1:  # a graph that was exported for one image
        kept = [len(v[0]), -1]
    return v[0].reshape(kept)


def _transpose(v: Values, a: Attributes) -> torch.Tensor:
    return v[0].permute(*a["perm"]) if "perm" in a else v[0].T


OPERATIONS: dict[str, Callable[[Values, Attributes], torch.Tensor]] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": lambda v, a: v[0] @ v[1],
    "BatchNormalization": _norm,
    "Relu": lambda v, a: v[0].relu(),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda v, a: v[0].mean((2, 3), keepdim=True),
    "ReduceMean": _mean,
    "Flatten": lambda v, a: v[0].flatten(int(a.get("axis", 1))),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concat": lambda v, a: torch.cat(v, int(a["axis"])),
    "Add": lambda v, a: v[0] + v[1],
    "Sub": lambda v, a: v[0] - v[1],
    "Mul": lambda v, a: v[0] * v[1],
    "Div": lambda v, a: v[0] / v[1],
    "Identity": lambda v, a: v[0],
    "Dropout": lambda v, a: v[0],
    "Cast": lambda v, a: v[0],
}
"""What each kind of node computes of its inputs and its attributes."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node of the file: its name, what it computes, its inputs and its output by the names of their values."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes

    def run(self, values: Mapping[str, Any]) -> torch.Tensor:
        """Compute the node; a kind that nobody knows raises UnsupportedError."""
        if self.kind not in OPERATIONS:
            raise UnsupportedError(self.name, f"ONNX node {self.kind} has no form on the accelerator", known())
        try:
            return OPERATIONS[self.kind]([values[name] for name in self.inputs if name], self.attributes)
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            text = " ".join(str(error).split())[:200] or type(error).__name__
            raise UnsupportedError(
                self.name, f"{self.kind} cannot be computed ({text})", "check its inputs, or export the file again"
            ) from error


def known() -> str:
    """Return a remedy that names the nodes that are read."""
    return "use Quant, Conv, Gemm, MatMul, Relu in front of Quant, BatchNormalization, pools, Flatten, Add, Mul"


def refuse_changes(step: Step, constant: Values) -> None:
    """Refuse a node unless it is known and leaves all values as they are."""
    if step.kind == "Cast" and step.attributes.get("to") not in FLOATS:
        raise UnsupportedError(step.name, "rounds a map to another type", "keep it in float32")
    if step.kind == "Dropout" and len(constant) == 2 and bool(constant[1].any()):
        raise UnsupportedError(step.name, "drops values at inference, too", "export a network in evaluation mode")
    if step.kind not in ("Identity", "Dropout", "Cast"):
        raise UnsupportedError(step.name, f"ONNX node {step.kind} has no form on the accelerator", known())


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """Runs a whole graph on images (B, C, H, W).

    Members
    -------
    steps : the nodes in the order of execution
    constants : values by name
    image, output : the names of the graph's ends
    shape : of an image, without the batch
    neurons : the names of the neurons' nodes by the values that they are
    """

    steps: tuple[Step, ...]
    constants: Mapping[str, torch.Tensor]
    image: str
    output: str
    shape: tuple[int, ...] | None
    neurons: Mapping[str, str]

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> SourceRun:
        """Return the values of the quantized activations, and what the graph returns."""
        shown = images if self.shape is None else images.reshape(len(images), *self.shape)
        values: dict[str, Any] = {**self.constants, self.image: shown}
        spikes = {}
        for step in self.steps:
            values[step.output] = step.run(values)
            if step.output in self.neurons:
                spikes[self.neurons[step.output]] = values[step.output].reshape(1, len(images), -1)
        return SourceRun(spikes=spikes, output=values[self.output][None])


def tensor_of(array: np.ndarray) -> torch.Tensor:
    """Return a constant: in float64, or integers as they are."""
    array = np.asarray(array)
    return torch.tensor(array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64))
