"""Compares the forward pass in PyTorch, which simulates integers, with the NumPy model, element by element."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ...model.inference.runner import run
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron
from .layers import QatLayer
from .network import QatNetwork
from .products import QatProduct
from .specs import NeuronSpec, ProductSpec, SourceSpec


class _Integers(QatLayer):
    """A layer whose threshold, bias and v0 are the integers of a neuron."""

    int_threshold: torch.Tensor
    int_bias: torch.Tensor
    int_v0: torch.Tensor

    def keep(self, neuron: Neuron) -> None:
        """Take the integers of a neuron."""
        for name in ("threshold", "bias", "v0"):
            self.register_buffer(f"int_{name}", torch.tensor(getattr(neuron, name), dtype=torch.float64))

    def constants(
        self, scale: torch.Tensor, y: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.int_threshold, self.int_bias, self.int_v0


class IntegerLayer(_Integers):
    """A layer of an integer network, which the same forward pass computes as in training."""

    def __init__(self, layer: Layer, network: Network) -> None:
        specs = [spec_of(s, network.feature_shape(s.feature)) for s in layer.convolutions]
        specs = [replace(s, weight=s.weight * (1 << layer.shift)) for s in specs]
        levels_in = [
            128 if network.feature_signed(s.feature) else network.feature_levels(s.feature) for s in layer.convolutions
        ]
        if layer.addend:
            one = torch.ones(layer.channels, 1, 1, 1)
            specs.append(SourceSpec(feature=layer.addend, weight=one, groups=layer.channels, fixed=True))
            levels_in.append(1 << (network.feature_bits(layer.addend) - 1))
        neuron, timesteps = neuron_spec(layer.neuron), network.timesteps
        super().__init__(layer.name, specs, neuron, pool=layer.pool, levels_in=levels_in, timesteps=timesteps)
        self.keep(layer.neuron)

    def integer_weights(self, scale: torch.Tensor) -> list[torch.Tensor]:
        """Return the weights as they are: those beside an addend hold their shift, and may exceed 127."""
        return list(self.weights)


class IntegerProduct(_Integers, QatProduct):
    """A product of two maps of an integer network."""

    def __init__(self, layer: Layer, network: Network) -> None:
        unit = torch.ones(layer.channels, 1, 1, 1)
        QatProduct.__init__(
            self, layer.name, product_spec(layer, network), unit, neuron_spec(layer.neuron), timesteps=network.timesteps
        )
        self.keep(layer.neuron)


def neuron_spec(n: Neuron) -> NeuronSpec:
    """Return the specification of an integer neuron, but for its threshold, bias and v0."""
    leak = torch.tensor(n.leak, dtype=torch.float64)
    return NeuronSpec(levels=n.levels, kind=n.kind, reset=n.reset, leak=leak, bits=n.bits, shift=n.shift)


def product_spec(layer: Layer, network: Network) -> ProductSpec:
    """Return the specification of a product of two maps."""
    p = layer.product
    assert p is not None, "the layer has weights of its own"
    return ProductSpec(
        feature=p.feature,
        operand=p.operand,
        over=p.over,
        heads=p.heads,
        levels=network.feature_levels(p.feature),
        most=network.feature_levels(p.operand) or 128,
        depth=network.depth(layer.name),
    )


def spec_of(source: Source, shape: tuple[int, ...]) -> SourceSpec:
    """Return a source of integers as PyTorch has it; ``shape`` is that of the map that it reads."""
    weight = torch.tensor(source.weight.astype(np.float32))
    if source.flatten:  # the columns go back from the hardware's order (y, x, c) to PyTorch's (c, y, x)
        c, h, w = shape
        weight = weight.reshape(-1, h, w, c).permute(0, 3, 1, 2).flatten(1)
    return SourceSpec(
        feature=source.feature,
        weight=weight,
        stride=source.stride,
        padding=source.padding,
        linear=source.flatten,
        in_shape=tuple(shape),
        fixed=True,
        mask=source.mask or "",
    )


def from_network(network: Network) -> QatNetwork:
    """Make the PyTorch twin of an integer network."""
    layers = [(IntegerProduct if layer.product else IntegerLayer)(layer, network) for layer in network.layers]
    twin = QatNetwork(
        layers,
        input_shape=network.input_shape,
        input_levels=network.input_levels,
        timesteps=network.timesteps,
        input_mode=network.input_mode,
        input_signed=network.input_signed,
    )
    return twin.eval()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first place where both disagree, and both values; ``what`` is "partial sum", "level" or "potential"."""

    layer: str
    what: str
    image: int
    timestep: int
    channel: int
    y: int
    x: int
    torch: int
    model: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}: {self.what} of image {self.image}, timestep {self.timestep}, channel {self.channel}, "
            f"position (y={self.y}, x={self.x}): PyTorch {self.torch}, model {self.model}"
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """How many elements of each layer were compared, and the first difference, or None."""

    images: int
    compared: dict
    difference: Difference | None


