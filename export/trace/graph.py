"""A small graph of operations, which tracing a PyTorch module or reading a NIR file yields, and which is then lowered.

The operations have these attributes, of which arrays are torch tensors in the module's precision:

- ``conv``: weight (O, C/groups, KH, KW), bias, stride, padding, groups
- ``linear``: weight (O, K), bias
- ``norm``: module, which is a BatchNorm2d or a BatchNorm1d
- ``neuron``: spec (:class:`reprise.export.qat.layers.NeuronSpec`), timesteps
- ``avgpool``: kernel, and total, which is true for a sum instead of a mean
- ``maxpool``: kernel
- ``scale``: factor
- ``bias``: value
- ``input``, ``add``, ``flatten`` and ``output`` have none
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from ...support.errors import RepriseError
from ..nn.neurons import MultiLevelIF, MultiLevelLIF
from ..qat.layers import NeuronSpec


class UnsupportedError(RepriseError):
    """The accelerator cannot run a module, a layer or an arrangement; the message names it and says what to do."""

    def __init__(self, where: str, rule: str, remedy: str) -> None:
        super().__init__(f"{where}: {rule}; {remedy}", where=where, rule=rule, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: its own name, the names of the nodes that it reads, and its attributes."""

    name: str
    op: str
    inputs: tuple = ()
    attrs: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in the order of their execution; ``changes`` lists the numerical differences from the source network."""

    nodes: tuple
    changes: tuple = ()

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read a node."""
        return [n for n in self.nodes if name in n.inputs]


def square(where: str, value: Any, what: str) -> int:
    """Return one integer from an integer or from a pair of equal ones; a pair that differs raises UnsupportedError."""
    pair = tuple(int(v) for v in (value if isinstance(value, (tuple, list)) else (value, value)))
    if len(set(pair)) != 1:
        raise UnsupportedError(where, f"{what} must be equal in both directions, is {pair}", "use a square one")
    return pair[0]


def conv_attrs(name: str, m: nn.Conv2d) -> dict[str, Any]:
    """Return the attributes of a convolution; one that is not plain raises UnsupportedError."""
    if isinstance(m.padding, str):
        if m.padding == "valid":
            padding = 0
        elif all(k % 2 for k in m.kernel_size) and square(name, m.stride, "stride") == 1:
            padding = (m.kernel_size[0] - 1) // 2
        else:
            raise UnsupportedError(name, f"padding {m.padding!r} is not symmetric", "give the padding as a number")
    else:
        padding = square(name, m.padding, "padding")
    if m.padding_mode != "zeros":
        raise UnsupportedError(name, f"padding_mode must be 'zeros', is {m.padding_mode!r}", "pad with zeros")
    if square(name, m.dilation, "dilation") != 1:
        raise UnsupportedError(name, f"dilation must be 1, is {m.dilation}", "use a larger dense kernel")
    return dict(
        weight=m.weight.detach(),
        bias=None if m.bias is None else m.bias.detach(),
        stride=square(name, m.stride, "stride"),
        padding=padding,
        groups=m.groups,
    )


