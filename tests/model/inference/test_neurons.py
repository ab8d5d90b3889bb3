"""model.inference.neurons: the equations, by a Python-integer oracle, and the known laws of multi-level firing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.neurons import initial, integrate, step
from reprise.model.network.neuron import Neuron
from tests.support.oracles import naive_neuron
from tests.support.random_models import random_neuron

seeds = st.integers(0, 2**32 - 1)


def check(neuron, psum):
    """integrate == step by step == the oracle, on psum (n, T, O, H, W)."""
    levels, potentials = integrate(psum, neuron, potentials=True)
    v = initial(neuron, psum[:, 0].shape)
    for t in range(psum.shape[1]):
        z, v = step(v, psum[:, t], neuron)
        assert np.array_equal(v, potentials[:, t])
        assert levels is None or np.array_equal(z, levels[:, t])
        assert levels is not None or np.array_equal(z, v)
    for image, o, y, x in np.ndindex(psum.shape[0], *psum.shape[2:]):
        naive = naive_neuron(neuron, o, psum[image, :, o, y, x].tolist())
        assert potentials[image, :, o, y, x].tolist() == naive[1]
        assert levels is None or levels[image, :, o, y, x].tolist() == naive[0]
    assert levels is None or levels.dtype == np.uint8


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    neuron = random_neuron(rng, 3)
    check(neuron, rng.integers(-200, 300, (2, int(rng.integers(1, 6)), 3, 2, 1)))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_readout_accumulates_and_writes_potentials(seed):
    rng = np.random.default_rng(seed)
    neuron = Neuron.readout(2, bias=rng.integers(-9, 9, 2), v0=rng.integers(-9, 9, 2))
    psum = rng.integers(-2000, 2000, (1, 4, 2, 1, 1))
    check(neuron, psum)
    levels, potentials = integrate(psum, neuron)
    assert levels is None
    steps = np.arange(1, 5)[None, :, None] * neuron.bias
    assert np.array_equal(potentials[..., 0, 0], neuron.v0 + np.cumsum(psum[..., 0, 0], axis=1) + steps)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 40))
def test_soft_reset_gives_exactly_n_t_plus_1_totals_and_saturates(levels, timesteps, threshold):
    """A constant input x at v0 = 0: the total over T steps is min(floor(T x / D), N T) from x = 0 on, else 0."""
    x = np.arange(-3 * threshold, (levels + 3) * threshold + 1)
    neuron = Neuron.uniform(1, levels=levels, threshold=threshold)
    psum = np.broadcast_to(x, (1, timesteps, 1, 1, len(x)))
    totals = integrate(psum, neuron)[0].sum(axis=1, dtype=int).reshape(-1)
    assert totals.tolist() == [min(max(timesteps * v // threshold, 0), levels * timesteps) for v in x.tolist()]
    reached = set(totals.tolist())
    assert reached <= set(range(levels * timesteps + 1))
    if threshold >= timesteps:  # a constant integer x makes T x / D pass every total
        assert len(reached) == levels * timesteps + 1
    assert (totals[x >= levels * threshold] == levels * timesteps).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["soft", "hard", "none"]))
def test_one_level_is_the_classical_neuron(seed, reset):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 50))
    psum = rng.integers(-60, 90, (1, 12, 1, 1, 1))
    v, spikes = 0, []
    for x in psum.reshape(-1).tolist():
        v += x
        spikes.append(int(v >= d))
        if spikes[-1]:
            v = {"soft": v - d, "hard": 0, "none": v}[reset]
    assert integrate(psum, Neuron.uniform(1, threshold=d, reset=reset))[0].reshape(-1).tolist() == spikes


@pytest.mark.parametrize(
    ("u", "level", "soft", "hard"),
    [
        (-1, 0, -1, -1),
        (-7, 0, -7, -7),
        (0, 0, 0, 0),
        (4, 0, 4, 4),
        (5, 1, 0, 0),
        (14, 2, 4, 0),
        (15, 3, 0, 0),
        (99, 3, 84, 0),
    ],
)
def test_edges_of_firing(u, level, soft, hard):
    """D = 5, N = 3: floor is mathematical (below zero nothing fires), the top level is never exceeded."""
    for reset, after in (("soft", soft), ("hard", hard), ("none", u)):
        neuron = Neuron.uniform(1, levels=3, threshold=5, reset=reset)
        z, v = step(np.zeros((1, 1, 1), dtype=np.int64), np.full((1, 1, 1), u), neuron)
        assert (int(z[0, 0, 0]), int(v[0, 0, 0])) == (level, after)


@pytest.mark.parametrize(("v", "leak", "kept"), [(-1, 128, -1), (-1, 0, 0), (-3, 255, -3), (3, 128, 1), (7, 256, 7)])
def test_leak_rounds_down(v, leak, kept):
    neuron = Neuron.uniform(1, kind="lif", leak=leak, threshold=1000, v0=v)
    assert integrate(np.zeros((1, 1, 1, 1, 1), dtype=int), neuron, potentials=True)[1].item() == kept


def test_channel_axis_and_wrong_arguments():
    neuron = Neuron.uniform(4, threshold=3)
    z, _ = step(np.zeros((2, 4), dtype=int), np.full((2, 4), 3), neuron, channel_axis=-1)
    assert (z == 1).all()
    with pytest.raises(ValueError, match="v must be an array of integers, not float64"):
        step(np.zeros((4, 1, 1)), np.zeros((4, 1, 1), dtype=int), neuron)
    with pytest.raises(ValueError, match="psum must have 4 channels"):
        step(np.zeros((3, 1, 1), dtype=int), np.zeros((3, 1, 1), dtype=int), neuron)
    with pytest.raises(ValueError, match="psum must have 4 channels on axis 2, not 3"):
        integrate(np.zeros((1, 1, 3, 1, 1), dtype=int), neuron)
