"""Reads a QONNX file as a :class:`reprise.export.trace.graph.Graph` at T = 1.

Quant of b bits computes s clip(round(x / s), low, high), whose rounding takes exact halves to the even integer. Behind
a layer it is a multi-level neuron of ``high`` levels with the threshold s, if no level is below 0; it starts at half a
threshold, and its levels are worth s. Of weights it is evaluated now: their integers are kept as they are, with s as
the step of the sum. Nodes of constants alone are folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ....support.errors import RepriseError
from ...qat.specs import NeuronSpec
from ...trace.graph import Graph, Node, UnsupportedError, square
from ...trace.modules import adaptive_attrs, pool_attrs
from ..brevitas import HALVES, LEVELS
from .reference import FileSource, Step, largest, pads, refuse_changes, smallest, tensor_of

INPUT, OUTPUT = "(input)", "(output)"
QUANT = ("Quant", "IntQuant")


@dataclass(kw_only=True)
class _File:
    """What a file holds: its nodes, its constants, its ends, and the shape of an image if it is known.

    ``weights`` has the scale and the zero point of each weight of a constant that is quantized.
    """

    steps: list[Step]
    constants: dict[str, torch.Tensor]
    image: str
    output: str
    shape: tuple[int, ...] | None
    weights: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def readers(self, value: str) -> list[Step]:
        return [step for step in self.steps if value in step.inputs]


def load(path: str | Path) -> _File:
    """Load a file and fold its constants.

    Raises
    ------
    RepriseError
        It is no ONNX file, or it has several inputs or outputs.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # what protobuf and ONNX raise for a damaged file depends on where the damage is
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise RepriseError(f"{path}: must be an ONNX file: {text}", where=str(path)) from None
    constants = {one.name: tensor_of(numpy_helper.to_array(one)) for one in graph.initializer}
    images = [one for one in graph.input if one.name not in constants]
    if len(images) != 1 or len(graph.output) != 1:
        raise UnsupportedError(
            "graph", f"has {len(images)} inputs and {len(graph.output)} outputs, one of each is needed", "split it"
        )
    sizes = [dim.dim_value for dim in images[0].type.tensor_type.shape.dim][1:]
    steps, names = [], set[str]()
    for number, node in enumerate(graph.node):
        name = (node.name or node.output[0]).strip("/").replace("/", ".")
        name = name if name not in names else f"{name}.{number}"
        names.add(name)
        attributes = {one.name: _plain(onnx.helper.get_attribute_value(one)) for one in node.attribute}
        if node.op_type == "Constant":
            value = attributes.get("value", attributes.get("value_float", attributes.get("value_ints")))
            constants[node.output[0]] = tensor_of(
                numpy_helper.to_array(value) if hasattr(value, "dims") else np.asarray(value)
            )
            continue
        step = Step(
            name=name, kind=node.op_type, inputs=tuple(node.input), output=node.output[0], attributes=attributes
        )
        steps.append(step)
    shape = tuple(sizes) if sizes and all(size > 0 for size in sizes) else None
    found = _File(steps=[], constants=constants, image=images[0].name, output=graph.output[0].name, shape=shape)
    for step in steps:
        if all(name in constants for name in step.inputs if name):
            constants[step.output] = step.run(constants)
            shape = constants[step.output].shape
            if step.kind in QUANT:
                scale, zero = (constants[name].expand(shape) for name in step.inputs[1:3])
                found.weights[step.output] = scale, zero
            elif step.kind == "Transpose" and step.inputs[0] in found.weights:
                scale, zero = (step.run({step.inputs[0]: part}) for part in found.weights[step.inputs[0]])
                found.weights[step.output] = scale, zero
        else:
            found.steps.append(step)
    return found


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def read(path: str | Path, *, timesteps: int = 1) -> Graph:
    """Read a QONNX file.

    Raises
    ------
    RepriseError
        The file is no ONNX file.
    UnsupportedError
        The accelerator has no such node, or T is not 1; the message names the node.
    """
    if timesteps != 1:
        raise UnsupportedError("graph", f"quantized activations have no time, and T is {timesteps}", "give timesteps=1")
    file = load(path)
    shape = {} if file.shape is None else dict(shape=file.shape)
    nodes = [Node(name=INPUT, op="input", attrs=dict(flat=file.shape is not None and len(file.shape) == 1, **shape))]
    alias, neurons = {file.image: INPUT}, dict[str, str]()
    for step in file.steps:
        data = [name for name in step.inputs if name in alias]
        if not data:
            raise UnsupportedError(step.name, "reads what no node before it computes", "export the file again")
        try:
            made = list(_nodes(file, step, alias))
        except KeyError as error:
            raise UnsupportedError(step.name, f"{step.kind} lacks {error}", "export the file again") from None
        nodes += made
        alias[step.output] = made[-1].name if made else alias[data[0]]
        if made and made[-1].op == "neuron":
            neurons[step.output] = made[-1].name
    if file.output not in alias:
        raise UnsupportedError("graph", f"no node computes its output {file.output!r}", "export the file again")
    nodes.append(Node(name=OUTPUT, op="output", inputs=(alias[file.output],)))
    source = FileSource(
        steps=tuple(file.steps),
        constants=file.constants,
        image=file.image,
        output=file.output,
        shape=file.shape,
        neurons=neurons,
    )
    return Graph(nodes=tuple(nodes), changes=(HALVES,) if neurons else (), source=source)


