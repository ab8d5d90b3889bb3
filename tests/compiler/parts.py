"""Networks that can be joined into one program, whose names differ."""

from dataclasses import replace

from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.estimate.network import Part
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.network import Network


def renamed(network: Network, prefix: str) -> Network:
    """The same network with a prefix before its name and before those of its layers."""
    layers = [
        replace(
            layer,
            name=prefix + layer.name,
            sources=tuple(s if s.feature == "input" else replace(s, feature=prefix + s.feature) for s in layer.sources),
        )
        for layer in network.layers
    ]
    return replace(network, name=prefix + network.name, layers=tuple(layers))


def random_parts(seed: int, config: HardwareConfig, count: int = 3) -> list[Part]:
    """Random networks, each with a batch of its own, and the model's runs."""
    parts = []
    for n in range(count):
        network = renamed(random_network(count * seed + n, config), f"n{n}_")
        images = random_images(seed + n, network, 1 + seed % 2)
        parts.append(Part.run(network, images, record=("features", "potentials")))
    return parts


def layers_of(part: Part) -> list[Part]:
    """Each layer of a network as a network of its own that reads what was recorded; none of them is a join."""
    network, found = part.network, []
    for layer in network.layers:
        (source,) = layer.sources
        alone = Network(
            name=f"{layer.name} alone",
            input_shape=network.feature_shape(source.feature),
            input_levels=network.feature_levels(source.feature),
            input_signed=network.feature_signed(source.feature),
            timesteps=network.timesteps,
            input_mode="given",
            layers=(replace(layer, sources=(replace(source, feature="input"),)),),
        )
        found.append(Part.run(alone, part.expected.features[source.feature]))
    return found
