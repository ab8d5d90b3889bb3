"""What people hand in by mistake ends in an error that names it; graphs of sinabs have an axis of images."""

import sys
import threading

import nir
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune, spectral_norm, weight_norm

import reprise as rp
from reprise.export import ptq
from reprise.export.importers import nir as importer
from reprise.export.importers.factory import make
from reprise.export.nn.neurons import MultiLevelIF
from reprise.model.inference.runner import run
from reprise.model.network.network import equal
from reprise.support.errors import RepriseError
from tests.support.export_helpers import PAPER

torch.set_num_threads(1)
IMAGES = np.random.default_rng(1).integers(0, 17, (8, 1, 8, 8)).astype(np.uint8)


def network(first=None):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), MultiLevelIF(4, threshold=2.0), nn.Flatten(), nn.Linear(144, 10))
    if first is not None:
        net[3].weight.data[0, 0] = first
    return net


class Leaky(nn.Module):
    """A neuron of another version of snnTorch."""

    __module__ = "snntorch._neurons.leaky"

    def forward(self, x):
        return x


def locked():
    net = network()
    net.lock = threading.Lock()
    return net


def shared_relu():
    relu = nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), relu, nn.Linear(20, 20), relu, nn.Linear(20, 10))


class Twice(nn.Module):
    """A network whose one ReLU stands behind two layers."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.relu, self.last = nn.Linear(64, 20), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 10)

    def forward(self, x):
        return self.last(self.relu(self.two(self.relu(self.one(x.flatten(1))))))


def with_relu(*front):
    return nn.Sequential(nn.Flatten(), *front, nn.ReLU(), nn.Linear(20, 10))


ODD = {
    "labels of text": (network, dict(labels=["a"] * 8), "labels must be integers, not '<U1'"),
    "labels with fractions": (network, dict(labels=np.ones(8) / 2), "labels must be integers, not 'float64'"),
    "no module": (lambda: "net", dict(relu_levels=3), "module must be a torch.nn.Module, not 'str'"),
    "NaN": (lambda: network(float("nan")), {}, "parameter 3.weight must be finite numbers, not 'NaN or infinite'"),
    "images of other lengths": (network, dict(images=[[1, 2], [3]]), "images must be an array, not 'list': .*shape"),
    "images without values": (
        network,
        dict(images=torch.empty((4, 1, 8, 8), device="meta")),
        "images must be an array, not 'Tensor': .*meta",
    ),
    "images with a gradient": (
        network,
        dict(images=torch.ones(4, 1, 8, 8, requires_grad=True)),
        r"images must be uint8\[n, C, H, W\], not 'float32\[4, 1, 8, 8\]'",
    ),
    "a scale of text": (network, dict(scale="x"), "scale must be above 0 and finite, not 'x'"),
    "a scale of text, with ReLU": (
        lambda: with_relu(nn.Linear(64, 20)),
        dict(scale="x", relu_levels=3),
        "scale must be above 0 and finite, not 'x'",
    ),
    "a lock": (locked, {}, r"Sequential: cannot be copied \(cannot pickle '_thread.lock' object\)"),
    "one ReLU in two places": (shared_relu, dict(relu_levels=3), "^4: this ReLU is the one of 2, too; make one module"),
    "a ReLU that is called twice": (Twice, dict(relu_levels=3), "^relu: the module is used twice; make one module"),
    "a pool of one axis": (
        lambda: nn.Sequential(*list(network())[:2], nn.AdaptiveAvgPool2d((1, None)), nn.Flatten(), nn.Linear(24, 10)),
        {},
        r"^2: output_size must be equal in both directions, is \(1, None\)",
    ),
    "no weights": (lambda: network().to("meta"), {}, "parameter 0.weight must be numbers, .*meta.*load the weights"),
    "another version": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), Leaky(), nn.Linear(20, 10)),
        {},
        "its modules are not those of snntorch that are known here .*use the version in constraints-frameworks.txt",
    ),
    "wrong columns": (
        lambda: with_relu(nn.Linear(63, 20)),
        dict(relu_levels=3),
        r"its own forward pass fails on images of shape \(8, 1, 8, 8\) in float64: .*cannot be multiplied",
    ),
    "two outputs": (
        lambda: nn.Sequential(nn.Flatten(), nn.ReLU(), nn.LSTM(64, 10)),
        dict(relu_levels=3),
        "module must be a network that returns one tensor, not 'tuple'",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_mistakes_are_told(kind):
    given, options, message = ODD[kind]
    with pytest.raises(RepriseError, match=message):
        rp.quantize(given(), **{"images": IMAGES, **options}, levels=16)


HOOKED = {
    "pruned weights": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    "pruned channels": lambda layer: prune.ln_structured(layer, "weight", 0.5, 2, 0),
    "a weight norm": weight_norm,
    "a spectral norm": spectral_norm,
}


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize("kind", HOOKED)
def test_weights_that_hooks_make_are_those_of_the_module(kind):
    """The module is taken as it stands behind a training, with what its hooks have left, and stays as it is."""
    net = network()
    HOOKED[kind](net[0])
    net(torch.tensor(IMAGES).float()).sum().backward()
    hooks, weight = len(net[0]._forward_pre_hooks), net.eval()(torch.zeros(1, 1, 8, 8)).detach()
    found = rp.quantize(net, IMAGES, levels=16).network
    with torch.no_grad():
        theirs = net(torch.tensor(IMAGES).float()).argmax(1).numpy()
    assert (run(found, IMAGES).predictions == theirs).mean() > 0.8
    kept = net[0].weight.detach().flatten(1) != 0
    ours = found.layers[0].sources[0].weight.reshape(4, -1) != 0
    assert (ours <= kept.numpy()).all() and ours.any()
    assert len(net[0]._forward_pre_hooks) == hooks and torch.equal(net(torch.zeros(1, 1, 8, 8)), weight)


def test_a_capture_that_cannot_be_written_is_told():
    with pytest.raises(RepriseError, match="/proc/nowhere/x: cannot be written"):
        rp.record(network(), IMAGES[0], "/proc/nowhere/x", timesteps=1)


def sinabs(*parts, images=1, shape=(1, 8, 8)):
    """A graph as sinabs' to_nir makes it: parts are named by numbers, and all shapes have an axis of images."""
    order = {"input": nir.Input(np.array([images, *shape])), **{str(i): part for i, part in enumerate(parts)}}
    names = [*order, "output"]
    order["output"] = nir.Output(np.array([images, 10]))
    edges = list(zip(names[:-1], names[1:], strict=True))[::-1]  # sinabs writes them as a set, in no order
    return nir.NIRGraph(order, edges, type_check=False)


