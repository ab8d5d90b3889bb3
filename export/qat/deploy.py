"""Turns trained layers into the integer network: it reads off integers, chooses encodings by cost, and proves widths.

Nothing is rounded here that training has not simulated.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...model.hardware import Hardware
from ...model.inference.layers import flatten_columns
from ...model.inference.runner import run
from ...model.inference.widths import Widths, check
from ...model.network.layer import Encoding, Layer, Product, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron
from ...model.prosparsity.bound import bound, output_groups
from ...model.prosparsity.density import Density
from ...model.prosparsity.products import network_counts
from ...support.errors import RepriseError
from .layers import QatLayer
from .network import QatNetwork
from .specs import ROUNDINGS, SourceSpec

MAX_PLANES = 8  # of a hardware that does not say how many planes it has: pixels of 8 bits need these
FEW_STEPS = 32  # of weights, below which their rounding is coarse
MAX_THERMOMETER = 64  # planes beyond which thermometer rows cost more than bit-planes in any case


def dense_kernel(weight: np.ndarray, groups: int) -> np.ndarray:
    """Turn the weight of a grouped convolution, [O, C/groups, KH, KW], into [O, C, KH, KW] with zeros in between."""
    o, c = weight.shape[:2]
    dense = np.zeros((o, c * groups, *weight.shape[2:]), weight.dtype)
    for g in range(groups):
        rows = slice(g * o // groups, (g + 1) * o // groups)
        dense[rows, g * c : (g + 1) * c] = weight[rows]
    return dense


def source(spec: SourceSpec, weight: np.ndarray) -> Source:
    """Make one source of the integer network from its integer weight.

    Groups are filled with zeros, average pools are folded into the weight, and the columns of a linear layer are put
    into the order (y, x, c).
    """
    rows, across = spec.avgpool
    if not spec.linear:  # whose windows are square
        kernel = np.repeat(np.repeat(dense_kernel(weight, spec.groups), rows, axis=2), across, axis=3)
        stride, padding = spec.stride * rows, spec.padding * rows
        return Source(feature=spec.feature, mask=spec.mask or None, weight=kernel, stride=stride, padding=padding)
    c, h, w = spec.in_shape
    columns = np.zeros((len(weight), c, h, w), weight.dtype)
    pooled = weight.reshape(-1, c, h // rows, w // across)
    whole = np.repeat(np.repeat(pooled, rows, axis=2), across, axis=3)
    columns[:, :, : whole.shape[2], : whole.shape[3]] = whole
    columns = flatten_columns(columns.reshape(len(weight), -1), (c, h, w))
    return Source(feature=spec.feature, mask=spec.mask or None, weight=columns[:, :, None, None], flatten=True)


def integers(value: torch.Tensor) -> np.ndarray:
    """Return a tensor of integer values as int64; a value that is no integer raises ValueError."""
    array = value.detach().double().cpu().numpy()
    if not np.array_equal(array, np.rint(array)):
        raise ValueError(f"expected integers, not {array[array != np.rint(array)][:3]}")
    return array.astype(np.int64)


@torch.no_grad()
def to_layer(layer: QatLayer, timesteps: int) -> Layer:
    """Read off the integers of a trained layer."""
    scale, shift = layer.scale(), layer.own_shift()
    weights = [integers(w) for w in layer.integer_weights(scale)]
    d, c, v0 = (integers(p) for p in layer.constants(scale))
    n = layer.neuron
    if n.kind == "sum":
        neuron = Neuron.sum(layer.channels, bits=n.bits, shift=n.shift, bias=c)
    elif layer.readout:
        neuron = Neuron.readout(layer.channels, bias=c)
    else:
        leak = np.broadcast_to(integers(layer.leaks.round().flatten()) if n.kind == "lif" else 256, layer.channels)
        # A threshold beyond every potential never fires; the smallest such one acts alike and needs fewer bits.
        high = sum(
            np.maximum(w, 0).reshape(len(w), -1).sum(1) * k for w, k in zip(weights, layer.levels_in, strict=True)
        )
        d = np.minimum(d, np.maximum(1, np.maximum(v0, 0) + timesteps * (high + np.maximum(c, 0)) + 1))
        neuron = Neuron(kind=n.kind, levels=n.levels, reset=n.reset, threshold=d, bias=c, v0=v0, leak=leak)
    sources: tuple[Source | Product, ...]
    if (p := layer.product) is not None:
        sources = (Product(feature=p.feature, operand=p.operand, over=p.over, heads=p.heads),)
    else:
        own = [(s, w >> shift) for s, w in zip(layer.specs, weights, strict=True) if s.feature != layer.addend]
        sources = tuple(source(s, w.astype(np.int8)) for s, w in own)
    return Layer(
        name=layer.name,
        sources=sources,
        neuron=neuron,
        pool=layer.pool,
        addend=layer.addend or None,
        shift=shift,
    )


def to_network(net: QatNetwork, name: str) -> Network:
    """Return the integer network that ``net`` computes in evaluation mode, in which all layers read bit-planes.

    Raises
    ------
    ValueError
        ``net`` is not quantized.
    """
    net.eval()
    if not all(layer.rounding == ROUNDINGS for layer in net.layers):
        raise RepriseError(
            "network: quantize must be on for every layer (it was trained or evaluated in floating point)"
        )
    return Network(
        name=name,
        input_shape=net.input_shape,
        input_levels=net.input_levels,
        input_signed=net.input_signed,
        timesteps=net.timesteps,
        input_mode=net.input_mode,
        layers=tuple(to_layer(layer, net.timesteps) for layer in net.layers),
    )


def encoding_costs(network: Network, images: np.ndarray, hardware: Hardware) -> dict[str, dict]:
    """Compute what both encodings of every layer cost on calibration images.

    Thermometer planes are left out where they cannot win, for one level or for signed input, and where they do not fit
    a tile.

    Returns
    -------
    {layer: {"cycles": {encoding: cycles}, "density": {encoding: Density}}}
        The cycles are the bound for one image. The densities count a layer once, however many output channels it has.
    """
    features = run(network, images, record=("features",)).features
    n, costs = len(features["input"]), dict[str, dict[str, Any]]()
    for layer in network.layers:
        levels = (1, *(network.feature_levels(s.feature) for s in layer.sources))
        signed = any(network.feature_signed(s.feature) for s in layer.sources)
        options: list[Encoding] = ["bitplane"]
        if 1 < max(levels) <= min(MAX_THERMOMETER, hardware.tile_m // network.timesteps) and not signed:
            options.append("thermometer")
        costs[layer.name] = {"cycles": {}, "density": {}}
        for encoding in options:
            variant = replace(layer, encoding=encoding)
            other = replace(network, layers=tuple(variant if y is layer else y for y in network.layers))
            counts = network_counts(other, layer.name, features, tile_m=hardware.tile_m, tile_k=hardware.tile_k)
            groups = output_groups(layer.columns, hardware.lanes)
            cycles = bound(counts, groups, banks=hardware.banks, weight_banks=hardware.weight_banks)
            costs[layer.name]["cycles"][encoding] = cycles / n
            costs[layer.name]["density"][encoding] = Density.of(counts, network.depth(layer.name))
    return costs


def choose_encodings(network: Network, costs: dict, hardware: Hardware) -> Network:
    """Give every layer its cheaper encoding, which is bit-planes if both cost the same.

    Thermometer planes are never chosen where the hardware has not so many.
    """
    planes, layers = getattr(hardware, "max_planes", MAX_PLANES), []
    for y in network.layers:
        cycles = dict(costs[y.name]["cycles"])
        if max((network.feature_levels(s.feature) for s in y.sources), default=0) + y.shift > planes:
            cycles.pop("thermometer", None)
        layers.append(replace(y, encoding=min(cycles, key=lambda encoding: cycles[encoding])))
    return replace(network, layers=tuple(layers))


def statistics(network: Network, costs: dict, images: np.ndarray, spikes: dict | None = None) -> dict:
    """Return, for every layer, the figures that a network file records.

    They are its spikes per image, the densities of the rows that it reads, and the cycles of both encodings per image.
    """
    out = run(network, images, record=("features",)).features
    found = {}
    for layer in network.layers:
        cost = costs[layer.name]
        entry = {
            **cost["density"][layer.encoding].figures(),
            "cycles": {k: round(v, 2) for k, v in cost["cycles"].items()},
        }
        if layer.neuron.fires:
            measured = float(out[layer.name].sum(dtype=np.int64)) / len(images)
            entry = {"spikes": round((spikes or {}).get(layer.name, measured), 3), **entry}
        found[layer.name] = entry
    return found


def width_proof(network: Network, hardware: Hardware) -> dict:
    """Prove the ranges of all sums and return them as ``{layer: {sum: (low, high, bits)}}``.

    Raises
    ------
    WidthError
        A sum could overflow; the message names the layer, the sum, its bound and the width.
    """
    names = ("tile_result", "row_psum", "psum", "membrane", "steps", "integers")
    found = {}
    for layer, bounds in check(network, Widths.of(hardware), hardware.tile_k).items():
        ranges = {name: getattr(bounds, name) for name in names}
        found[layer] = {name: (r.low, r.high, r.bits) for name, r in ranges.items() if r is not None}
    return found


def clipped(network: Network, widths: dict) -> list[str]:
    """Return which stored currents could exceed the bits of their maps, and which are coarse because they fit.

    The first ones are clipped. Both are sentences.
    """
    told = []
    for name in dict.fromkeys(layer.addend for layer in network.layers if layer.addend):
        bits = network.feature_bits(name)
        low, high, needed = widths[name]["integers"]
        if needed > bits:
            told.append(f"{name}: its current could reach {low}..{high} units, and is clipped at {bits} bits")
        steps = max((int(np.abs(s.weight.astype(int)).max()) for s in network.layer(name).convolutions), default=0)
        if needed >= bits and 0 < steps < FEW_STEPS and bits < 32:
            told.append(
                f"{name}: its weights have only {steps} steps of 127, so that {bits} bits hold the stream; "
                "MembraneStream(bits=32) leaves them more"
            )
    return told


def deploy(net: QatNetwork, name: str, calibration: np.ndarray, hardware: Hardware) -> tuple[Network, dict, dict]:
    """Make the integer network of trained layers.

    Parameters
    ----------
    net : QatNetwork
    name : str
        Of the network.
    calibration : integers (n, C, H, W), or (n, T, C, H, W) where frames are given
        Images on which encodings are compared and statistics taken.
    hardware : Hardware
        The configuration that the encodings are chosen for and whose widths must hold every sum.

    Returns
    -------
    (network with its encodings chosen, statistics, width proofs)

    Raises
    ------
    WidthError
        A sum could overflow the configuration's registers.
    """
    return adapt(to_network(net, name), calibration, hardware)


def adapt(network: Network, calibration: np.ndarray, hardware: Hardware) -> tuple[Network, dict, dict]:
    """Fit an integer network to a configuration: return it with its encodings, statistics and width proofs.

    They are those that :func:`deploy` gives, and it raises the same error.
    """
    widths = width_proof(network, hardware)
    costs = encoding_costs(network, calibration, hardware)
    network = choose_encodings(network, costs, hardware)
    return network, statistics(network, costs, calibration), widths


def totals(network: Network, costs: dict, hardware: Hardware) -> dict:
    """Return the bit density, the product density and the bound in cycles per image of the whole network.

    They are those of the calibration images. A layer counts as often as its tiles are processed, which is once for each
    group of ``lanes`` output channels.
    """
    density, cycles = Density(), 0.0
    for layer in network.layers:
        cost = costs[layer.name]
        for _ in range(output_groups(layer.columns, hardware.lanes)):
            density += cost["density"][layer.encoding]
        cycles += cost["cycles"][layer.encoding]
    return {**density.figures(), "cycles": cycles}
