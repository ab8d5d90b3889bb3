"""Recorded spikes, compiled layer by layer."""

import numpy as np
import pytest

from reprise.compiler import CompileError
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.replay import captured_network, replays
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, load_capture
from reprise.model.inference.runner import run


def test_layers_of_a_capture_equal_the_model():
    found = list(replays(SAMPLE, HardwareConfig.load("paper"), seed=3))
    assert [r.name for r in found] == [c.name for c in load_capture(SAMPLE)]
    for replay in found:
        memory = interpret(replay.compiled, replay.images)
        want = run(replay.network, replay.images, record=("features",)).features[replay.name]
        np.testing.assert_array_equal(replay.compiled.read_feature_map(memory, replay.name), want)
        assert 0.05 < (want > 0).mean() < 0.95, "random neurons fire, and not always"


def test_weights_are_seeded_and_fit():
    captured = load_capture(SAMPLE).layers[0]
    paper, narrow = HardwareConfig.load("paper"), HardwareConfig.load("paper").replace(psum_bits=12)
    weights = [captured_network(captured, paper, seed=s).layers[0].sources[0].weight for s in (1, 1, 2)]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    small = captured_network(captured, narrow).layers[0].sources[0].weight
    assert np.abs(small).max() < np.abs(weights[0]).max()


def test_a_capture_beyond_the_configuration_is_refused():
    config = HardwareConfig.load("tiny").replace(max_timesteps=1)
    with pytest.raises(CompileError, match="timesteps must be at most 1"):
        list(replays(SAMPLE, config))
