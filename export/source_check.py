"""Compares the user's own network with what was made of it, before anything is rounded: spike for spike, in float64.

The source network's own forward pass gives the spikes of its neurons. Each lowered layer then gets the spikes that the
source has in front of it, and the potentials that follow from the spikes which the source itself fired before. So every
spike is judged alone, as if nothing before it differed. It may differ only where the potential lies on the border of
two levels, ``|U - k theta| < 1e-9 theta``; there, floating point decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from ..support.errors import RepriseError
from .nn.gradients import fire, max_pool
from .nn.neurons import reset_potential
from .qat.layers import QatLayer
from .qat.network import QatNetwork
from .trace.graph import Graph, SourceRun

TIE = 1e-9
BATCH = 16


class DifferentError(RepriseError):
    """What was made of a network does not compute what the network computes."""


@dataclass(kw_only=True)
class Comparison:
    """What a comparison found.

    Members
    -------
    compared : how many spikes and outputs were compared
    ties : how many spikes differ on the border of two levels
    differing : how many spikes and outputs differ elsewhere, by the module's name
    """

    compared: int = 0
    ties: int = 0
    differing: dict[str, int] = field(default_factory=dict)

    def sentences(self, images: int) -> Iterator[str]:
        """Yield what a network file records of it."""
        if self.ties:
            yield (
                f"{self.ties} of {self.compared} spikes on {images} images lie exactly on a threshold and differ from "
                "the source network's"
            )
        for name, count in self.differing.items():
            yield f"{name}: {count} values differ from the source network's on {images} images, which was accepted"


@torch.no_grad()
def compare(
    net: QatNetwork, graph: Graph, images: np.ndarray, *, scale: float = 1.0, accept: bool = False
) -> Comparison:
    """Compare a lowered network, which is not rounded, with the source of its graph.

    Parameters
    ----------
    net : in float64
    graph : what it was lowered from
    images : levels (n, C, H, W)
    scale : the source network takes ``images * scale``
    accept : count the differences instead of raising an error

    Raises
    ------
    DifferentError
        A spike or an output differs; the message names the module, the channel, the timestep and both values.
    """
    found = Comparison()
    if graph.source is None:
        return found
    net.quantize(False)
    for start in range(0, len(images), BATCH):
        pixels = torch.tensor(np.asarray(images[start : start + BATCH])).double()
        run = graph.source(pixels * scale)
        _Judge(net, run, found, accept, start, graph.changes).judge(pixels)
    return found


@dataclass(kw_only=True)
class _Place:
    """Where a value is: its module, and the shape (T, B, O, H, W) of the map that holds it."""

    module: str
    shape: tuple[int, ...]
    first: int

    def text(self, at: int) -> str:
        t, b, o, y, x = (int(i) for i in np.unravel_index(at, self.shape))
        position = f", position (y={y}, x={x})" if self.shape[3] * self.shape[4] > 1 else ""
        return f"{self.module}: channel {o}, timestep {t} of image {b + self.first}{position}"


class _Judge:
    """Goes through the layers of a network for one batch of images."""

    def __init__(
        self, net: QatNetwork, run: SourceRun, found: Comparison, accept: bool, first: int, known: tuple[str, ...]
    ) -> None:
        self.net, self.run, self.found, self.accept, self.first, self.known = net, run, found, accept, first, known

    def judge(self, pixels: torch.Tensor) -> None:
        """Compare all layers and the output."""
        maps = {"input": self.net.present(pixels)}
        unknown = self.run.spikes.keys() - {layer.origin for layer in self.net.layers}
        if unknown:
            raise DifferentError(f"{min(unknown)}: this neuron of your network is missing in what was made of it")
        for layer in self.net.layers:
            maps[layer.name] = self._layer(layer, [maps[name] for name in layer.reads])
        self._output(maps)

    def _layer(self, layer: QatLayer, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Return the map of a layer, with the spikes of the source if it has them."""
        scale = layer.scale()
        y = layer.partial_sums(inputs, layer.integer_weights(scale))
        d, c, v0 = (p.view(-1, 1, 1) for p in layer.constants(scale))
        if layer.neuron.kind == "sum":
            return layer.fire(y, d, c, v0)
        if layer.readout:
            return (y + c) * scale.view(-1, 1, 1)
        theirs = self.run.spikes.get(layer.origin)
        pooled = layer.pool if layer.pool_first else None
        shape = (*y.shape[:3], *(pooled.outputs(n) if pooled else n for n in y.shape[3:]))
        if theirs is not None:
            if theirs.numel() != np.prod(shape):
                size = tuple(theirs.shape[2:])
                raise DifferentError(
                    f"{layer.origin}: emits {size} values for an image, the lowered network {shape[2:]}"
                )
            theirs = theirs.reshape(shape) / layer.unit
        v, out = v0, []
        for t in range(len(y)):
            u = y[t] + layer.leak(v) + c
            if pooled:
                u = max_pool(u, pooled)
            z = fire(u, d, layer.neuron)
            if theirs is not None:
                self._spikes(layer, t, shape, u / d, z, theirs[t])
                z = theirs[t]
            v = reset_potential(u, z, d, layer.neuron.reset)
            out.append(z)
        levels = torch.stack(out)
        if layer.pool and not pooled:
            levels = max_pool(levels.flatten(0, 1), layer.pool).unflatten(0, levels.shape[:2])
        return levels

    def _spikes(
        self, layer: QatLayer, t: int, shape: tuple[int, ...], u: torch.Tensor, ours: torch.Tensor, theirs: torch.Tensor
    ) -> None:
        """Count the spikes of one timestep that differ; ``u`` is the potential in thresholds."""
        self.found.compared += ours.numel()
        theirs_whole = theirs.round()
        unequal = (ours != theirs_whole) | ((theirs - theirs_whole).abs() > TIE)
        if not bool(unequal.any()):
            return
        border = torch.maximum(ours, theirs_whole)
        tie = unequal & ((ours - theirs_whole).abs() == 1) & ((u - border).abs() < TIE)
        self.found.ties += int(tie.sum())
        wrong = (unequal & ~tie).flatten().nonzero()
        if not len(wrong):
            return
        at = int(wrong[0])
        place = _Place(module=layer.origin, shape=shape, first=self.first)
        offset = t * ours.numel()
        self._differ(
            layer.origin,
            len(wrong),
            f"{place.text(at + offset)}: your module emits {float(theirs.flatten()[at]):g}, the lowered network "
            f"{float(ours.flatten()[at]):g}, at a potential of {float(u.flatten()[at]):.9g} thresholds",
        )

    def _output(self, maps: dict[str, torch.Tensor]) -> None:
        """Compare the output of the last layer in real units."""
        end, last = self.net.end, self.net.layers[-1]
        ours, theirs = maps[last.name], self.run.output
        if not last.readout:
            ours = ours * (end.unit.view(-1, 1, 1) if isinstance(end.unit, torch.Tensor) else end.unit)
        if end.mean:
            ours = ours.mean((-2, -1), keepdim=True)
        if end.reduce is not None:
            ours = ours.sum(0, keepdim=True) / (len(ours) if end.reduce == "mean" else 1)
        if ours.numel() != theirs.numel():
            size, other = tuple(ours.shape[2:]), tuple(theirs.shape)
            raise DifferentError(f"output: your network returns {other}, the lowered network {size} for an image")
        theirs = theirs.reshape(ours.shape)
        self.found.compared += ours.numel()
        most = float(theirs.abs().max())
        wrong = ((ours - theirs).abs() > TIE * max(most, TIE)).flatten().nonzero()
        if len(wrong):
            at = int(wrong[0])
            place = _Place(module="output", shape=tuple(ours.shape), first=self.first)
            self._differ(
                "output",
                len(wrong),
                f"{place.text(at)}: your network returns {float(theirs.flatten()[at]):.9g}, the lowered network "
                f"{float(ours.flatten()[at]):.9g}",
            )

    def _differ(self, module: str, count: int, sentence: str) -> None:
        if not self.accept:
            reasons = [c.removeprefix(f"{module}: ") for c in self.known if c.startswith(f"{module}: ")]
            raise DifferentError(
                f"{sentence}. Nothing was rounded yet: this part of the network is not understood. Leave it out, write "
                "it with plain layers, or accept the difference (--accept-differences, accept_differences=True)"
                + "".join(f"; known of it: {reason}" for reason in reasons),
                where=module,
            )
        self.found.differing[module] = self.found.differing.get(module, 0) + count
