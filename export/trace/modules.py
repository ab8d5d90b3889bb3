"""The nodes of leaf modules: the layers of ``torch.nn`` and our neurons.

A subclass is taken for its parent only if it inherits the parent's forward pass. Any other one is refused, because only
its own code says what it computes.
"""

from typing import Any

import torch
from torch import fx, nn
from torch.nn.parameter import is_lazy

from ..nn.attention import AttentionProducts, SpikeMask, TokenSum
from ..nn.membrane import MembraneStream
from ..nn.neurons import MultiLevelIF, MultiLevelLIF
from ..qat.specs import NeuronSpec
from .graph import Node, UnsupportedError, square
from .kernels import pair, same_padding, sides

LAYERS: tuple[type[nn.Module], ...] = (
    MultiLevelIF,
    AttentionProducts,
    SpikeMask,
    TokenSum,
    MembraneStream,
    nn.Conv2d,
    nn.Conv1d,
    nn.Linear,
    nn.BatchNorm2d,
    nn.BatchNorm1d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
)
"""The modules that have a node, or do nothing at inference."""

COPIES = "spikingjelly.activation_based.layer."
"""The package whose layers compute as the layers of ``torch.nn`` of the same name, with a time axis."""

ATTENTION = "use SpikingSelfAttention or AttentionProducts (reprise.export.nn.attention), which have no softmax"
"""What to do where attention is written with softmax or as products of tensors."""

