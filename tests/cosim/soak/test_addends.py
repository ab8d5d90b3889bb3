"""Membrane shortcuts in RTL: random networks equal the models in every byte and cycle; addends outside of a window."""

from __future__ import annotations

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.cosim.bench.system import SystemBench, Traffic
from reprise.cosim.jobs.prepare import memory_bytes
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak import draw, play
from reprise.cosim.soak.shortcuts import random_shortcuts
from reprise.estimate.network import estimate
from reprise.estimate.report.fields import Shape
from reprise.estimate.report.shapes import shape_of
from reprise.hw.arch.memory_image import AddressWindow, Windows
from reprise.hw.arch.program import Error
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.cosim.bad_jobs import Bad
from tests.cosim.bad_jobs import play as play_bad
from tests.support.benches import system_bench
from tests.support.cosim_jobs import TRANSFORMERS, Job, place_programs, spoiled


def test_random_networks_equal_the_models_in_every_byte_and_cycle(monkeypatch):
    """Those of a shard of the soak, all of which have shortcuts, with a memory that is slow, stalls or is neither."""
    monkeypatch.setattr(draw, "SHORTCUTS", 1.0)
    verdicts = play.play(draw.Hardware(number=7, name="addends", config=TRANSFORMERS), 0, "rtl")
    assert [one for one in verdicts if one["status"] != "equal"] == []
    assert len(verdicts) == draw.CASES and sum(one["exact"] for one in verdicts) >= 5


@pytest.fixture(scope="module")
def job():
    network = random_shortcuts(3, TRANSFORMERS)
    images = random_images(3, network, 2)
    return Job(
        network=network,
        images=images,
        compiled=compile_network(network, TRANSFORMERS, 2, keep_features=True),
        expected=run(network, images, record=("features", "potentials")),
    )


def test_addends_outside_of_the_read_window_are_refused(job):
    """At its begin, at its end and far away; after each the right job is right."""
    at = next(n for n, (opcode, f) in enumerate(job.commands) if opcode == "RUN" and f["addend_bytes"])
    fields, word = job.commands[at][1], TRANSFORMERS.bus_bits // 8
    far = {"addend": (1 << 31) - 1}, {"addend": -(1 << 31)}, {"addend_image": 1 << 31}
    ends = ({"addend": (end - fields["output"]) // word} for end in (-word, job.compiled.size + (1 << 16)))
    memory, addresses = place_programs(job, [spoiled(job, at, **change) for change in (*far, *ends)])
    assert len(memory) < job.compiled.size + (1 << 16)
    reads = AddressWindow(base=0, size=len(memory))
    windows = Windows(read=reads, write=job.compiled.windows.write)
    bads = [Bad(error=Error.READ_WINDOW, program=one, windows=windows) for one in addresses]
    play_bad(system_bench(TRANSFORMERS), job, bads, memory, Traffic(latency=6, stall=0.2))


def test_a_layer_in_parts_equals_the_models_in_every_byte_and_cycle():
    """Its input takes more words than the feature buffer has."""
    r = np.random.default_rng(4)
    spikes = Source(feature="input", weight=r.integers(-5, 9, (40, 2, 1, 1)).astype(np.int8))
    body = Layer(name="a", sources=(spikes,), neuron=Neuron.uniform(40, levels=3, threshold=4))
    weight = r.integers(-9, 10, (10, 40 * 96, 1, 1)).astype(np.int8) * (r.random((10, 40 * 96, 1, 1)) < 0.2)
    end = Layer(name="end", sources=(Source(feature="a", weight=weight, flatten=True),), neuron=Neuron.readout(10))
    network = Network(name="n", input_shape=(2, 8, 12), input_levels=3, timesteps=2, layers=(body, end))
    compiled = compile_network(network, TRANSFORMERS, 2, keep_features=True)
    assert sum(f.name.startswith("end.k") for f in compiled.features.values()) >= 3
    case = draw.Case(
        seed=0,
        network=network,
        images=random_images(4, network, 2),
        compiled=compiled,
        traffic=Traffic(latency=9, gap=1),
        refusals=(),
    )
    assert play.verdict(case, SystemBench(TRANSFORMERS, memory_bytes=memory_bytes(case.end)), None).status == "equal"


def test_reports_say_what_neurons_on_a_stored_current_are():
    """They have neither weights nor bits, and no figure is divided by their number."""
    network = random_shortcuts(3, TRANSFORMERS)
    report = estimate(network, TRANSFORMERS, random_images(3, network, 2), limits=True)
    layers = {one["name"]: one for one in report["layers"]}
    kinds = {name: Shape(**shape_of(network, name)).kind for name in layers}
    alone = [layer.name for layer in network.layers if not layer.sources]
    assert alone and {name for name, kind in kinds.items() if kind == "stored sums"} == set(alone)
    for name in alone:
        assert layers[name]["counts"]["set_bits"] == 0 and layers[name]["cycles"]["cycle_model"] > 0