def _nodes(file: _File, step: Step, alias: dict[str, str]) -> Iterator[Node]:
    """Yield the nodes of one node of the file; there are none for one that does nothing."""
    data = [name for name in step.inputs if name in alias]
    inputs = tuple(alias[name] for name in data)
    constant = [file.constants[name] for name in step.inputs if name in file.constants]
    a = step.attributes

    def node(op: str, **attrs: Any) -> Node:
        return Node(name=step.name, op=op, inputs=inputs, attrs=attrs)

    if step.kind in QUANT:
        rectified = inputs == (INPUT,) or any(one.kind == "Relu" and one.output in step.inputs for one in file.steps)
        yield _neuron(step, constant, inputs, rectified=rectified)
    elif step.kind == "Relu":
        if any(reader.kind not in QUANT for reader in file.readers(step.output)) or step.output == file.output:
            raise UnsupportedError(step.name, "Relu without a Quant behind it has no levels", "quantize it (Quant)")
    elif step.kind in ("Conv", "Gemm", "MatMul"):
        if step.inputs[0] not in alias or step.inputs[1] not in file.constants:
            raise UnsupportedError(step.name, f"{step.kind} of two maps", "give it constant weights")
        yield _layer(file, step, inputs)
    elif step.kind == "BatchNormalization":
        if len(constant) != 4 or a.get("training_mode", 0):
            raise UnsupportedError(step.name, "its statistics are computed", "export a network in evaluation mode")
        yield node("norm", module=_norm(constant, float(a.get("epsilon", 1e-5))))
    elif step.kind in ("MaxPool", "AveragePool"):
        yield _pool(step, inputs)
    elif step.kind == "GlobalAveragePool":
        yield node("avgpool", **adaptive_attrs(step.name, 1))
    elif step.kind == "ReduceMean":
        axes = a.get("axes") or (constant[0].tolist() if constant else [])
        if sorted(axis % 4 for axis in axes) != [2, 3]:
            raise UnsupportedError(step.name, f"a mean over the axes {list(axes)}", "average over rows and columns")
        yield node("avgpool", **adaptive_attrs(step.name, 1))
        if not a.get("keepdims", 1):
            yield Node(name=f"{step.name}.flat", op="flatten", inputs=(step.name,), attrs=dict(columns=None))
    elif step.kind == "Flatten":
        if a.get("axis", 1) != 1:
            raise UnsupportedError(step.name, f"flattens from axis {a['axis']}", "flatten from axis 1")
        yield node("flatten", columns=None)
    elif step.kind == "Reshape":
        sizes = [int(size) for size in constant[0].flatten()] if constant else []
        if len(sizes) != 2 or (sizes[0] not in (0, 1, -1) and sizes[1] != -1) or sizes == [-1, -1]:
            raise UnsupportedError(step.name, f"a reshape to {sizes} is no flattening of each image", "use Flatten")
        yield node("flatten", columns=None if sizes[1] == -1 else sizes[1])
    elif step.kind == "Concat" and len(data) == len(step.inputs):
        yield node("cat", dim=int(a["axis"]), frames=False)
    elif step.kind in ("Add", "Sub", "Mul", "Div") and len(data) in (1, 2):
        yield _arithmetic(step, inputs, constant, first=step.inputs[0] in alias)
    else:
        refuse_changes(step, constant)


