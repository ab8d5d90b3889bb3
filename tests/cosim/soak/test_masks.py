"""Spike-driven attention in RTL: random networks equal the models in every byte and cycle."""

from __future__ import annotations

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.cosim.bench.system import SystemBench, Traffic
from reprise.cosim.jobs.prepare import memory_bytes
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak import draw, play
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.support.cosim_jobs import TRANSFORMERS


def test_random_networks_equal_the_models_in_every_byte_and_cycle(monkeypatch):
    """Those of a shard of the soak, most of which have masks, with a memory that is slow, stalls or is neither."""
    monkeypatch.setattr(draw, "ATTENTIONS", 1.0)
    monkeypatch.setattr(draw, "SHORTCUTS", 0.0)
    monkeypatch.setattr(draw, "JOINS", 0.0)
    on = draw.Hardware(number=8, name="masks", config=TRANSFORMERS)
    networks = [one.network for one in draw.cases(on, 0) if isinstance(one, draw.Case)]
    masked = [any(s.mask for layer in n.layers for s in layer.convolutions) for n in networks]
    assert sum(masked) >= 10
    verdicts = play.play(on, 0, "rtl")
    assert [one for one in verdicts if one["status"] != "equal"] == []
    assert len(verdicts) == draw.CASES and sum(one["exact"] for one in verdicts) >= 5


@pytest.mark.parametrize("mask", [True, False])
def test_sums_over_tokens_whose_lines_are_planes_equal_the_models_in_every_byte_and_cycle(mask):
    """Tokens of a map of 8 lines are added up as 8 planes of 3 timesteps, with the levels of another map as a mask."""
    r = np.random.default_rng(8)
    channels, size = 19, (8, 5)
    ones = np.zeros((channels, channels, *size), np.int8)
    ones[range(channels), range(channels)] = 1

    def spikes(name: str) -> Layer:
        source = Source(feature="input", weight=r.integers(-9, 10, (channels, 2, 1, 1)).astype(np.int8))
        return Layer(name=name, sources=(source,), neuron=Neuron.uniform(channels, threshold=6))

    end = Source(feature="k", weight=ones, mask="v" if mask else None)
    layers = (spikes("k"), spikes("v"), Layer(name="end", sources=(end,), neuron=Neuron.sum(channels)))
    network = Network(
        name="tokens",
        input_shape=(2, *size),
        input_levels=3,
        timesteps=3,
        layers=layers if mask else (layers[0], layers[2]),
    )
    config = TRANSFORMERS
    compiled = compile_network(network, config, 2, keep_features=True)
    last = compiled.layers[-1]
    runs = [f for opcode, f in compiled.commands()[last.first : last.last] if opcode == "RUN"]
    assert runs and {(f["planes"], f["weigh"]) for f in runs} == {(4, 0)}
    images = random_images(4, network, 2)
    traffic = Traffic(latency=9, gap=1)
    case = draw.Case(seed=0, network=network, images=images, compiled=compiled, traffic=traffic, refusals=())
    verdict = play.verdict(case, SystemBench(config, memory_bytes=memory_bytes(case.end)), None)
    assert verdict.status == "equal" and verdict.exact, verdict
