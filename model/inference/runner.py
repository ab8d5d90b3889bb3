"""Run an integer network: every feature map, membrane potential and partial sum, all timesteps.

There are two ways, which must agree bit for bit. "plain" convolves integers (``reprise.model.inference.layers``).
"tiled" does what hardware does: binary rows, tiles, product sparsity, planes weighted afterwards. "integer" is plain
with the integer kernels instead of the exact BLAS path.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ...support.checks import require
from ..network.layer import Layer
from ..network.network import Network
from ..prosparsity.products import network_jobs
from ..prosparsity.rows import check_levels
from .kernels import reuse_matmul
from .layers import layer_sums, max_pool, product_sums
from .neurons import integrate

CHUNK_BYTES = 192 << 20  # im2col or row sums of the images taken at a time
RECORDS = ("features", "potentials", "psums")


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What a run of n images and T timesteps gives.

    Members
    -------
    output : uint8 or int64 [n, T, O, H, W]
        The levels of the last layer, or its potentials if it is a readout, or its integers if it is a sum.
    features : dict[str, uint8[n, T, C, H, W]]
        "input" (int8 if signed) and the levels of every layer that fires, after its pool, if they are recorded; of a
        sum its integers, int8, int16 or int32.
    potentials : dict[str, int64[n, T, O, H, W]]
        The membrane potential after each timestep at the positions that are computed, if it is recorded.
    psums : dict[str, int64[n, T, O, H, W]]
        The partial sums with the addend and without the bias, if they are recorded.
    """

    output: np.ndarray
    readout: bool
    features: dict[str, np.ndarray] = field(default_factory=dict)
    potentials: dict[str, np.ndarray] = field(default_factory=dict)
    psums: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def scores(self) -> np.ndarray:
        """int64[n, O]: the last potentials of a readout, or all levels of each channel, summed over positions."""
        last = self.output[:, -1] if self.readout else self.output.sum(axis=1, dtype=np.int64)
        return last.sum(axis=(2, 3), dtype=np.int64)

    @property
    def predictions(self) -> np.ndarray:
        """int64[n]: the channel of the largest score, and the lowest of several such channels."""
        return self.scores.argmax(axis=1)


def input_levels(network: Network, images: np.ndarray) -> np.ndarray:
    """Return the input feature of every timestep: uint8[n, T, C, H, W], or int8 if it is signed.

    Parameters
    ----------
    network : Network
    images : integers
        (C, H, W) or (n, C, H, W); for ``input_mode`` "given" (T, C, H, W) or (n, T, C, H, W).

    Raises
    ------
    ValueError
        The images have a wrong shape, or a level is out of range.
    """
    images = np.asarray(images)
    given = network.input_mode == "given"
    frame = (network.timesteps, *network.input_shape) if given else network.input_shape
    if images.ndim == len(frame):
        images = images[None]
    fits = images.ndim == len(frame) + 1 and images.shape[1:] == frame
    require(fits, "images", f"of shape {frame} or (n, {', '.join(map(str, frame))})", images.shape)
    codes = check_levels(images, network.input_levels, network.input_signed, "images")
    if network.input_signed:
        codes = codes.view(np.int8)
    if given:
        return codes
    shown = np.zeros((len(codes), network.timesteps, *network.input_shape), dtype=codes.dtype)
    shown[:, : 1 if network.input_mode == "once" else None] = codes[:, None]
    return shown


