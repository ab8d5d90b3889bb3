"""Benchmarks of the model: the analysis of product sparsity, and runs of networks."""

import time
from functools import partial
from typing import Any

import numpy as np

from reprise.estimate.density import density_report, of_capture
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, Capture, load_capture
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from reprise.model.prosparsity.rows import unpack_rows
from reprise.model.prosparsity.tiles import analyze_packed, analyze_rows, count_rows
from tools.bench import ROOT, Skip, best

CAPTURE = ROOT.parent / "shared" / "data" / "captures" / "lenet5_mnist.npz"
PUBLISHED_SECONDS = 28.0  # the published simulator's CPU path on that capture, on two cores


def _analyse(capture: Capture) -> int:
    blocks = [analyze_packed(tiles.packed, tiles.starts) for tiles in (one.tiles(256, 16) for one in capture)]
    return sum(block.counts.total().residual_bits for block in blocks)


def _naive_seconds(capture: Capture) -> float:
    """Return the CPU time of the naive oracle, which looks at every pair of rows of every tile in Python.

    It is CPU time because this one long run cannot be repeated until the machine is quiet. So a busy machine does not
    flatter the ratio.
    """
    from tests.support.oracles import naive_tile

    tiles = [one.tiles(256, 16) for one in capture]
    begin = time.process_time()
    total = 0
    for one in tiles:
        bits = unpack_rows(one.packed, 16)
        for m in range(one.m_tiles):
            for k in range(one.k_tiles):
                total += naive_tile(bits[one.starts[m] : one.starts[m + 1], 16 * k : 16 * k + 16])["residual_bits"]
    seconds = time.process_time() - begin
    if total != _analyse(capture):
        raise AssertionError(f"the naive oracle finds {total} residual bits, the analysis {_analyse(capture)}")
    return seconds


def _compare(capture: Capture) -> dict:
    seconds, naive = best(lambda: _analyse(capture), 20), _naive_seconds(capture)
    report = best(lambda: density_report(capture.name, of_capture(capture), HardwareConfig.load("paper")), 5)
    return {
        "seconds": seconds,
        "naive_cpu_seconds": naive,
        "ratio": naive / seconds,
        "report_seconds": report,
        "residual_bits": _analyse(capture),
    }


def bench_lenet5() -> dict:
    """Product sparsity of the published LeNet-5 capture, 256 x 16 tiles, from spikes to prefixes (goal: 0.3 s)."""
    if not CAPTURE.exists():
        raise Skip("the published capture is absent")
    figures = _compare(load_capture(CAPTURE))
    return figures | {"published_seconds": PUBLISHED_SECONDS, "published_ratio": PUBLISHED_SECONDS / figures["seconds"]}


def bench_sample() -> dict:
    """Product sparsity of the sample capture, 256 x 16 tiles."""
    return _compare(load_capture(SAMPLE))


def bench_large() -> dict:
    """Product sparsity of a random 65536 x 4608 matrix at 20 % density, 256 x 16 tiles, and the peak memory."""
    import resource

    rng = np.random.default_rng(0)
    bits = np.empty((65536, 4608), dtype=bool)
    for low in range(0, len(bits), 1024):
        bits[low : low + 1024] = rng.integers(0, 256, (1024, 4608), dtype=np.uint8) < 51
    seconds = best(lambda: count_rows(bits, 256, 16), 1)
    begin = time.perf_counter()
    kept = sum(int(block.counts.residual_bits.sum()) for block in analyze_rows(bits, 256, 16))
    return {
        "count_seconds": seconds,
        "analyze_seconds": time.perf_counter() - begin,
        "product_density": kept / bits.size,
        "process_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }


def _lenet(timesteps: int, levels: int) -> Network:
    """Make a LeNet-5 of random weights for 28 x 28 pixels."""
    rng = np.random.default_rng(5)

    def layer(name: str, feature: str, shape: tuple[int, ...], neuron: Neuron | None = None, **options: Any) -> Layer:
        pool = MaxPool(kernel=2) if name.startswith("conv") else None
        source = Source(feature=feature, weight=rng.integers(-40, 41, shape), **options)
        neuron = neuron or Neuron.uniform(shape[0], levels=levels, threshold=4000 if name == "conv1" else 60)
        return Layer(name=name, sources=(source,), neuron=neuron, pool=pool)

    return Network(
        name="lenet5",
        input_shape=(1, 28, 28),
        input_levels=255,
        timesteps=timesteps,
        layers=(
            layer("conv1", "input", (6, 1, 5, 5), padding=2),
            layer("conv2", "conv1", (16, 6, 5, 5)),
            layer("fc1", "conv2", (120, 400, 1, 1), flatten=True),
            layer("fc2", "fc1", (84, 120, 1, 1)),
            layer("fc3", "fc2", (10, 84, 1, 1), Neuron.readout(10)),
        ),
    )


def bench_network() -> dict:
    """A LeNet-5 (T=2, N=3) on 500 random images: plain (exact BLAS), integer kernels, tiled with reuse."""
    network = _lenet(2, 3)
    images = np.random.default_rng(6).integers(0, 256, (500, 1, 28, 28))
    outputs = {
        method: run(network, images, method=method, tile_m=256, tile_k=16).output
        for method in ("plain", "integer", "tiled")
    }
    if not all(np.array_equal(outputs["plain"], other) for other in outputs.values()):
        raise AssertionError("the three ways differ")
    timed = {method: partial(run, network, images, method=method, tile_m=256, tile_k=16) for method in outputs}
    return {f"{method}_images_per_second": len(images) / best(once, 2) for method, once in timed.items()}
