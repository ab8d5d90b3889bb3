"""Networks of snnTorch: its own spikes are the oracle, and what has no exact form is refused by name."""

import numpy as np
import pytest
import torch
from torch import nn

import reprise as rp
from reprise.export import ptq
from reprise.export.source_check import DifferentError
from reprise.export.trace.lower import prepare
from reprise.support.errors import RepriseError

snn = pytest.importorskip("snntorch", reason="`make frameworks` has it in an environment of its own")
from snntorch import utils  # noqa: E402

from tests.frameworks.snntorch_networks import SEED, Loop, T, sequential  # noqa: E402

torch.set_num_threads(1)
SCALE = 1 / 16
IMAGES = np.random.default_rng(SEED).integers(0, 17, (12, 1, 8, 8)).astype(np.uint8)


def own_spikes(module):
    """The number of output spikes of each image and class, by snnTorch alone."""
    images = torch.tensor(IMAGES).float() * SCALE
    with torch.no_grad():
        if isinstance(module, Loop):
            if module.steps != "number":
                images = images.expand(T, *images.shape)
            out = module(images)
            return out[0].sum(0) if isinstance(out, tuple) else out * (T if module.ends in ("mean", "rate") else 1)
        utils.reset(module)
        outs = [module(images) for _ in range(T)]
        return sum(out[0] if isinstance(out, tuple) else out for out in outs)


def in_channels():
    module = sequential(beta=0.9, reset_mechanism="zero")
    module[1].beta = torch.linspace(0.3, 0.9, 4).view(1, 4, 1, 1)
    return module


EXACT = {
    "reset to zero, delayed": lambda: sequential(beta=0.9, reset_mechanism="zero"),
    "reset to zero, at once": lambda: sequential(beta=0.9, reset_mechanism="zero", reset_delay=False),
    "no reset": lambda: sequential(beta=0.5, reset_mechanism="none"),
    "subtraction without a leak, delayed": lambda: sequential(beta=1.0),
    "subtraction at once": lambda: sequential(beta=0.5, reset_delay=False, threshold=0.45),
    "learned": lambda: sequential(beta=0.8, learn_beta=True, learn_threshold=True, reset_mechanism="zero"),
    "a beta for each channel, with an axis of images": lambda: in_channels(),
    "loop": Loop,
    "loop, x[step]": lambda: Loop(steps="size"),
    "loop, a running sum": lambda: Loop("total"),
    "loop, the mean": lambda: Loop("mean"),
    "loop, a running sum over T": lambda: Loop("rate"),
}


@pytest.mark.parametrize("kind", EXACT)
def test_without_rounding_it_fires_as_snntorch_does(kind):
    module = EXACT[kind]()
    theirs = own_spikes(module)
    assert 0.02 * T < float(theirs.mean()) < 0.98 * T, "the network says nothing"
    graph = ptq.graph_of(module, timesteps=T)
    net = prepare(graph, input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True).eval()
    ours = net.quantize(False).trace(torch.tensor(IMAGES).float())[0][net.layers[-1].name].sum(0)[..., 0, 0]
    assert float((ours == theirs).double().mean()) > 0.99
    network = rp.quantize(module, IMAGES, levels=16, scale=SCALE, timesteps=T)
    assert any("snnTorch fires at U > threshold" in change for change in network.changes)


def test_a_beta_and_a_threshold_for_each_channel():
    torch.manual_seed(SEED)
    beta, threshold = torch.linspace(0.5, 0.95, 4).view(4, 1, 1), torch.linspace(0.2, 0.5, 20)
    first = snn.Leaky(beta=beta, threshold=0.3, init_hidden=True, reset_mechanism="zero")
    second = snn.Leaky(beta=threshold * 2, threshold=threshold, init_hidden=True, reset_mechanism="zero")
    parts = [nn.Conv2d(1, 4, 3), first, nn.Flatten(), nn.Linear(144, 20), second, nn.Linear(20, 10)]
    network = rp.quantize(nn.Sequential(*parts), IMAGES, levels=16, scale=SCALE, timesteps=T).network
    assert network.layers[0].neuron.leak.tolist() == [round(256 * float(b)) for b in beta.flatten()]
    assert len(set(network.layers[1].neuron.leak.tolist())) > 10


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: sequential(beta=0.9), r"^1: reset_delay=True \(snnTorch's default\).*with reset_delay=False"),
        (lambda: Loop(reset_mechanism="subtract"), "^lif1: reset_delay=True"),
        (lambda: sequential(beta=0.9, reset_mechanism="zero", inhibition=True), "^1: inhibition couples"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), snn.Synaptic(alpha=0.5, beta=0.9)),
            "^2: snn.*Synaptic",
        ),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), snn.Lapicque(beta=0.9)), "^2: snnTorch's Lapicque"),
    ],
)
@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_what_has_no_exact_form_is_refused(module, message):
    with pytest.raises(RepriseError, match=message):
        rp.quantize(module(), IMAGES, levels=16, scale=SCALE, timesteps=T)


def test_a_loop_whose_steps_differ_and_another_t_are_found():
    class Restless(Loop):
        def forward(self, x):
            mem1, spikes = self.lif1.init_leaky(), []
            for step in range(T):
                spk1, mem1 = self.lif1(self.fc1(x.flatten(1)) * (2 if step == 2 else 1), mem1)
                spikes.append(spk1)
            return torch.stack(spikes)

    with pytest.raises(DifferentError, match="lif1: channel .*timestep 2"):
        rp.quantize(Restless(), IMAGES, levels=16, scale=SCALE, timesteps=T)
    with pytest.raises(RepriseError, match="stack: stacks 5 timesteps, and the network has T = 4"):
        rp.quantize(Loop(), IMAGES, levels=16, scale=SCALE, timesteps=4)


def test_a_second_threshold_that_snntorch_subtracts_is_found():
    """Where a reset leaves more than the threshold, snnTorch's neuron fires later than ours, which is told."""
    with pytest.raises(DifferentError, match="snnTorch subtracts another one before it fires"):
        rp.quantize(sequential(beta=0.9, reset_delay=False, threshold=0.1), IMAGES, levels=16, scale=SCALE, timesteps=T)
