"""Runs layers on the core's bench: tiles and neurons of a layer become a job, whose outputs must equal the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.inference.kernels import reuse_matmul
from ...model.inference.neurons import RESETS, integrate
from ...model.network.neuron import Neuron
from ...model.prosparsity.tiling import LayerTiles
from ...support.errors import RepriseError
from ..bench.core import CoreBench, CoreResult, Tile


@dataclass(frozen=True, kw_only=True)
class CoreJob:
    """What is played into the core, and what must come out.

    ``expected`` is int64[items, neuron_lanes], in the order of position, timestep and group; the lanes beyond
    ``channels`` are not compared.
    """

    tiles: list[Tile]
    layer: dict[str, int]
    params: list[dict]
    expected: np.ndarray
    channels: int


def groups_of(channels: int, config: HardwareConfig) -> int:
    """Return how many groups of ``neuron_lanes`` hold so many channels; more than ``lanes`` raise ValueError."""
    if not 1 <= channels <= config.lanes:
        raise RepriseError(f"channels must be 1..{config.lanes} (lanes), not {channels}: cut the layer into blocks")
    return -(-channels // config.neuron_lanes)


def parameters(neuron: Neuron, config: HardwareConfig) -> list[dict]:
    """Return the items of the parameter stream; channels beyond those of the layer get a threshold of 1 and zeros."""
    n, channels = config.neuron_lanes, neuron.channels
    groups = groups_of(channels, config)

    def cut(values: np.ndarray, fill: int) -> np.ndarray:
        padded = np.full(groups * n, fill, np.int64)
        padded[:channels] = values
        return padded.reshape(groups, n)

    columns = {
        "bias": cut(neuron.bias, 0),
        "threshold": cut(neuron.threshold, 1),
        "v0": cut(neuron.v0, 0),
        "leak": cut(neuron.leak, 256),
    }
    return [{"group": g, **{name: c[g].tolist() for name, c in columns.items()}} for g in range(groups)]


def make_job(
    tiles: LayerTiles, neuron: Neuron, config: HardwareConfig, *, bitplane: bool, signed: bool = False
) -> CoreJob:
    """Make the job of a layer of at most ``lanes`` channels.

    Parameters
    ----------
    tiles : LayerTiles, which were cut by the configuration's ``tile_m`` and ``tile_k``
    neuron : Neuron
    config : HardwareConfig
    bitplane : plane p weighs 2**p, and else every plane weighs 1
    signed : the last plane is a sign plane
    """
    assert tiles.timesteps <= config.max_timesteps, "the core's field for the timesteps would be cut"
    weights = tiles.weights.astype(np.int64)
    played = []
    for m in range(tiles.m_tiles):
        rows = int(tiles.starts[m + 1] - tiles.starts[m])
        for k in range(tiles.k_tiles):
            last = k == tiles.k_tiles - 1
            played.append(Tile(rows=tiles.rows(m, k), weights=tiles.tile_weights(k), last_k=last, m_rows=rows))
    sums = tiles.packed
    psum = tiles.combine(reuse_matmul(sums, tiles.starts, tiles.weights, tiles.tile_k))
    assert weights.shape[1] == neuron.channels
    levels, potentials = integrate(psum, neuron)
    result = potentials if neuron.kind == "readout" else levels
    assert result is not None
    y, x = tiles.positions.T
    ordered = result[..., y, x].astype(np.int64)  # (n, T, O, positions)
    ordered = ordered.transpose(0, 3, 1, 2)  # (n, positions, T, O), the order in which they come out
    groups = groups_of(neuron.channels, config)
    padded = np.zeros((*ordered.shape[:3], groups * config.neuron_lanes), np.int64)
    padded[..., : neuron.channels] = ordered
    layer = {
        "readout": neuron.kind == "readout",
        "reset": RESETS[neuron.reset],
        "levels": neuron.levels,
        "planes": len(tiles.plane_weights),
        "weigh": bitplane,
        "signed": signed,
        "timesteps": tiles.timesteps,
        "groups": groups,
    }
    return CoreJob(
        tiles=played,
        layer=layer,
        params=parameters(neuron, config),
        expected=padded.reshape(-1, config.neuron_lanes),
        channels=neuron.channels,
    )


def make_jobs(
    tiles: LayerTiles, neuron: Neuron, config: HardwareConfig, *, bitplane: bool, signed: bool = False
) -> list[CoreJob]:
    """Make the jobs of a layer with any number of channels, one by :func:`make_job` for each block of ``lanes``."""
    jobs = []
    for first in range(0, neuron.channels, config.lanes):
        block = slice(first, first + config.lanes)
        cut = {name: getattr(neuron, name)[block] for name in ("threshold", "bias", "v0", "leak")}
        part = replace(tiles, weights=tiles.weights[:, block])
        jobs.append(make_job(part, replace(neuron, **cut), config, bitplane=bitplane, signed=signed))
    return jobs


def sums_job(tiles: LayerTiles, config: HardwareConfig) -> CoreJob:
    """Make a job that gives out the partial sums of the first ``neuron_lanes`` channels, each row as a readout.

    A row then takes one cycle of the neuron array and waits for no other, so that the processor alone is measured.
    """
    n = config.neuron_lanes
    lanes = np.zeros((len(tiles.weights), n), np.int8)
    lanes[:, : min(n, tiles.weights.shape[1])] = tiles.weights[:, :n]
    tiles = replace(tiles, weights=lanes)
    zeros = np.zeros(n, np.int64)
    still = Neuron(kind="readout", levels=0, reset="none", threshold=zeros + 1, bias=zeros, v0=zeros, leak=zeros + 256)
    played = []
    for m in range(tiles.m_tiles):
        rows = int(tiles.starts[m + 1] - tiles.starts[m])
        for k in range(tiles.k_tiles):
            last = k == tiles.k_tiles - 1
            played.append(Tile(rows=tiles.rows(m, k), weights=tiles.tile_weights(k), last_k=last, m_rows=rows))
    layer = {"readout": 1, "reset": RESETS["none"], "levels": 0, "planes": 1, "timesteps": 1, "groups": 1}
    return CoreJob(
        tiles=played,
        layer=layer | {"weigh": 0, "signed": 0},
        params=parameters(still, config),
        expected=reuse_matmul(tiles.packed, tiles.starts, lanes, tiles.tile_k).astype(np.int64),
        channels=n,
    )


def play(bench: CoreBench, job: CoreJob, **traffic: Any) -> CoreResult:
    """Run a job and compare every output; any difference raises AssertionError, which tells the first one."""
    result = bench.run(job.tiles, layer=job.layer, params=job.params, outputs=len(job.expected), **traffic)
    got = result.potentials if job.layer["readout"] else result.levels
    n, groups = bench.config.neuron_lanes, job.layer["groups"]
    assert np.array_equal(result.group, np.arange(len(got)) % groups), "groups out of order"
    channel = (np.arange(len(got)) % groups)[:, None] * n + np.arange(n)
    wrong = np.argwhere((got != job.expected) & (channel < job.channels))
    if len(wrong):
        item, lane = wrong[0]
        position, t = divmod(int(item) // groups, job.layer["timesteps"])
        raise AssertionError(
            f"{len(wrong)} of {got.size} outputs differ; first at position {position}, timestep {t}, channel "
            f"{channel[item, lane]}: RTL {got[item, lane]}, model {job.expected[item, lane]}"
        )
    return result


def join(jobs: Sequence[CoreJob]) -> CoreJob:
    """Join jobs of one layer configuration and of the same parameters, so that nothing pauses between them."""
    first = jobs[0]
    if any(job.layer != first.layer for job in jobs):
        raise ValueError("jobs must have one layer configuration")
    return CoreJob(
        tiles=[tile for job in jobs for tile in job.tiles],
        layer=first.layer,
        params=first.params,
        expected=np.concatenate([job.expected for job in jobs]),
        channels=first.channels,
    )