def weights(*shape):
    return np.random.default_rng(int(np.prod(shape))).normal(0, 0.3, shape).astype(np.float32)


def conv(c_in, c_out):
    return nir.Conv2d(
        (8, 8) if c_in == 1 else (3, 3),
        weights(c_out, c_in, 3, 3),
        (1, 1),
        (0, 0),
        (1, 1),
        1,
        np.zeros(c_out, np.float32),
    )


def iaf(*size):
    return nir.IF(r=np.ones(size, np.float32), v_threshold=np.full(size, 0.5, np.float32))


def lif(tau=10.0):
    zero, one = np.array(0, np.float32), np.array(1, np.float32)
    return nir.LIF(tau=one * np.float32(tau), r=one, v_leak=zero, v_threshold=one / 20, v_reset=zero)


def pool():
    return nir.SumPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))


def flat():
    return nir.Flatten({"input": np.array([0, 0, 0, 0])}, start_dim=1)


def last(columns):
    return nir.Affine(weights(10, columns), np.zeros(10, np.float32))


SINABS = {
    "one image": lambda n: sinabs(conv(1, 8), iaf(n, 8, 6, 6), pool(), flat(), last(72), images=n),
    "two convolutions": lambda n: sinabs(
        *(conv(1, 4), iaf(n, 4, 6, 6), pool(), conv(4, 8), iaf(n, 8, 1, 1), flat(), last(8), iaf(n, 10)), images=n
    ),
    "leaks that are scalars": lambda n: sinabs(conv(1, 8), lif(), pool(), flat(), last(72), lif(5.0), images=n),
    "a perceptron": lambda n: sinabs(flat(), nir.Affine(weights(20, 64), weights(20)), iaf(n, 20), last(20), images=n),
    "a perceptron of flat images": lambda n: sinabs(
        *(nir.Affine(weights(20, 64), weights(20)), iaf(n, 20), last(20)), images=n, shape=(64,)
    ),
}


