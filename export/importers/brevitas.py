"""Reads Brevitas networks at T = 1 as a :class:`reprise.export.trace.graph.Graph`.

QuantReLU of b bits computes s clip(round(x / s), 0, 2**b - 1). That is a multi-level neuron of 2**b - 1 levels with the
threshold s, which starts at half a threshold and whose levels are worth s. It rounds exact halves up, and Brevitas
rounds them to the even level: the comparison with the module counts those that occur, and any other difference is an
error.

The integers of QuantConv2d and QuantLinear are kept as they are, with their scale as the step of the sum. Only where
that is impossible (weights of -128, sources of different scales) they are quantized anew, which ``changes`` says.
Classes are known by their qualified names, so that the package is not imported here.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..qat.specs import NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError
from ..trace.modules import conv_attrs, module_node
from ..trace.running import ModuleSource, twin
from ..trace.tracer import INPUT, trace
from .torch_modules import paths, reads_flat

PACKAGE = "brevitas.nn."
LEVELS = 255
INTEGERS = "use quantizers of integers with one scale, or one for each output channel"
HALVES = "activations round exact halves up, and Brevitas rounds them to the even level"


def is_ours(m: Any) -> bool:
    """Return whether a module is one of this package."""
    return f"{type(m).__module__}.".startswith(PACKAGE)


def scalar(name: str, what: str, value: Any) -> float:
    """Return a value that is the same for all channels."""
    values = torch.as_tensor(value).detach().double().flatten()
    if not bool(values.isfinite().all()):
        raise UnsupportedError(name, f"{what} is NaN or infinite", "train the network, or load its weights")
    if not bool((values == values[0]).all()):
        raise UnsupportedError(name, f"{what} differs between channels", "quantize activations per tensor")
    return float(values[0])


def neuron_of(name: str, m: Any, inputs: tuple[str, ...]) -> Node | None:
    """Return the neuron of an activation, or None if it does not quantize."""
    kind, quant = type(m).__name__, m.act_quant
    if kind not in ("QuantReLU", "QuantIdentity"):
        raise UnsupportedError(name, f"Brevitas' {kind} is no multi-level neuron", "use QuantReLU")
    if not quant.is_quant_enabled:
        if kind == "QuantIdentity":
            return None
        raise UnsupportedError(name, "QuantReLU without quantization has no largest level", "give it a bit_width")
    if not hasattr(quant, "bit_width"):
        raise UnsupportedError(name, "it quantizes to floating point", INTEGERS)
    if kind == "QuantIdentity" and inputs != (INPUT,):
        raise UnsupportedError(name, "QuantIdentity behind a layer keeps negative values", "use QuantReLU")
    bits, step = round(scalar(name, "bit_width", quant.bit_width())), scalar(name, "scale", quant.scale())
    if scalar(name, "zero_point", quant.zero_point()) != 0:
        raise UnsupportedError(name, "its zero_point is not 0", "quantize activations symmetrically")
    levels = 2 ** (bits - bool(quant.is_signed)) - 1 - bool(quant.is_narrow_range and not quant.is_signed)
    if not 1 <= levels <= LEVELS:
        raise UnsupportedError(name, f"{levels} levels of {bits} bits", "use 1 to 8 bits")
    spec = NeuronSpec(levels=levels, v0=0.5, threshold=step)
    return Node(name=name, op="neuron", inputs=inputs, attrs=dict(spec=spec, timesteps=1, unit=step))


def layer_of(name: str, m: Any, inputs: tuple[str, ...]) -> Node:
    """Return the node of a layer with quantized weights."""
    kind = type(m).__name__
    if kind not in ("QuantConv2d", "QuantLinear"):
        raise UnsupportedError(
            name, f"Brevitas' {kind} does not exist on the accelerator", "use QuantConv2d, QuantLinear"
        )
    for field in ("input_quant", "output_quant"):
        if getattr(m, field).is_quant_enabled:
            raise UnsupportedError(name, f"{field} quantizes inside of the layer", "use a QuantReLU in front or behind")
    attrs: dict[str, Any] = dict(bias=None if m.bias is None else m.bias.detach())
    if m.bias is not None and m.bias_quant.is_quant_enabled:
        if m.bias_quant.requires_input_scale:
            attrs["bias_in_steps"] = round(float(m.bias_quant.tensor_quant.msb_clamp_bit_width_impl()))
        else:  # it has a scale of its own
            attrs["bias"] = m.bias_quant(m.bias).value.detach()
    if kind == "QuantConv2d":
        attrs = {**conv_attrs(name, m), **attrs}
    weight = m.weight.detach()
    if m.weight_quant.is_quant_enabled:
        quantized = m.quant_weight()
        if not hasattr(quantized, "zero_point") or quantized.scale.numel() not in (1, len(weight)):
            raise UnsupportedError(name, "its weights have a scale for each group, or are floating point", INTEGERS)
        if bool((torch.as_tensor(quantized.zero_point) != 0).any()):
            raise UnsupportedError(name, "the zero_point of its weights is not 0", "quantize weights symmetrically")
        weight, step = quantized.value.detach(), quantized.scale.detach().double().flatten()
        attrs["step"] = step.expand(len(weight)).clone()
    op = "conv" if kind == "QuantConv2d" else "linear"
    return Node(name=name, op=op, inputs=inputs, attrs={**attrs, "weight": weight})


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a Brevitas module, whose activations are multi-level neurons at T = 1.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator, or T is not 1; the message has its qualified name.
    """
    if timesteps != 1:
        raise UnsupportedError(
            type(module).__name__, f"quantized activations have no time, and T is {timesteps}", "give timesteps=1"
        )

    def convert(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None:
        if not is_ours(m):
            return module_node(name, m, inputs)
        if type(m).__name__ in ("QuantDropout",):
            return None
        return neuron_of(name, m, inputs) if hasattr(m, "act_quant") else layer_of(name, m, inputs)

    module = twin(module)
    graph = trace(module, convert, leaves=(PACKAGE,)).graph()
    source = ModuleSource(
        module=module,
        neurons=paths(graph),
        timesteps=1,
        feed="folded",
        flat=reads_flat(graph),
        pick=value_of,
        result=value_of,
    )
    return replace(graph, changes=(HALVES,), source=source)


def value_of(out: Any) -> torch.Tensor:
    """Return the real values of what a module returns: a tensor, or one of Brevitas with its scale."""
    return out if isinstance(out, torch.Tensor) else out.value