SOFT = (nn.Softmax, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
"""Modules of PyTorch that compute attention with softmax, or are a part of it."""

WRITTEN = ("matmul", "bmm", "einsum", "baddbmm", "softmax", "scaled_dot_product_attention", "transpose", "permute")
REMEDIES = {
    **dict.fromkeys(
        ("relu", "relu_", "sigmoid", "tanh", "gelu", "silu"),
        "replace it by MultiLevelIF (its levels are a quantized ReLU) and train",
    ),
    **dict.fromkeys(WRITTEN, ATTENTION),
    **dict.fromkeys(
        ("layer_norm", "group_norm", "rms_norm"), "use the module BatchNorm2d, whose statistics are constants"
    ),
    **dict.fromkeys(
        ("chunk", "split", "unbind"), "make a layer, a batch norm and a neuron for each part, as for Q, K and V"
    ),
    "mul": "use modules, additions of two maps and products with a positive number; for two maps of spikes, SpikeMask",
    "get_attr": "make it a bias, a weight or a batch norm of a layer; a convolution can tell positions apart",
}
"""What to do where a forward pass calls a function that the accelerator has not; attention is written with some."""

LEAST_THRESHOLD = 1e-6  # below which MultiLevelIF's forward pass does not go


class Value(fx.Proxy):
    """A value that is traced. A loop over the first axis of the images is one over the timesteps.

    The number of its axes is known to a forward pass that asks whether there is an axis of time.
    """

    def __index__(self) -> int:
        frames = self.tracer.frames  # type: ignore[attr-defined]  # the tracer is one of ours
        if not frames:
            raise fx.proxy.TraceError("a size of the images is used as a number")
        return frames

    @property
    def ndim(self) -> Any:
        axes = axes_of(self.node, self.tracer.root)  # type: ignore[attr-defined]  # as above
        return fx.proxy.Attribute(self, "ndim") if axes is None else axes

    def dim(self) -> Any:
        return self.ndim


IMAGE_AXES = 4


def axes_of(n: fx.Node, root: nn.Module) -> int | None:
    """Return how many axes a traced value has if the input is images (B, C, H, W), or None if that is not known."""
    if n.op == "placeholder":
        return IMAGE_AXES
    read = [axes_of(a, root) for a in n.args if isinstance(a, fx.Node)]
    axes, target = read[0] if read else None, getattr(n.target, "__name__", str(n.target))
    if axes is None or (n.op == "call_module" and isinstance(root.get_submodule(str(n.target)), nn.Flatten)):
        return None
    if n.op == "call_module" or target in ("add", "iadd", "mul", "imul", "contiguous", "clone", "float", "double"):
        return axes
    if target == "unsqueeze" or (target == "getitem" and n.args[1] is None):
        return axes + 1
    if target in ("repeat", "expand", "reshape", "view") and not isinstance(n.args[1], tuple | list):
        return len(n.args) - 1
    if target == "flatten":
        given = arguments(n, ("start_dim", "end_dim"), start_dim=0, end_dim=-1)
        return axes - given["end_dim"] % axes + given["start_dim"] % axes
    return None


def parent(m: nn.Module) -> type[nn.Module] | None:
    """Return the class of :data:`LAYERS` that a module is one of, be it by inheritance, or None."""
    return next((kind for kind in LAYERS if isinstance(m, kind)), None)


def inputs_of(name: str, m: nn.Module) -> int:
    """Return how many tensors a leaf module reads; attention with softmax is refused, however many it reads."""
    if isinstance(m, SOFT):
        raise _unknown(name, m)
    return 3 if isinstance(m, AttentionProducts) else 2 if isinstance(m, SpikeMask | MembraneStream) else 1


def computes_as(m: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether a module's forward pass is the one of ``kind``, a class that it is derived from."""
    own = type(m)
    if f"{own.__module__}.".startswith(COPIES):
        return own.__name__ == kind.__name__
    methods = ("forward", "_conv_forward", "__call__")
    inherited = all(getattr(own, name, None) is getattr(kind, name, None) for name in methods)
    return inherited and "forward" not in vars(m)


def arguments(n: fx.Node, names: tuple[str, ...], **defaults: Any) -> dict[str, Any]:
    """Return the arguments behind the tensor by their names; one that nobody knows is refused."""
    given = {**defaults, **dict(zip(names, n.args[1:], strict=False)), **n.kwargs}
    given.pop("input", None)
    if len(n.args) - 1 > len(names) or (unknown := sorted(set(given) - set(names))):
        raise UnsupportedError(n.name, f"unknown arguments {unknown or list(n.args[1:])}", "leave them out")
    return given


def conv_attrs(name: str, m: nn.Conv2d) -> dict[str, Any]:
    """Return the attributes of a convolution; one that is not plain raises UnsupportedError."""
    dilation = pair(m.dilation)
    if isinstance(m.padding, str):
        padding = same_padding(m.kernel_size, dilation) if m.padding == "same" else sides(0)
    else:
        padding = sides(m.padding)
    if m.padding_mode != "zeros":
        raise UnsupportedError(name, f"padding_mode must be 'zeros', is {m.padding_mode!r}", "pad with zeros")
    return dict(
        weight=m.weight.detach(),
        bias=None if m.bias is None else m.bias.detach(),
        stride=square(name, m.stride, "stride"),
        padding=padding,
        dilation=dilation,
        groups=m.groups,
    )


def token_attrs(name: str, m: nn.Conv1d) -> dict[str, Any]:
    """Return the attributes of a linear layer on every token, which is a convolution of 1x1 of the map of tokens."""
    plain = (m.kernel_size, m.stride, m.padding) == ((1,), (1,), (0,))
    if not plain:
        raise UnsupportedError(
            name, f"a Conv1d of kernel {m.kernel_size[0]} reads several tokens", "use kernel 1, or Conv2d on a map"
        )
    bias = None if m.bias is None else m.bias.detach()
    return dict(weight=m.weight.detach()[..., None], bias=bias, stride=1, padding=0, dilation=1, groups=m.groups)


def pool_attrs(name: str, m: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    """Return the attributes of a pool; average pools that overlap and windows with padding raise UnsupportedError."""
    kernel = square(name, m.kernel_size, "kernel")
    stride = kernel if m.stride is None else square(name, m.stride, "stride")
    padding, ceil = square(name, m.padding, "padding"), bool(m.ceil_mode)
    if isinstance(m, nn.MaxPool2d):
        if m.return_indices:
            raise UnsupportedError(name, "return_indices gives two tensors", "leave it out")
        if m.dilation not in (1, (1, 1)):
            raise UnsupportedError(name, f"a max pool of dilation {m.dilation}", "use one without")
        return dict(kernel=kernel, stride=stride, padding=padding, ceil=ceil)
    if stride != kernel or padding:
        raise UnsupportedError(
            name,
            "average pools must have stride equal to kernel and no padding; this has kernel "
            f"{kernel}, stride {stride}, padding {padding}",
            "use non-overlapping pooling or a strided convolution",
        )
    return dict(kernel=kernel, divisor=getattr(m, "divisor_override", None), ceil=ceil)


def adaptive_attrs(name: str, size: Any) -> dict[str, Any]:
    """Return the attributes of an average pool that is told by the size of its output."""
    return dict(kernel=0, output=square(name, size, "output_size"), divisor=None)


def flatten_attrs(name: str, start: int, end: int) -> dict[str, Any]:
    """Return the attributes of a flattening, which must keep the batch axis and nothing else."""
    if start != 1 or end not in (-1, 3):
        raise UnsupportedError(
            name, f"flattens the axes {start}..{end}, not all but the first", "flatten from axis 1 to the last one"
        )
    return dict(columns=None)


def neuron_spec(m: MultiLevelIF) -> NeuronSpec:
    """Return the specification of one of our neurons."""
    trainable = isinstance(m.threshold, nn.Parameter)
    threshold = m.threshold.detach()
    return NeuronSpec(
        levels=m.levels,
        kind="lif" if isinstance(m, MultiLevelLIF) else "if",
        reset=m.reset,
        v0=m.v0,
        leak=m.leak,
        surrogate=m.surrogate,
        width=m.width,
        threshold=threshold if trainable else threshold.clamp_min(LEAST_THRESHOLD),
        trainable=trainable,
    )


def module_node(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None:
    """Return the node of one leaf module, or None for a module that does nothing at inference.

    Raises
    ------
    UnsupportedError
        The accelerator has no such module, or it is a subclass with a forward pass of its own.
    """
    kind = parent(m)
    if kind is None:
        raise _unknown(name, m)
    if not computes_as(m, kind):
        raise UnsupportedError(
            name,
            f"{type(m).__name__} has a forward pass of its own, which need not be that of {kind.__name__}",
            f"use {kind.__name__}, with weights that already hold what it computes",
        )
    if any(is_lazy(p) for p in m.parameters(recurse=False)):
        raise UnsupportedError(name, f"the weights of {type(m).__name__} have no shape yet", "run the module once")

    def node(op: str, **attrs: Any) -> Node:
        return Node(name=name, op=op, inputs=inputs, attrs=attrs)

    if isinstance(m, MultiLevelIF):
        return node("neuron", spec=neuron_spec(m), timesteps=m.timesteps)
    if isinstance(m, AttentionProducts):
        return node("attention", heads=m.heads, shift=m.shift)
    if isinstance(m, SpikeMask):
        return node("mask")
    if isinstance(m, TokenSum):
        return node("tokens")
    if isinstance(m, MembraneStream):
        return node("add", bits=m.bits)
    if isinstance(m, nn.Conv2d):
        return node("conv", **conv_attrs(name, m))
    if isinstance(m, nn.Conv1d):
        return node("conv", **token_attrs(name, m))
    if isinstance(m, nn.Linear):
        return node("linear", weight=m.weight.detach(), bias=None if m.bias is None else m.bias.detach())
    if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
        if not (m.affine and m.track_running_stats):
            raise UnsupportedError(name, "batch norm needs affine=True and running statistics", "construct it so")
        return node("norm", module=m)
    if isinstance(m, nn.MaxPool2d):
        return node("maxpool", **pool_attrs(name, m))
    if isinstance(m, nn.AvgPool2d):
        return node("avgpool", **pool_attrs(name, m))
    if isinstance(m, nn.AdaptiveAvgPool2d):
        return node("avgpool", **adaptive_attrs(name, m.output_size))
    if isinstance(m, nn.Flatten):
        return node("flatten", **flatten_attrs(name, m.start_dim, m.end_dim))
    return None


def _unknown(name: str, m: nn.Module) -> UnsupportedError:
    remedy = "use Conv2d, Linear, BatchNorm2d, MaxPool2d, AvgPool2d, Flatten, MultiLevelIF/LIF, Barrier or additions"
    if isinstance(m, (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)):
        remedy = "use BatchNorm2d, whose statistics are constants; a deviation of each token would need its square root"
    elif isinstance(m, SOFT):
        remedy = ATTENTION
    elif isinstance(m, (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU)):
        remedy = "replace it by MultiLevelIF (its levels are a quantized ReLU) and train, or quantize with relu_levels"
    elif isinstance(m, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        remedy = "give the network inside it (.module)"
    elif isinstance(m, torch.jit.ScriptModule):
        remedy = "give the module that was scripted"
    return UnsupportedError(name, f"module {type(m).__name__} does not exist on the accelerator", remedy)
