"""Turns a PyTorch module, or a graph of operations, into layers of the accelerator."""

import torch
from torch import nn

from ...model.network.network import InputMode
from ..qat.network import QatNetwork
from .graph import Graph, UnsupportedError
from .lowering import Lowering
from .tracer import trace


def prepare(
    module: nn.Module | Graph,
    *,
    input_shape: tuple[int, int, int],
    input_levels: int = 255,
    timesteps: int = 1,
    input_mode: InputMode = "repeat",
    input_scale: float = 1.0,
    input_signed: bool = False,
    fold: bool = False,
    dtype: torch.dtype = torch.float32,
) -> QatNetwork:
    """Turn a PyTorch module, or a traced :class:`Graph`, into layers of the accelerator, for training or export.

    Parameters
    ----------
    module : nn.Module | Graph
        Its input is (T * B, C, H, W) with time outermost, and its neurons are those of
        :mod:`reprise.export.nn.neurons`.
    input_shape : (C, H, W)
    input_levels : largest pixel value
    timesteps : T
    input_mode : "repeat", "once" or "given"
    input_scale : the module was trained on ``pixel * input_scale``
    input_signed : pixels are int8
    fold : put every batch norm into the weights now, with its running statistics, instead of training it further
        Joins of normalized branches, and norms with a factor that is not positive, are folded in any case.
    dtype : of the parameters; float64 to compare with a module in float64

    Raises
    ------
    UnsupportedError
        The accelerator cannot run the module; the message names the part and has the remedy.
    """
    graph = module if isinstance(module, Graph) else trace(module).graph()
    lowering = Lowering(
        graph,
        input_shape=input_shape,
        input_levels=input_levels,
        timesteps=timesteps,
        input_scale=input_scale,
        fold=fold,
        dtype=dtype,
    )
    layers = lowering.run()
    if not layers:
        raise UnsupportedError("network", "it has no layer", "give it at least one convolution or linear layer")
    net = QatNetwork(
        layers,
        input_shape=input_shape,
        input_levels=input_levels,
        timesteps=timesteps,
        input_mode=input_mode,
        input_signed=input_signed,
    )
    net.changes, net.end = tuple(lowering.changes), lowering.end
    return net
