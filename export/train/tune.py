"""Makes a trainable network of an integer one, so that training goes on where a quantization lost accuracy.

A network file holds integers alone. Each channel is divided by its threshold, so that a threshold is 1 again, and its
step is one integer: what begins to be trained computes what the file computes. Weights that are zero stay zero, so that
groups and pruned weights remain; and sums of spikes stay the integers that they are.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ...model.inference.runner import run
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...support.checks import require
from ..qat.check import product_spec, spec_of
from ..qat.layers import QatLayer
from ..qat.network import QatNetwork
from ..qat.products import QatProduct
from ..qat.specs import NeuronSpec
from .datasets import Dataset
from .recipe import Recipe, make

SPREAD = 3.0
"""The standard deviation of a readout's scores, in which cross entropy is neither flat nor saturated."""

V0_ROUNDING = 0.25
"""Keeps a part of the threshold, times the threshold, from being less than the whole number that it stands for."""

EPOCHS, LEARNING_RATE = 10, 0.002


def is_identity(source: Source) -> bool:
    """Return whether a source takes its map as it is, times one number."""
    kernel = source.weight
    if source.flatten or kernel.shape[0] != kernel.shape[1] or kernel.shape[2:] != (1, 1):
        return False
    return bool((kernel[:, :, 0, 0] == kernel[0, 0, 0, 0] * np.eye(len(kernel))).all())


def tuning_recipe(network: Network, dataset: str, **fields: object) -> Recipe:
    """Return the recipe of fine-tuning a network; ``fields`` replace its defaults."""
    levels = max([layer.neuron.levels for layer in network.layers] + [1])
    own = dict(network=network.name, dataset=dataset, levels=levels, timesteps=network.timesteps)
    own |= dict(input_mode=network.input_mode, epochs=EPOCHS, lr=LEARNING_RATE, weight_decay=0.0)
    return make("recipe", own | fields)


def trainable(network: Network, data: Dataset) -> QatNetwork:
    """Make a network whose training begins with the integers of ``network``.

    Raises
    ------
    RepriseError
        The images of the data set are not those that the network reads, or the network has addends.
    """
    for layer in network.layers:
        here, why = f"layer {layer.name!r}: addend", "a membrane shortcut is trained with its recipe alone"
        require(layer.addend is None, here, "None where integers are trained further", layer.addend, why)
    shape, frames = tuple(network.input_shape), network.input_mode
    require(frames != "given", "the network", "one that is shown images", "one that is given a frame for each timestep")
    require(data.shape == shape, "the data set", f"images of {shape}", data.shape, "name another one (--set dataset=)")
    require(data.levels == network.input_levels, "pixels", f"0..{network.input_levels}", f"0..{data.levels}")
    classes = network.layers[-1].channels
    require(data.classes <= classes, "the data set", f"of at most {classes} classes", data.classes)
    spread = 1.0
    if network.layers[-1].neuron.levels == 0:
        scores = run(network, data.train_images[:64]).output[:, -1].mean((-2, -1)) / network.timesteps
        spread = SPREAD / max(float(scores.std()), 1e-6)
    return QatNetwork(
        [_layer(layer, network, spread) for layer in network.layers],
        input_shape=network.input_shape,
        input_levels=network.input_levels,
        timesteps=network.timesteps,
        input_mode=network.input_mode,
        input_signed=network.input_signed,
    )


def _kept(nonzero: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return gradient * nonzero.to(gradient.device)


def _layer(layer: Layer, network: Network, spread: float) -> QatLayer:
    """Return one layer; ``spread`` is what one step of a readout is worth."""
    n = layer.neuron
    readout = n.levels == 0
    threshold, bias, v0 = (torch.tensor(value, dtype=torch.float64) for value in (n.threshold, n.bias, n.v0))
    sums = all(is_identity(source) for source in layer.convolutions)
    one = torch.ones_like(threshold)
    step = one if sums else spread * one if readout else 1 / threshold
    specs = []
    for source in layer.convolutions:
        spec = spec_of(source, network.feature_shape(source.feature))
        weight = spec.weight.double() * step.view(-1, *(1,) * (spec.weight.ndim - 1))
        specs.append(replace(spec, weight=weight, fixed=sums, step=None if sums else step.float()))
    neuron = NeuronSpec(
        levels=n.levels,
        kind=n.kind,
        reset=n.reset,
        v0=0.0 if readout else ((v0 + V0_ROUNDING) / threshold).float(),
        threshold=(threshold * step).float(),
        leak=torch.tensor(n.leak, dtype=torch.float64),
        bits=n.bits,
        shift=n.shift,
    )
    options: dict[str, Any] = dict(bias=bias * step, timesteps=network.timesteps)
    if layer.product:
        made: QatLayer = QatProduct(layer.name, product_spec(layer, network), one.view(-1, 1, 1, 1), neuron, **options)
    else:
        options["levels_in"] = [
            128 if network.feature_signed(s.feature) else network.feature_levels(s.feature) for s in layer.convolutions
        ]
        made = QatLayer(layer.name, specs, neuron, pool=layer.pool, **options)
    for weight, source in zip(made.weights, layer.convolutions, strict=not layer.product):
        if is_identity(source):
            weight.requires_grad_(False)
        elif bool((weight == 0).any()):
            weight.register_hook(partial(_kept, (weight != 0).detach()))
    if sums and made.bias is not None:
        made.bias.requires_grad_(False)
    return made