def _neuron(step: Step, constant: list[torch.Tensor], inputs: tuple[str, ...], *, rectified: bool) -> Node:
    """Return the neuron of a quantized activation; ``rectified`` says that it reads no negative values."""
    if len(constant) != 3:
        raise UnsupportedError(step.name, "its scale is computed", "export a network in evaluation mode")
    scale, zero, bits = constant
    if bits.numel() != 1:
        raise UnsupportedError(step.name, "its bit width differs between channels", "quantize activations per tensor")
    if scale.numel() != 1 or float(scale) <= 0 or not torch.isfinite(scale).all():
        raise UnsupportedError(step.name, "its scale is no positive number", "quantize activations per tensor")
    if bool((zero != 0).any()):
        raise UnsupportedError(step.name, "its zero_point is not 0", "quantize activations symmetrically")
    how = dict(signed=bool(step.attributes.get("signed", 1)), narrow=bool(step.attributes.get("narrow", 0)))
    rounding = str(step.attributes.get("rounding_mode", "ROUND")).upper()
    if rounding not in ("ROUND", "FLOOR"):
        raise UnsupportedError(step.name, f"rounding_mode {rounding}", "use ROUND or FLOOR")
    levels = largest(float(bits), **how)
    if levels != int(levels) or not 1 <= levels <= LEVELS:
        raise UnsupportedError(step.name, f"{levels:g} levels of {float(bits):g} bits", "use 1 to 8 bits")
    if smallest(float(bits), **how) < 0 and not rectified:
        raise UnsupportedError(step.name, "a signed Quant keeps negative values", "put Relu in front, or signed=0")
    spec = NeuronSpec(levels=int(levels), v0=0.5 if rounding == "ROUND" else 0.0, threshold=float(scale))
    return Node(name=step.name, op="neuron", inputs=inputs, attrs=dict(spec=spec, timesteps=1, unit=float(scale)))


def _layer(file: _File, step: Step, inputs: tuple[str, ...]) -> Node:
    """Return the node of a convolution or of a product with a matrix."""
    a, weight = step.attributes, file.constants[step.inputs[1]]
    factor, columns = 1.0, step.kind == "MatMul" or (step.kind == "Gemm" and not a.get("transB", 0))
    bias = file.constants.get(step.inputs[2]) if len(step.inputs) > 2 and step.inputs[2] else None
    if len(step.inputs) > 2 and step.inputs[2] and bias is None:
        raise UnsupportedError(step.name, "its bias is computed", "give it constant values")
    if step.kind == "Gemm":
        if a.get("transA", 0):
            raise UnsupportedError(step.name, "transA", "leave the map as it is")
        factor = float(a.get("alpha", 1.0))
        bias = None if bias is None else bias * float(a.get("beta", 1.0))
    attrs: dict[str, Any] = dict(weight=(weight.T if columns else weight) * factor)
    attrs["bias"] = None if bias is None else bias.flatten().expand(len(attrs["weight"]))
    if step.inputs[1] in file.weights:
        scale, zero = file.weights[step.inputs[1]]
        steps = (factor * (scale.T if columns else scale).flatten(1)).abs()
        if bool((zero != 0).any()):
            raise UnsupportedError(step.name, "the zero_point of its weights is not 0", "quantize them symmetrically")
        if bool((steps == steps[:, :1]).all()):
            attrs["step"] = steps[:, 0].clone()
    if step.kind != "Conv":
        return Node(name=step.name, op="linear", inputs=inputs, attrs=attrs)
    if str(a.get("auto_pad", "NOTSET")) not in ("NOTSET", "VALID"):
        raise UnsupportedError(step.name, f"auto_pad {a['auto_pad']}", "give pads as numbers")
    if min(pads(a)) < 0:
        raise UnsupportedError(step.name, f"pads {pads(a)} cut the map", "use pads of 0 or more")
    attrs["padding"], attrs["dilation"] = tuple(pads(a)), tuple(a.get("dilations", (1, 1)))
    attrs["stride"] = square(step.name, tuple(a.get("strides", (1, 1))), "stride")
    attrs["groups"] = int(a.get("group", 1))
    return Node(name=step.name, op="conv", inputs=inputs, attrs=attrs)