def read(graph, path, **options):
    scalars = any(np.ndim(getattr(node, "r", [0])) == 0 for node in graph.nodes.values())
    if not scalars:  # which this version of NIR reads and does not write
        nir.write(path, graph)
    found = importer.read(graph if scalars else path, timesteps=4, per_step=True, reset="soft", **options)
    return ptq.quantize(found, IMAGES, PAPER, name="s", timesteps=4, input_levels=16, input_scale=1 / 16)


@pytest.mark.parametrize("kind", SINABS)
def test_graphs_of_sinabs_are_the_same_network_for_any_number_of_images(kind, tmp_path):
    """The file is what sinabs writes for one image, and for a batch of four timesteps."""
    one, other = (read(SINABS[kind](n), tmp_path / "s.nir").network for n in (1, 4))
    assert equal(one, other)
    assert any(bool(layer.neuron.fires) for layer in one.layers)


def test_several_spikes_in_a_timestep_as_sinabs_emits_them(tmp_path):
    """IAF with MultiSpike emits floor(v / threshold) spikes and subtracts as many thresholds."""
    graph = SINABS["a perceptron of flat images"](1)
    found = read(graph, tmp_path / "s.nir", levels=15)
    x = torch.tensor(IMAGES).double().flatten(1) / 16
    current = x @ torch.tensor(graph.nodes["0"].weight).double().T + torch.tensor(graph.nodes["0"].bias).double()
    v, spikes = torch.zeros_like(current), []
    for _ in range(4):
        v = v + current
        z = (v / 0.5).floor().clamp_min(0)
        v = v - 0.5 * z
        spikes.append(z)
    ours = run(found.network, IMAGES, record=("features",)).features["0"].swapaxes(0, 1)[..., 0, 0]
    theirs = torch.stack(spikes).numpy()
    assert theirs.max() > 2 and (ours == theirs).mean() > 0.95
    assert any("0: emits up to 15 spikes" in change or "1: emits up to 15 spikes" in change for change in found.changes)
    with pytest.raises(RepriseError, match="your module emits .*, the lowered network 2"):
        read(graph, tmp_path / "s.nir", levels=2)
    with pytest.raises(RepriseError, match=r"levels must be 1 with a hard reset, not 3: several spikes subtract"):
        importer.read(graph, timesteps=4, per_step=True, levels=3)


def test_what_sinabs_writes_and_we_have_not_is_refused_by_name(tmp_path):
    leak = nir.LI(tau=np.array(10.0), r=np.array(1.0), v_leak=np.array(0.0))
    with pytest.raises(RepriseError, match="^1: NIR node LI has no form on the accelerator"):
        read(sinabs(conv(1, 8), leak, flat(), last(288)), tmp_path / "s.nir")
    uneven = iaf(4, 8, 6, 6)
    uneven.v_threshold[1] = 2
    with pytest.raises(RepriseError, match="^1: v_threshold differs between images; give one value for all"):
        read(sinabs(conv(1, 8), uneven, flat(), last(288), images=4), tmp_path / "s.nir")


NETS = """
import torch
from torch import nn
def small():
    return nn.Linear(2, 3)
def leaves():
    raise SystemExit(3)
"""


def test_a_function_lies_in_the_current_folder(tmp_path, monkeypatch):
    """An installed program has its own folder on Python's path, and not the one where it is called."""
    (tmp_path / "nets_of_a_folder.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [one for one in sys.path if one not in ("", str(tmp_path))])
    assert make("nets_of_a_folder:small").in_features == 2
    with pytest.raises(RepriseError, match="factory must be code that runs, .*SystemExit: 3"):
        make("nets_of_a_folder:leaves")
    for content in (b"", b"junk", b"\x80\x04junk", b"PK\x03\x04"):
        (tmp_path / "x.pt").write_bytes(content)
        with pytest.raises(RepriseError, match=r"x.pt: must be a state dict, .*of tensors only: \w"):
            make("nets_of_a_folder:small", "x.pt")