def _chunk(network: Network, method: str) -> int:
    """Return how many images are run at a time, so that no intermediate of a layer exceeds CHUNK_BYTES by much."""
    worst = 1
    for layer in network.layers:
        height, width = network.geometry[layer.name].computed
        depth = network.depth(layer.name)
        planes = max((network.feature_levels(source.feature) for source in layer.sources), default=1)
        planes = planes if layer.encoding == "thermometer" else planes.bit_length()
        per_row = 8 * layer.channels * 3 + (
            planes * (depth + 8 * layer.channels * 3) if method == "tiled" else 8 * depth
        )
        worst = max(worst, height * width * network.timesteps * per_row)
    return max(1, CHUNK_BYTES // worst)


def _tiled_sums(network: Network, layer: Layer, features: dict, tile_m: int, tile_k: int) -> np.ndarray:
    shape = (*features[layer.reads[0]].shape[:2], layer.channels, *network.geometry[layer.name].computed)
    sums = np.empty(shape, dtype=np.int64)
    for job in network_jobs(network, layer.name, features, tile_m=tile_m, tile_k=tile_k):
        tiles = job.tiles
        sums[job.part] = tiles.combine(reuse_matmul(tiles.packed, tiles.starts, tiles.weights, tile_k))
    return sums


def _plain_sums(network: Network, layer: Layer, features: dict, method: str) -> np.ndarray:
    reads = layer.multiplied
    inputs = [features[name] for name in reads] if layer.product else [s.levels(features) for s in layer.convolutions]
    n, timesteps = features[layer.reads[0]].shape[:2]
    if not inputs:
        return np.zeros((n, timesteps, layer.channels, *network.geometry[layer.name].computed), dtype=np.int64)
    shown = timesteps
    if network.input_mode == "repeat" and all(name == "input" for name in reads):
        shown = 1  # the same frame at every timestep has the same sums
    frames = [x[:, :shown].reshape(n * shown, *x.shape[2:]) for x in inputs]
    if layer.product:
        sums = product_sums(layer.product, frames[0], frames[1], method)
    else:
        sums = layer_sums(layer, frames, network.geometry[layer.name].computed, method)
    return np.broadcast_to(sums.reshape(n, shown, *sums.shape[1:]), (n, timesteps, *sums.shape[1:]))


def _run_chunk(network: Network, levels: np.ndarray, method: str, tile: tuple[int, int], record: set) -> Result:
    features: dict[str, np.ndarray] = {"input": levels}
    potentials: dict[str, np.ndarray] = {}
    psums: dict[str, np.ndarray] = {}
    output = levels
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.reads}
    for number, layer in enumerate(network.layers):
        if method == "tiled":
            sums = _tiled_sums(network, layer, features, *tile)
        else:
            sums = _plain_sums(network, layer, features, "integer" if method == "integer" else "blas")
        if layer.addend:
            sums = (sums.astype(np.int64) << layer.shift) + features[layer.addend]
        fired, potential = integrate(sums, layer.neuron, potentials="potentials" in record)
        if "psums" in record:
            psums[layer.name] = sums.astype(np.int64)
        if "potentials" in record:
            assert potential is not None
            potentials[layer.name] = potential
        if fired is None:
            assert potential is not None  # what a readout gives
            output = potential
        else:
            pooled = max_pool(fired, layer.pool)
            output = features[layer.name] = layer.join.add(pooled, features) if layer.join else pooled
        if "features" not in record:  # a feature that nothing reads any more is let go
            for name in [name for name in features if last_use.get(name, -1) <= number]:
                del features[name]
    if "features" not in record:
        features = {}
    readout = network.layers[-1].neuron.kind == "readout"
    return Result(output=output, readout=readout, features=features, potentials=potentials, psums=psums)


def run(
    network: Network,
    images: np.ndarray,
    *,
    method: str = "plain",
    tile_m: int | None = None,
    tile_k: int | None = None,
    record: Iterable[str] = (),
) -> Result:
    """Run a network on a batch of images.

    Parameters
    ----------
    network : Network
    images : integers
        See :func:`input_levels`.
    method : "plain", "integer" or "tiled"
    tile_m, tile_k : int
        Rows and bits of a tile, which "tiled" needs. Images are taken in chunks, and images of different chunks never
        share a tile; no result depends on that.
    record : any of "features", "potentials", "psums"
        What to keep beside the output. Everything is kept in memory, which may not hold many images.

    Returns
    -------
    Result
    """
    methods = ("plain", "integer", "tiled")
    require(method in methods, "method", f"one of {methods}", method)
    for name, size in (("tile_m", tile_m), ("tile_k", tile_k)):
        require(method != "tiled" or size is not None, name, "given for method 'tiled'", size)
    wanted = {record} if isinstance(record, str) else set(record)
    require(wanted <= set(RECORDS), "record", f"some of {RECORDS}", sorted(wanted))
    levels = input_levels(network, images)
    require(len(levels) > 0, "images", "at least one image", levels.shape)
    step = _chunk(network, method)
    tile = (tile_m or 0, tile_k or 0)  # without a meaning unless tiled; there, 0 is refused where tiles are cut
    parts = [_run_chunk(network, levels[i : i + step], method, tile, wanted) for i in range(0, len(levels), step)]
    if len(parts) == 1:
        return parts[0]

    def join(name: str) -> dict[str, np.ndarray]:
        return {key: np.concatenate([getattr(p, name)[key] for p in parts]) for key in getattr(parts[0], name)}

    return Result(
        output=np.concatenate([p.output for p in parts]),
        readout=parts[0].readout,
        **{name: join(name) for name in RECORDS},
    )
