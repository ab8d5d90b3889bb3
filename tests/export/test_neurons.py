"""Multi-level neurons in PyTorch: equations, surrogates, resets, refusals."""

import numpy as np
import pytest
import torch

from reprise.export.nn.gradients import fire
from reprise.export.nn.neurons import Barrier, MultiLevelIF, MultiLevelLIF, spike
from reprise.export.qat.layers import NeuronSpec
from reprise.model.inference.neurons import integrate
from reprise.model.network.neuron import Neuron

SEED = 11
torch.set_num_threads(1)


def drive(neuron, current):
    """Levels (T, B) of currents (T, B)."""
    return neuron(torch.tensor(current, dtype=torch.float64).flatten()).view(current.shape).numpy()


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
@pytest.mark.parametrize("levels", [1, 4, 15])
@pytest.mark.parametrize("leak", [256, 192, 0])
def test_equals_the_integer_neuron_on_integers(levels, reset, leak):
    rng = np.random.default_rng(SEED + levels)
    current = rng.integers(-64, 128, (6, 40)) * 256  # multiples of 256: one leak is exact without floor
    theta = 32 * 256
    timesteps = 6 if leak in (0, 256) else 2
    kwargs = dict(threshold=theta, reset=reset, v0=0.0)
    if leak < 256:
        neuron = MultiLevelLIF(levels, timesteps, leak=leak, **kwargs)
    else:
        neuron = MultiLevelIF(levels, timesteps, **kwargs)
    ours = drive(neuron.double(), current[:timesteps])
    kind = "if" if leak == 256 else "lif"
    parameters = Neuron.uniform(40, kind=kind, levels=levels, reset=reset, threshold=theta, leak=leak)
    psum = current[:timesteps][None, :, :, None, None]
    theirs = integrate(psum, parameters)[0][0, :, :, 0, 0]
    assert np.array_equal(ours, theirs)
    assert ours.max() == min(levels, ours.max()) and ours.any()


def test_soft_reset_counts_everything():
    """A constant current of k/8 thresholds over 8 timesteps gives floor(8 * k/8 + 1/2) levels in all."""
    neuron = MultiLevelIF(levels=2, timesteps=8)
    for k in range(17):
        assert drive(neuron, np.full((8, 1), k / 8)).sum() == k


@pytest.mark.parametrize("levels", [1, 4])
def test_rectangular_gradient_is_a_window(levels):
    u = torch.linspace(-1, levels + 2, 601, dtype=torch.float64, requires_grad=True)
    spike(u, levels).sum().backward()
    inside = (u > 0.5) & (u < levels + 0.5)
    assert torch.equal(u.grad, inside.detach().double())


@pytest.mark.parametrize("levels", [1, 3])
def test_sigmoid_gradient_is_the_derivative_of_smooth_steps(levels):
    u = torch.linspace(-2, levels + 2, 101, dtype=torch.float64, requires_grad=True)
    spike(u, levels, "sigmoid", 3.0).sum().backward()
    smooth = u.detach().clone().requires_grad_()
    sum(torch.sigmoid(3.0 * (smooth - k)) for k in range(1, levels + 1)).sum().backward()
    assert torch.allclose(u.grad, smooth.grad, atol=1e-12)


def test_barrier_clips_sums_and_passes_the_gradient():
    barrier = Barrier(levels=4)
    x = torch.arange(9.0, requires_grad=True)
    z = barrier(x)
    z.sum().backward()
    assert z.tolist() == [0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert x.grad.tolist() == [1] * 9


def test_a_clipped_gradient_ends_where_levels_are_clipped():
    """Of the neuron and of the trained integer layer alike."""
    expected = [1.0, 1.0, 1.0, 0.0, 0.0]
    x = torch.arange(5.0, requires_grad=True)
    z = Barrier(levels=2, surrogate="clipped")(x)
    z.sum().backward()
    assert z.tolist() == [0, 1, 2, 2, 2] and x.grad.tolist() == expected
    u = torch.arange(5.0, requires_grad=True)
    one = torch.ones(1, 1, 1)
    fire(u.view(1, 1, 1, 5), one, NeuronSpec(levels=2, surrogate="clipped")).sum().backward()
    assert u.grad.tolist() == expected
    below = torch.linspace(-3, 2.49, 100, requires_grad=True)
    spike(below, 2, "clipped").sum().backward()
    assert (below.grad == 1).all()


def test_trainable_threshold_learns():
    neuron = MultiLevelIF(levels=4, trainable=True, channels=3)
    x = torch.rand(8, 3, 5, 5) * 4
    neuron(x).sum().backward()
    assert neuron.threshold.grad.shape == (3,) and (neuron.threshold.grad < 0).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (dict(levels=0), "levels must be in 1..255.*not 0"),
        (dict(levels=256), "levels must be in 1..255.*not 256"),
        (dict(timesteps=0), "timesteps must be at least 1, not 0"),
        (dict(threshold=0), "threshold must be positive.*not 0"),
        (dict(reset="half"), "reset must be one of.*not 'half'"),
        (dict(surrogate="atan"), "surrogate must be one of.*not 'atan'"),
    ],
)
def test_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MultiLevelIF(**kwargs)


def test_refuses_leak_and_ragged_time():
    with pytest.raises(ValueError, match="leak must be in 0..256.*not 257"):
        MultiLevelLIF(1, 1, leak=257)
    with pytest.raises(ValueError, match="multiple of timesteps 3, not 4"):
        MultiLevelIF(1, 3)(torch.zeros(4, 2))


def ordinary_quantizer(x, step, levels):
    """A uniform quantizer of N + 1 levels, rounded, with straight-through gradients, as quantization-aware training
    of other networks has it (LSQ: Esser et al. 2020, arXiv 1902.08153)."""
    inside = (x / step).clamp(0, levels)
    return inside + (inside.round() - inside).detach()


@pytest.mark.parametrize("levels", [1, 4, 15])
def test_at_one_timestep_a_neuron_is_an_ordinary_quantizer(levels):
    """The same levels, and the same gradients of the input and of the threshold, which is the quantizer's step."""
    generator = torch.Generator().manual_seed(levels)
    x = (torch.rand(4096, generator=generator) * 1.6 - 0.3) * levels * 0.7
    weights = torch.rand(4096, generator=generator)
    neuron = MultiLevelIF(levels, threshold=0.7, trainable=True)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    step = torch.tensor(0.7, requires_grad=True)
    spikes, codes = neuron(ours), ordinary_quantizer(theirs, step, levels)
    torch.testing.assert_close(spikes, codes)
    assert set(spikes.tolist()) == set(range(levels + 1))
    (spikes * weights).sum().backward()
    (codes * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(neuron.threshold.grad, step.grad)
