"""Reads SpikingJelly's ``SpikingSelfAttention``: one convolution and one neuron make Q, K and V, which become three.

It takes tokens (T, B, C, L), so that a map is flattened in front of it (``x.flatten(3)``). ``scale`` and the neuron's
threshold make the step of attention.
"""

from typing import Any

import torch
from torch import nn

from ..trace.graph import Node
from ..trace.modules import conv_attrs

MAPS = "qkv"


def attention_nodes(
    name: str, m: Any, source: str
) -> tuple[list[Node], dict[str, tuple[str, Any]], dict[str, tuple[int, int]]]:
    """Return the nodes of a module, whose neurons have no attributes yet.

    Returns
    -------
    (nodes, neurons, parts) : the neurons' paths and modules by the names of their nodes, and which of how many parts of
        its channels Q, K and V are
    """
    nodes: list[Node] = []
    neurons: dict[str, tuple[str, Any]] = {}

    def linear(which: str, container: Any, index: int, count: int, lif: str, read: str) -> str:
        nodes.append(
            Node(name=f"{name}.{which}", op="conv", inputs=(read,), attrs=_conv(name, container[0], index, count))
        )
        norm = dict(module=_norm(container[1], index, count))
        nodes.append(Node(name=f"{name}.{which}_norm", op="norm", inputs=(nodes[-1].name,), attrs=norm))
        return neuron(f"{name}.{which}_lif", lif)

    def neuron(node: str, lif: str) -> str:
        neurons[node] = f"{name}.{lif}", getattr(m, lif)
        nodes.append(Node(name=node, op="neuron", inputs=(nodes[-1].name,)))
        return node

    fired = tuple(linear(which, m.qkv_conv_bn, i, 3, "qkv_lif", source) for i, which in enumerate(MAPS))
    nodes.append(Node(name=f"{name}.products", op="attention", inputs=fired, attrs=dict(heads=m.num_heads, shift=0)))
    nodes.append(Node(name=f"{name}.scale", op="scale", inputs=(nodes[-1].name,), attrs=dict(factor=m.scale)))
    linear("proj", m.proj_conv_bn, 0, 1, "proj_lif", neuron(f"{name}.attn_lif", "attn_lif"))
    return nodes, neurons, {node: (i, len(MAPS)) for i, node in enumerate(fired)}


def _conv(name: str, conv: nn.Conv1d, index: int, count: int) -> dict[str, Any]:
    """Return the attributes of a part of a convolution of tokens by kernels of 1, as one of maps."""
    weight = conv.weight.detach().chunk(count)[index][..., None]
    made = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=conv.bias is not None, dtype=weight.dtype)
    made.weight.data = weight
    if made.bias is not None and conv.bias is not None:
        made.bias.data = conv.bias.detach().chunk(count)[index]
    return conv_attrs(name, made)


def _norm(norm: nn.BatchNorm1d, index: int, count: int) -> nn.BatchNorm2d:
    """Return a part of a batch norm of tokens as one of maps."""

    def part(values: torch.Tensor | None) -> torch.Tensor:
        assert values is not None, "SpikingJelly's norms have statistics"
        return values.detach().chunk(count)[index]

    made = nn.BatchNorm2d(norm.num_features // count, eps=norm.eps, dtype=norm.weight.dtype)
    made.weight.data, made.bias.data = part(norm.weight), part(norm.bias)
    made.running_mean, made.running_var = part(norm.running_mean), part(norm.running_var)
    return made.eval()
