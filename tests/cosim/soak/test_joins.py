"""Joins behind neurons in RTL: random networks equal the models in every byte and cycle; maps outside of a window."""

from __future__ import annotations

from reprise.compiler import compile_network
from reprise.cosim.bench.system import Traffic
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak import draw, play
from reprise.cosim.soak.joins import random_joins
from reprise.hw.arch.memory_image import AddressWindow, Windows
from reprise.hw.arch.program import Error
from reprise.model.inference.runner import run
from tests.cosim.bad_jobs import Bad
from tests.cosim.bad_jobs import play as play_bad
from tests.support.benches import system_bench
from tests.support.cosim_jobs import TRANSFORMERS, Job, place_programs, spoiled


def adding(compiled):
    """The RUNs that add levels, by their commands."""
    return [n for n, (opcode, f) in enumerate(compiled.commands()) if opcode == "RUN" and f["join_planes"]]


def test_random_networks_equal_the_models_in_every_byte_and_cycle(monkeypatch):
    """Those of a shard of the soak, most of which add levels, with a memory that is slow, stalls or is neither."""
    monkeypatch.setattr(draw, "ATTENTIONS", 0.0)
    monkeypatch.setattr(draw, "SHORTCUTS", 0.0)
    monkeypatch.setattr(draw, "JOINS", 1.0)
    on = draw.Hardware(number=11, name="joins", config=TRANSFORMERS)
    cases = [one for one in draw.cases(on, 0) if isinstance(one, draw.Case)]
    assert sum(bool(adding(one.compiled)) for one in cases) >= 10
    verdicts = play.play(on, 0, "rtl")
    assert [one for one in verdicts if one["status"] != "equal"] == []
    assert len(verdicts) == draw.CASES and sum(one["exact"] for one in verdicts) >= 5


def test_stored_levels_outside_of_the_read_window_are_refused():
    """At its begin, at its end and far away; after each the right job is right."""
    seed = next(n for n in range(99) if adding(compile_network(random_joins(n, TRANSFORMERS), TRANSFORMERS, 2)))
    network = random_joins(seed, TRANSFORMERS)
    images = random_images(seed, network, 2)
    job = Job(
        network=network,
        images=images,
        compiled=compile_network(network, TRANSFORMERS, 2, keep_features=True),
        expected=run(network, images, record=("features", "potentials")),
    )
    at, word = adding(job.compiled)[0], TRANSFORMERS.bus_bits // 8
    output = job.commands[at][1]["output"]
    far = {"join": (1 << 31) - 1}, {"join": -(1 << 31)}, {"join_image": 1 << 31}
    ends = ({"join": (end - output) // word} for end in (-word, job.compiled.size + (1 << 16)))
    memory, addresses = place_programs(job, [spoiled(job, at, **change) for change in (*far, *ends)])
    assert len(memory) < job.compiled.size + (1 << 16)
    windows = Windows(read=AddressWindow(base=0, size=len(memory)), write=job.compiled.windows.write)
    bads = [Bad(error=Error.READ_WINDOW, program=one, windows=windows) for one in addresses]
    play_bad(system_bench(TRANSFORMERS), job, bads, memory, Traffic(latency=6, stall=0.2))