def _norm(constant: list[torch.Tensor], epsilon: float) -> nn.BatchNorm2d:
    """Return a batch norm as PyTorch has it."""
    norm = nn.BatchNorm2d(len(constant[0]), eps=epsilon).double().eval()
    norm.load_state_dict(
        dict(zip(("weight", "bias", "running_mean", "running_var"), constant, strict=True)), strict=False
    )
    return norm


def _pool(step: Step, inputs: tuple[str, ...]) -> Node:
    a, average = step.attributes, step.kind == "AveragePool"
    kernel, stride = tuple(a["kernel_shape"]), tuple(a.get("strides", (1, 1)))
    around, dilations = set(pads(a)), tuple(a.get("dilations", (1, 1)))
    if len(around) > 1 or set(dilations) != {1} or str(a.get("auto_pad", "NOTSET")) not in ("NOTSET", "VALID"):
        raise UnsupportedError(step.name, f"a pool with pads {pads(a)} and dilation {dilations}", "pad all sides alike")
    options: dict[str, Any] = dict(stride=stride, padding=around.pop(), ceil_mode=bool(a.get("ceil_mode", 0)))
    m: nn.MaxPool2d | nn.AvgPool2d = nn.AvgPool2d(kernel, **options) if average else nn.MaxPool2d(kernel, **options)
    op = "avgpool" if average else "maxpool"
    return Node(name=step.name, op=op, inputs=inputs, attrs=pool_attrs(step.name, m))


def _arithmetic(step: Step, inputs: tuple[str, ...], constant: list[torch.Tensor], *, first: bool) -> Node:
    """Return the node of a sum or a product: of two maps, or of a map and a constant."""
    if len(inputs) == 2:
        if step.kind != "Add":
            raise UnsupportedError(step.name, f"{step.kind} of two maps", "use Add")
        return Node(name=step.name, op="add", inputs=inputs)
    value = constant[0]
    value = value[0] if value.ndim == 4 else value.flatten() if value.ndim == 2 and len(value) == 1 else value
    if step.kind in ("Mul", "Div"):
        if step.kind == "Div" and not first:
            raise UnsupportedError(step.name, "a constant divided by a map", "leave it out")
        factor = value if step.kind == "Mul" else 1 / value
        return Node(name=step.name, op="scale", inputs=inputs, attrs=dict(factor=factor))
    if step.kind == "Sub" and not first:
        raise UnsupportedError(step.name, "a constant minus a map", "negate the weights instead")
    if bool((value.flatten(1) != value.flatten(1)[:, :1]).any()) if value.ndim > 1 else False:
        raise UnsupportedError(step.name, "a bias that differs within a channel", "give one a channel")
    bias = value.flatten(1)[:, 0] if value.ndim > 1 else value
    return Node(name=step.name, op="bias", inputs=inputs, attrs=dict(value=bias if step.kind == "Add" else -bias))
