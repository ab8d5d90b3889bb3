"""Networks written as NIR: read again they are identical, and NIR's own meaning of the file fires as they do."""

import numpy as np
import pytest
import torch
from torch import nn

from reprise.export import ptq
from reprise.export.importers import nir as nir_import
from reprise.export.importers import nir_out, spikingjelly
from reprise.export.train import datasets
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER, SEED

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")
pytest.importorskip("nir", reason="the optional extra 'import' is not installed")
from spikingjelly.activation_based import layer, neuron

T, SCALE = 4, 1 / 16
torch.set_num_threads(1)
NEURONS = {
    "IF, hard": lambda: neuron.IFNode(v_threshold=0.12),
    "IF, soft": lambda: neuron.IFNode(v_threshold=0.12, v_reset=None),
    "LIF": lambda: neuron.LIFNode(tau=2.0, v_threshold=0.06),
}


def network(make):
    torch.manual_seed(SEED)
    parts = [layer.Conv2d(1, 8, 3, padding=1), make(), layer.AvgPool2d(2), layer.Conv2d(8, 12, 3, padding=1), make()]
    return nn.Sequential(*parts, layer.Flatten(), layer.Linear(192, 10)).eval()


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.mark.parametrize("kind", ["IF, hard", "IF, soft", "LIF"])
def test_what_runs_is_written_as_nir_and_read_again(digits, tmp_path, kind):
    """The integers and their spikes are identical, and NIR's own meaning of the file fires as they do."""
    net = network(NEURONS[kind])
    graph = spikingjelly.read(net, timesteps=T)
    images = digits.train_images[:16]
    sizes = dict(name="again", timesteps=T, input_levels=16)
    first = ptq.quantize(graph, images, PAPER, input_scale=SCALE, **sizes).network
    reset = nir_out.write(first, tmp_path / "a.nir")
    assert reset == ("soft" if "soft" in kind else "hard")
    read = nir_import.read(tmp_path / "a.nir", timesteps=T, per_step=True, reset=reset)
    second = ptq.quantize(read, images, PAPER, **sizes).network
    for a, b in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(a.sources[0].weight, b.sources[0].weight)
        for field in ("threshold", "bias", "v0", "leak"):
            assert np.array_equal(getattr(a.neuron, field), getattr(b.neuron, field)), field
    ours, again = (run(one, digits.test_images[:50]).output for one in (first, second))
    assert np.array_equal(ours, again)
    if "LIF" not in kind:  # a leak is rounded down here, and not in NIR
        source = read.source(torch.tensor(digits.test_images[:50]).double())
        spikes = run(first, digits.test_images[:50], record=("features",)).features
        for (_, theirs), layer in zip(source.spikes.items(), first.layers, strict=False):
            mine = spikes[layer.name].swapaxes(0, 1).reshape(theirs.shape)
            assert np.array_equal(mine, theirs.numpy())
    several = spikingjelly.read(network(lambda: neuron.ILIFNode(v_threshold=0.1)), timesteps=T)
    with pytest.raises(ValueError, match="a neuron of 4 levels; NIR has spikes alone"):
        nir_out.graph_of(ptq.quantize(several, images, PAPER, **sizes).network)
