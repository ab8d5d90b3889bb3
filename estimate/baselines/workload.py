"""A layer as accelerators of binary spikes see it: a matrix of packed rows, and the neurons that follow it.

Multi-level spikes and pixels come as their planes. A machine that knows only binary spikes runs the planes of a
timestep one after the other, as it does timesteps, so a *step* is a plane of a timestep. Captures of binary spikes have
one plane, and there a step is a timestep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...model.files.capture import Capture
from ...model.network.network import Network
from ...model.prosparsity.products import network_jobs
from ...model.prosparsity.tiling import LayerTiles

WORD = 16
"""Bits of a packed row in a word, those of a tile of the published Prosperity."""

ROWS = 256
"""Rows of its tiles."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """One layer on one image.

    Members
    -------
    name : of the layer
    neurons_name : of its neurons, if the published description of the network has a name for them
    packed : uint64[positions * steps, words], rows by position and then by step; bit k % 16 of word k // 16 is input
        k, and every source of a join begins a word
    positions, timesteps, planes, depth, outputs : int
        S, T, the planes of a timestep, K and O
    neurons : int
        Neurons behind the layer, each of which is updated in every timestep; 0 if nothing fires
    linear : bool
        A fully connected layer on one vector
    """

    name: str
    neurons_name: str = "neurons"
    packed: np.ndarray
    positions: int
    timesteps: int
    planes: int = 1
    depth: int
    outputs: int
    neurons: int
    linear: bool

    @property
    def steps(self) -> int:
        """Binary vectors of each position: timesteps x planes."""
        return self.timesteps * self.planes


def _is_linear(tiles: LayerTiles, kernels: list[tuple[int, int]]) -> bool:
    return len(tiles.positions) == 1 and all(kernel == (1, 1) for kernel in kernels)


def of_capture(capture: Capture) -> list[Workload]:
    """Return the layers of a capture; all outputs of a layer have neurons, as in the published networks."""
    found = []
    for one in capture:
        tiles = one.tiles(ROWS, WORD)
        positions = len(tiles.positions)
        found.append(
            Workload(
                name=one.name,
                packed=tiles.packed,
                positions=positions,
                timesteps=tiles.timesteps,
                planes=len(tiles.plane_weights),
                depth=one.depth,
                outputs=one.outputs,
                neurons=one.outputs * positions,
                linear=_is_linear(tiles, [source.weight.shape[2:] for source in one.layer.convolutions]),
            )
        )
    return found


def of_network(network: Network, features: dict[str, np.ndarray]) -> Iterator[list[Workload]]:
    """Yield each layer of a network as its workloads, one for each image.

    A product of two maps has one for each image, timestep and head, whose weights differ.

    Parameters
    ----------
    network : Network
    features : of the model's run, the input among them (``Result.features``)
    """
    for layer in network.layers:
        jobs = network_jobs(network, layer.name, features, tile_m=ROWS, tile_k=WORD, published=True)
        yield [
            Workload(
                name=layer.name,
                packed=packed,
                positions=len(tiles.positions),
                timesteps=tiles.timesteps,
                planes=len(tiles.plane_weights),
                depth=network.depth(layer.name),
                outputs=layer.columns,
                neurons=layer.columns * len(tiles.positions) if layer.neuron.fires else 0,
                linear=_is_linear(tiles, [source.weight.shape[2:] for source in layer.convolutions]),
            )
            for tiles in (job.tiles for job in jobs)
            for packed in tiles.packed.reshape(tiles.images, -1, tiles.packed.shape[1])
        ]