def first_difference(layer: str, what: str, ours: np.ndarray, theirs: np.ndarray) -> Difference | None:
    """Return the first element in which two arrays (n, T, C, H, W) differ, in the order of images and timesteps."""
    unequal = np.argwhere(ours != theirs)
    if not len(unequal):
        return None
    at = tuple(int(i) for i in unequal[0])
    image, timestep, channel, y, x = at
    return Difference(
        layer=layer,
        what=what,
        image=image,
        timestep=timestep,
        channel=channel,
        y=y,
        x=x,
        torch=int(ours[at]),
        model=int(theirs[at]),
    )


def compare(network: Network, images: np.ndarray, net: QatNetwork | None = None, batch: int = 50) -> Report:
    """Compare every partial sum, level and potential of every layer, up to the first difference.

    Parameters
    ----------
    network : Network
    images : levels (n, C, H, W), or (n, T, C, H, W) in mode "given"
    net : the trained network itself; without it, the twin is made of the network's integers
    batch : images that are computed at a time

    Raises
    ------
    ValueError
        The shapes of both differ.
    """
    net = from_network(network) if net is None else net
    compared = {layer.name: 0 for layer in network.layers}
    for start in range(0, len(images), batch):
        part = np.asarray(images[start : start + batch])
        pixels = torch.tensor(part).float()
        potentials: dict[str, torch.Tensor] = {}
        maps, sums = net.trace(pixels.transpose(0, 1) if network.input_mode == "given" else pixels, potentials)
        result = run(network, part, record=("features", "psums", "potentials"))
        for layer in network.layers:
            h, w = result.psums[layer.name].shape[-2:]
            fired = layer.neuron.kind != "readout"  # a sum writes integers, as others write levels
            membrane = potentials[layer.name] if fired else maps[layer.name]
            pairs = [
                ("partial sum", sums[layer.name][..., :h, :w], result.psums[layer.name]),
                ("potential", membrane[..., :h, :w], result.potentials[layer.name]),
            ]
            if fired:
                pairs.append(("level", maps[layer.name], result.features[layer.name]))
            for what, ours, theirs in pairs:
                values = ours.transpose(0, 1).double().cpu().numpy()
                if values.shape != theirs.shape:
                    raise ValueError(
                        f"layer {layer.name}: {what}s have shape {values.shape} in PyTorch, {theirs.shape} in the model"
                    )
                compared[layer.name] += values.size
                if (found := first_difference(layer.name, what, values, theirs)) is not None:
                    found = Difference(**{**found.__dict__, "image": found.image + start})
                    return Report(images=len(images), compared=compared, difference=found)
    return Report(images=len(images), compared=compared, difference=None)


def random_images(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """Make random images of all levels, in which a third of the pixels is zero and some have the largest level."""
    rng = np.random.default_rng(seed)
    frame = (network.timesteps,) * (network.input_mode == "given") + network.input_shape
    low, high = (-128, 127) if network.input_signed else (0, network.input_levels)
    images = rng.integers(low, high + 1, (count, *frame))
    images[rng.random(images.shape) < 1 / 3] = 0
    images[rng.random(images.shape) < 1 / 20] = high
    return images.astype(np.int8 if network.input_signed else np.uint8)
