"""A wrong element is named, and the RUN that wrote it is found."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.compiler.golden.memory import Memory
from reprise.cosim.bench.system import Mark
from reprise.cosim.jobs.compare import compare, predictions
from reprise.cosim.jobs.failure import element_address, region, writing_run
from reprise.cosim.jobs.random_networks import random_images, random_network
from tests.support.cosim_jobs import FILL, TINY, Job, small_network


@pytest.mark.parametrize("seed", range(6))
def test_one_wrong_element_is_named(seed):
    network, r = small_network(seed), np.random.default_rng(seed)
    one = Job.make(network, r.integers(0, 8, (2, 1, 6, 6)))
    memory = interpret(one.compiled, one.images, fill=FILL)
    assert not any(c.mismatches for c in compare(one.compiled, memory, one.expected))
    for entry in one.compiled.layers:
        f = one.compiled.features[entry.feature]
        values = one.compiled.read_feature_map(memory, entry.feature).astype(np.int64)
        place = tuple(int(r.integers(n)) for n in values.shape)
        values[place] = (values[place] + 1) % (f.levels + 1) if f.levels else values[place] + 1
        spoilt = memory.copy()
        if f.kind == "planes":
            spoilt[f.address : f.address + f.bytes] = np.frombuffer(f.pack(values), np.uint8)
        else:
            at = f.address + place[0] * f.image_bytes + 4 * place[2]
            spoilt[at : at + 4] = np.frombuffer(np.int32(values[place]).tobytes(), np.uint8)
        (wrong,) = [c for c in compare(one.compiled, spoilt, one.expected) if c.mismatches]
        d = wrong.first
        assert (wrong.mismatches, d.feature) == (1, entry.feature)
        assert (d.image, d.timestep, d.channel, d.y, d.x) == place and d.got == values[place] != d.expected


def test_unwritten_maps_are_mismatches():
    one = Job.make(small_network(), np.zeros((1, 1, 6, 6), int))
    checks = compare(one.compiled, one.memory(), one.expected)
    assert all(c.mismatches for c in checks)
    assert any(c.error for c in checks), "the filler pattern is no feature map"


def test_predictions_are_those_of_the_memory():
    one = Job.make(small_network(), np.random.default_rng(3).integers(0, 8, (3, 1, 6, 6)))
    memory = interpret(one.compiled, one.images, fill=FILL)
    assert np.array_equal(predictions(one.compiled, memory), one.expected.predictions)


class Tracer(Memory):
    """Notes which command wrote each byte."""

    def __init__(self, compiled, data):
        super().__init__(compiled, data, compiled.windows)
        self.writer = np.full(len(data), -1)

    def write(self, command, address, data):
        super().write(command, address, data)
        self.writer[address : address + len(data)] = command


@pytest.mark.parametrize("seed", range(12))
def test_the_writing_run_is_found(seed):
    from reprise.cosim.jobs.compare import Difference

    config = TINY.replace(feature_words=128 if seed % 2 else 512)
    network = random_network(seed, config)
    images = random_images(seed, network, 2)
    try:
        compiled = compile_network(network, config, 2, keep_features=True)
    except ValueError:
        pytest.skip("the compiler refuses it")
    interpreter = Interpreter(compiled, compiled.initial_memory(images))
    interpreter.memory = tracer = Tracer(compiled, interpreter.memory.data)
    interpreter.run()
    r = np.random.default_rng(seed)
    for entry in compiled.layers:
        f = compiled.features[entry.feature]
        for _ in range(5):
            shape = (f.images, f.timesteps, f.channels, f.height, f.width)
            image, t, channel, y, x = (int(r.integers(n)) for n in shape)
            where = {"image": image, "timestep": t, "channel": channel, "y": y, "x": x}
            place = Difference(feature=entry.feature, **where, got=0, expected=1)
            first = 0 if f.int_bytes else x * f.block_channels // 8
            assert writing_run(compiled, place) == tracer.writer[element_address(compiled, place) + first]


def test_region_is_bounded():
    def mark(cycle):
        return Mark(cycle=cycle, start=True, end=False, beats_read=0, beats_written=0, counts={})

    assert region({3: (mark(100), mark(200))}, 3) == (36, 264)
    first, last = region({3: (mark(0), mark(10**6))}, 3)
    assert last - first == 60_000
