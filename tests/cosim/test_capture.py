"""Recorded spikes, compiled layer by layer."""

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.replay import captured_network, replays
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, CaptureError, load_capture
from reprise.model.inference.runner import run

PAPER = HardwareConfig.load("paper")


def test_layers_of_a_capture_equal_the_model():
    found = list(replays(SAMPLE, PAPER, seed=3))
    assert [r.name for r in found] == [c.name for c in load_capture(SAMPLE)]
    for replay in found:
        compiled = compile_network(replay.network, PAPER, keep_features=True)
        memory = interpret(compiled, replay.images)
        want = run(replay.network, replay.images, record=("features",)).features[replay.name]
        np.testing.assert_array_equal(compiled.read_feature_map(memory, replay.name), want)
        assert 0.05 < (want > 0).mean() < 0.95, "random neurons fire, and not always"


def test_weights_are_seeded_and_fit():
    captured = load_capture(SAMPLE).layers[0]
    narrow = PAPER.replace(psum_bits=12)
    weights = [captured_network(captured, PAPER, seed=s).layers[0].sources[0].weight for s in (1, 1, 2)]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    small = captured_network(captured, narrow).layers[0].sources[0].weight
    assert np.abs(small).max() < np.abs(weights[0]).max()


def test_a_capture_beyond_the_configuration_is_refused():
    config = HardwareConfig.load("tiny").replace(max_timesteps=1)
    for replay in replays(SAMPLE, config):
        with pytest.raises(CompileError, match="timesteps must be at most max_timesteps=1"):
            compile_network(replay.network, config)


def recorded(folder, keys):
    """A capture of one layer, whose YAML file has further keys."""
    path = folder / "one.npz"
    np.savez(path, c=np.random.default_rng(0).random((3, 2, 6, 5)) < 0.3)
    layer = "{name: c, kind: conv, in_channels: 2, out_channels: 5, kernel: 3, padding: 1}"
    path.with_suffix(".yaml").write_text(f"timesteps: 3\n{keys}\nlayers:\n  - {layer}\n")
    return path


@pytest.mark.parametrize("keys, levels", [("", 1), ("levels: 5", 5), ("levels: 5\nneuron_levels: 2", 2)])
def test_a_capture_says_the_levels_of_its_neurons(keys, levels, tmp_path):
    """Neurons of a binary capture have an output plane, and never more planes than the capture's own need."""
    (replay,) = replays(recorded(tmp_path, keys), PAPER)
    assert replay.network.layers[0].neuron.levels == levels
    assert compile_network(replay.network, PAPER).features["c"].planes == levels.bit_length()


def test_neurons_beyond_the_configuration_are_refused(tmp_path):
    """They are never cut to what the configuration has."""
    most = PAPER.max_levels
    path = recorded(tmp_path, f"neuron_levels: {most + 1}")
    said = f"one.npz: layer 'c': neuron_levels must be at most {most}, which is max_levels of .*, not {most + 1}: give"
    with pytest.raises(CaptureError, match=said):
        list(replays(path, PAPER))
    (replay,) = replays(path, PAPER.replace(max_levels=most + 1))
    assert replay.network.layers[0].neuron.levels == most + 1
