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


def grouped_network(
    seed: int = 3, *, channels: int = 32, groups: int = 4, images: int = 4
) -> tuple[Network, np.ndarray]:
    """Two convolutions and a readout, and images: channels that are equal modulo ``groups`` mostly fire together."""
    r = np.random.default_rng(seed)
    kind = np.arange(channels) % groups

    def source(feature: str, outputs: int, kernel: int) -> Source:
        alike = 40 * (kind[:outputs, None] == kind[None]) + r.integers(-9, 4, (outputs, channels))
        weight = np.repeat(np.repeat(alike[..., None, None], kernel, axis=2), kernel, axis=3)
        return Source(feature=feature, weight=weight.astype(np.int8), padding=kernel // 2)

    a, b = (
        Layer(
            name=name, sources=(source(feature, channels, 3),), neuron=Neuron.uniform(channels, levels=2, threshold=900)
        )
        for name, feature in (("a", "input"), ("b", "a"))
    )
    end = Layer(name="end", sources=(source("b", 3, 1),), neuron=Neuron.readout(3))
    shown = r.random((images, groups, 9, 8)) < 0.2
    shown = shown[:, kind] & (r.random((images, channels, 9, 8)) < 0.9)
    network = Network(
        name="groups", input_shape=(channels, 9, 8), input_levels=1, timesteps=1, layers=(a, b, end),
        calibration=shown[:2].astype(np.uint8),
    )  # fmt: skip
    return network, shown[2:].astype(np.int64)


def patched(image: MemoryImage, index: int, command: bytes) -> MemoryImage:
    """An image with another command in the place of one."""
    at = image.program - image.base + index * COMMAND_BYTES
    return replace(image, data=image.data[:at] + command + image.data[at + COMMAND_BYTES :])
