"""Networks, and a changed memory image, that the tests of compiler and interpreter share."""

from dataclasses import replace

import numpy as np

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.hw.arch.program import COMMAND_BYTES
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool

TINY = HardwareConfig.load("tiny")


def conv_network(
    seed, shape, outputs, *, kernel=3, stride=1, padding=1, pool=None, timesteps=1, levels=1, layers=1, mode="once"
):
    r = np.random.default_rng(seed)
    made, feature, channels = [], "input", shape[0]
    for n in range(layers):
        weight = r.integers(-9, 10, (outputs, channels, kernel, kernel)).astype(np.int8)
        neuron = Neuron.uniform(outputs, levels=levels, threshold=7, v0=3)
        source = Source(feature=feature, weight=weight, stride=stride, padding=padding)
        made.append(Layer(name=f"c{n}", sources=(source,), neuron=neuron, pool=MaxPool(kernel=pool) if pool else None))
        feature, channels = f"c{n}", outputs
    layers = tuple(made)
    return Network(name="conv", input_shape=shape, input_levels=1, timesteps=timesteps, input_mode=mode, layers=layers)


def patched(image: MemoryImage, index: int, command: bytes) -> MemoryImage:
    """An image with another command in the place of one."""
    at = image.program - image.base + index * COMMAND_BYTES
    return replace(image, data=image.data[:at] + command + image.data[at + COMMAND_BYTES :])
