"""Max pools whose windows overlap, in RTL: random networks and cut maps equal the models in every byte and cycle."""

from __future__ import annotations

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.cosim.bench.system import SystemBench, Traffic
from reprise.cosim.jobs.prepare import memory_bytes
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak import draw, play
from reprise.hw.arch.program import OVERLAPPING_POOL
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.support.cosim_jobs import TRANSFORMERS


def test_random_networks_equal_the_models_in_every_byte_and_cycle(monkeypatch):
    """Those of a shard of the soak, most of which have such pools, with a memory that is slow, stalls or is neither."""
    monkeypatch.setattr(draw, "ATTENTIONS", 0.0)
    monkeypatch.setattr(draw, "SHORTCUTS", 0.0)
    monkeypatch.setattr(draw, "JOINS", 0.0)
    on = draw.Hardware(number=9, name="pools", config=TRANSFORMERS)
    networks = [one.network for one in draw.cases(on, 0) if isinstance(one, draw.Case)]
    assert sum(any(layer.pool and layer.pool.overlaps for layer in one.layers) for one in networks) >= 10
    verdicts = play.play(on, 0, "rtl")
    assert [one for one in verdicts if one["status"] != "equal"] == []
    assert len(verdicts) == draw.CASES and sum(one["exact"] for one in verdicts) >= 5


@pytest.mark.parametrize(("height", "width", "cut"), [(290, 8, "y"), (9, 71, "x"), (150, 75, "xy")])
def test_a_map_in_stripes_and_columns_equals_the_models_in_every_byte_and_cycle(height, width, cut):
    """Its RUNs go on below each other, block by block, and begin and end with halos and odd columns."""
    r = np.random.default_rng(height)
    first = Source(feature="input", weight=r.integers(-5, 9, (12, 1, 3, 3)).astype(np.int8), padding=1)
    neuron = Neuron.uniform(12, levels=3, threshold=4)
    pooled = Layer(name="a", sources=(first,), neuron=neuron, pool=MaxPool(kernel=3, stride=2, padding=1))
    end = Source(feature="a", weight=r.integers(-5, 9, (2, 12, 1, 1)).astype(np.int8))
    network = Network(
        name="n",
        input_shape=(1, height, width),
        input_levels=1,
        timesteps=1,
        layers=(pooled, Layer(name="end", sources=(end,), neuron=Neuron.uniform(2, threshold=9))),
    )
    compiled = compile_network(network, TRANSFORMERS, 2, keep_features=True)
    runs = [f for opcode, f in compiled.commands() if opcode == "RUN" and f["pool"] == OVERLAPPING_POOL]
    flags = {"x": "pool_halo_x", "y": "pool_ready"}
    assert all((1 in {f[flags[axis]] for f in runs}) == (axis in cut) for axis in "xy"), runs
    case = draw.Case(
        seed=0,
        network=network,
        images=random_images(4, network, 2),
        compiled=compiled,
        traffic=Traffic(latency=9, gap=1),
        refusals=(),
    )
    verdict = play.verdict(case, SystemBench(TRANSFORMERS, memory_bytes=memory_bytes(case.end)), None)
    assert verdict.status == "equal", verdict
