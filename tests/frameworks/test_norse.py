"""Networks of Norse: its own spikes are the oracle, and what has no exact form is refused by name."""

import itertools

import numpy as np
import pytest
import torch

import reprise as rp
from reprise.export import ptq
from reprise.export.trace.lower import prepare
from reprise.support.errors import RepriseError

norse = pytest.importorskip("norse.torch", reason="`make frameworks` has it in an environment of its own")
from norse.torch.functional.reset import reset_subtract  # noqa: E402

from tests.frameworks.norse_networks import SEED, box, network  # noqa: E402

torch.set_num_threads(1)
T, SCALE = 8, 1 / 16
IMAGES = np.random.default_rng(SEED).integers(0, 17, (8, 1, 8, 8)).astype(np.uint8)


SHAPES = itertools.cycle([(4, 1, 1), (10,)])
"""Of the parameters of both cells of the network, in which each channel has its own."""


def each_channel(**values):
    shape = next(SHAPES)
    return box(v_th=torch.linspace(0.03, 0.12, shape[0]).view(shape), **values)


CELLS = {
    "a threshold for each channel": each_channel,
    "a threshold for each channel, and v_leak": lambda: each_channel(v_leak=0.02),
    "LIFBoxCell": lambda: box(v_th=0.05),
    "a leak of a half": lambda: box(v_th=0.1, tau_mem_inv=500.0),
    "v_leak": lambda: box(v_th=0.15, v_leak=0.05),
    "v_reset below zero": lambda: box(v_th=0.05, v_reset=-0.1),
    "subtraction": lambda: box(v_th=0.06, reset_method=reset_subtract),
    "IAFCell": lambda: norse.IAFCell(norse.IAFParameters(v_th=torch.tensor(0.5))),
}


@pytest.mark.parametrize("kind", CELLS)
def test_without_rounding_it_fires_as_norse_does(kind):
    net, states, theirs = network(CELLS[kind]), None, []
    with torch.no_grad():
        for _ in range(T):
            spikes, states = net(torch.tensor(IMAGES).float() * SCALE, states)
            theirs.append(spikes)
    theirs = torch.stack(theirs)
    assert 0.02 < float(theirs.mean()) < 0.98, "the network says nothing"
    graph = ptq.graph_of(net, timesteps=T)
    options = dict(input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True)
    lowered = prepare(graph, **options).eval().quantize(False)
    ours = lowered.trace(torch.tensor(IMAGES).float())[0][lowered.layers[-1].name][..., 0, 0]
    assert float((ours == theirs).double().mean()) > 0.99
    found = rp.quantize(net, IMAGES, levels=16, scale=SCALE, timesteps=T)
    assert found.network.layers[0].neuron.reset == ("soft" if kind == "subtraction" else "hard")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (norse.LIFCell, "^1: Norse's LIFCell has no integer form here; use LIFBoxCell or IAFCell"),
        (lambda: box(v_reset=2.0), "^1: v_th must exceed v_reset"),
        (lambda: box(tau_mem_inv=2000.0), "^1: dt .* tau_mem_inv must be in 0..1"),
    ],
)
def test_what_has_no_exact_form_is_refused(cell, message):
    with pytest.raises(RepriseError, match=message):
        rp.quantize(network(cell), IMAGES, levels=16, scale=SCALE, timesteps=T)