def pool_attrs(name: str, m: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    """Return the attributes of a pool; windows that overlap or are padded raise UnsupportedError."""
    kernel = square(name, m.kernel_size, "kernel")
    stride = kernel if m.stride is None else square(name, m.stride, "stride")
    padding = square(name, m.padding, "padding")
    if stride != kernel or padding or getattr(m, "ceil_mode", False) or getattr(m, "dilation", 1) not in (1, (1, 1)):
        raise UnsupportedError(
            name,
            f"pools must have stride equal to kernel, no padding, no ceil_mode, no dilation; this has kernel {kernel}, "
            f"stride {stride}, padding {padding}",
            "use non-overlapping pooling or a strided convolution",
        )
    return dict(kernel=kernel)


def neuron_spec(name: str, m: MultiLevelIF) -> NeuronSpec:
    """Return the specification of one of our neurons."""
    return NeuronSpec(
        levels=m.levels,
        kind="lif" if isinstance(m, MultiLevelLIF) else "if",
        reset=m.reset,
        v0=m.v0,
        leak=m.leak,
        surrogate=m.surrogate,
        width=m.width,
        threshold=m.threshold.detach(),
        trainable=isinstance(m.threshold, nn.Parameter),
    )


def module_node(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None:
    """Return the node of one leaf module, or None for a module that does nothing at inference."""

    def node(op: str, **attrs: Any) -> Node:
        return Node(name=name, op=op, inputs=inputs, attrs=attrs)

    if isinstance(m, MultiLevelIF):
        return node("neuron", spec=neuron_spec(name, m), timesteps=m.timesteps)
    if isinstance(m, nn.Conv2d):
        return node("conv", **conv_attrs(name, m))
    if isinstance(m, nn.Linear):
        return node("linear", weight=m.weight.detach(), bias=None if m.bias is None else m.bias.detach())
    if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
        if not (m.affine and m.track_running_stats):
            raise UnsupportedError(name, "batch norm needs affine=True and running statistics", "construct it so")
        return node("norm", module=m)
    if isinstance(m, nn.MaxPool2d):
        return node("maxpool", **pool_attrs(name, m))
    if isinstance(m, nn.AvgPool2d):
        return node("avgpool", **pool_attrs(name, m), total=False)
    if isinstance(m, nn.AdaptiveAvgPool2d):
        if m.output_size not in (1, (1, 1)):
            raise UnsupportedError(name, f"output_size must be 1, is {m.output_size}", "use AvgPool2d")
        return node("avgpool", kernel=0, total=False)
    if isinstance(m, nn.Flatten):
        return node("flatten")
    if isinstance(m, (nn.Identity, nn.Dropout, nn.Dropout2d)):
        return None
    remedy = "use Conv2d, Linear, BatchNorm2d, MaxPool2d, AvgPool2d, Flatten, MultiLevelIF/LIF, Barrier or additions"
    if isinstance(m, (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU)):
        remedy = "replace it by MultiLevelIF (its levels are a quantized ReLU) and train"
    raise UnsupportedError(name, f"module {type(m).__name__} does not exist on the accelerator", remedy)


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, qualified_name: str) -> bool:
        if isinstance(m, MultiLevelIF):
            return True
        if type(m).__module__.startswith("spikingjelly."):
            return not isinstance(m, nn.Sequential)
        return super().is_leaf_module(m, qualified_name)


ADDS = {"add", "iadd", "__add__", "add_"}


def scaling(n: fx.Node, target: str) -> float | None:
    """Return the factor of ``map * number`` or ``map / number``, and None for all else or if it is not positive."""
    numbers = [a for a in n.args if isinstance(a, (int, float)) and 0 < a < math.inf]
    if len(n.args) != 2 or len(numbers) != 1 or (target == "truediv" and n.args[1] is not numbers[0]):
        return None
    return 1 / numbers[0] if target == "truediv" else float(numbers[0])


def trace(module: nn.Module, convert: Callable[[str, nn.Module, tuple[str, ...]], Node | None] = module_node) -> Graph:
    """Make the graph of a PyTorch module by symbolic tracing.

    ``convert(name, module, inputs)`` makes the node of a leaf module, or returns None if that does nothing.

    Raises
    ------
    UnsupportedError
        The accelerator has no such module or function; the message has its qualified name.
    """
    try:
        traced = _Tracer().trace(module)
    except torch.fx.proxy.TraceError as e:
        raise UnsupportedError(
            type(module).__name__, f"its forward depends on data or cannot be traced ({e})", "write it without branches"
        ) from e
    modules, alias = dict(module.named_modules()), dict[str, str]()
    nodes: list[Node] = []
    for n in traced.nodes:
        inputs = tuple(alias[a.name] for a in n.all_input_nodes)
        name = str(n.target) if n.op == "call_module" else n.name
        target = getattr(n.target, "__name__", str(n.target))
        node = None
        if n.op == "placeholder":
            node = Node(name="input", op="input")
        elif n.op == "output":
            node = Node(name="output", op="output", inputs=inputs)
        elif n.op == "call_module":
            if any(d.name == name for d in nodes):
                raise UnsupportedError(name, "the module is used twice", "make one module for each use")
            node = convert(name, modules[name], inputs)
        elif target in ADDS and len(inputs) == 2:
            node = Node(name=name, op="add", inputs=inputs)
        elif target in ("mul", "truediv") and (factor := scaling(n, target)):
            node = Node(name=name, op="scale", inputs=inputs, attrs=dict(factor=factor))
        elif target == "flatten" and inputs:
            node = Node(name=name, op="flatten", inputs=inputs)
        else:
            raise UnsupportedError(
                name,
                f"operation {target!r} does not exist on the accelerator",
                "use modules, additions of two maps and products with a positive number",
            )
        if node is not None:
            nodes.append(node)
        alias[n.name] = node.name if node is not None else inputs[0]
    return Graph(nodes=tuple(nodes))
