"""Imports from SpikingJelly and NIR: same spikes without rounding, close ones with it, changes and refusals by name."""

import numpy as np
import pytest
import torch
from torch import nn

from reprise.export import ptq
from reprise.export.importers import nir as nir_import
from reprise.export.importers import spikingjelly
from reprise.export.qat import check
from reprise.export.trace.lower import prepare
from reprise.export.train import datasets
from reprise.model.files import network_file
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER

sj = pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")
nir = pytest.importorskip("nir", reason="the optional extra 'import' is not installed")
from spikingjelly.activation_based import functional, layer, neuron, surrogate  # noqa: E402

SEED, T, SCALE = 3, 4, 1 / 16
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def network(make, pool=layer.AvgPool2d, norm=False):
    torch.manual_seed(SEED)
    parts = [layer.Conv2d(1, 8, 3, padding=1), make()]
    if norm:
        parts.insert(1, layer.BatchNorm2d(8))
    parts += [pool(2), layer.Conv2d(8, 12, 3, padding=1, bias=False), make(), layer.Flatten(), layer.Linear(192, 10)]
    return nn.Sequential(*parts).eval()


NEURONS = {
    "IF, hard": lambda: neuron.IFNode(v_threshold=0.12),
    "IF, soft": lambda: neuron.IFNode(v_threshold=0.12, v_reset=None),
    "IF, reset below zero": lambda: neuron.IFNode(v_threshold=0.1, v_reset=-0.05),
    "LIF": lambda: neuron.LIFNode(tau=2.0, v_threshold=0.06),
    "LIF, undecayed input, soft": lambda: neuron.LIFNode(tau=4.0, decay_input=False, v_threshold=0.2, v_reset=None),
    "LIF, reset below zero": lambda: neuron.LIFNode(tau=4.0, decay_input=False, v_threshold=0.1, v_reset=-0.1),
    "ILIF": lambda: neuron.ILIFNode(v_threshold=0.1),
    "ILIF, 7 levels": lambda: neuron.ILIFNode(
        tau=2.0, v_threshold=0.1, surrogate_function=surrogate.MultiLevelSpikeCount(7)
    ),
}


def source_maps(net, images):
    """Levels of every spiking node of a SpikingJelly network: {name: (T, B, ...)}."""
    functional.reset_net(net)
    seen = {}
    hooks = [
        m.register_forward_hook(lambda _m, _i, out, name=name: seen.setdefault(name, []).append(out.clone()))
        for name, m in net.named_children()
        if hasattr(m, "v_threshold")
    ]
    with torch.no_grad():
        logits = sum(net(images) for _ in range(T))
    for hook in hooks:
        hook.remove()
    return {k: torch.stack(v) for k, v in seen.items()}, logits


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("kind", NEURONS)
def test_spikingjelly_dynamics(digits, kind, norm):
    """Without rounding, the lowered network fires as SpikingJelly does."""
    net = network(NEURONS[kind], norm=norm)
    images = digits.test_images[:40]
    theirs, _ = source_maps(net, torch.tensor(images).float() * SCALE)
    graph = spikingjelly.read(net, timesteps=T)
    lowered = prepare(graph, input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True).eval()
    ours, _ = lowered.quantize(False).trace(torch.tensor(images).float())
    pairs = [y.name for y in lowered.layers if not y.readout]
    assert len(pairs) == len(theirs) == 2
    for mine, (name, levels) in zip(pairs, theirs.items(), strict=True):
        assert levels.any() and (levels == 0).any(), f"{name} says nothing"
        assert (ours[mine] == levels).double().mean() > 0.998, f"{kind}: {name}"


@pytest.mark.parametrize("kind", ["IF, hard", "LIF, undecayed input, soft", "ILIF"])
def test_spikingjelly_to_file(digits, kind, tmp_path):
    net = network(NEURONS[kind], pool=layer.MaxPool2d)
    graph = spikingjelly.read(net, timesteps=T)
    result = ptq.convert(graph, digits, PAPER, name="sj", timesteps=T, input_scale=SCALE)
    assert min(result.agreement.values()) > 0.9
    images = digits.test_images[:100]
    _, logits = source_maps(net, torch.tensor(images).float() * SCALE)
    same = (run(result.network, images).predictions == logits.argmax(1).numpy()).mean()
    assert same > 0.8
    path = network_file.save(result.network, tmp_path / "sj", changes=result.changes, samples=result.samples)
    loaded = network_file.load(path)
    assert check.compare(loaded.network, loaded.images[:10]).difference is None
    text = "\n".join(loaded.changes)
    assert "int8" in text and "rounded to whole weight steps" in text
    if "LIF" in kind:
        assert "leaked potential is rounded down" in text
    if kind == "ILIF":
        assert "exact halves round up" in text


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([neuron.KLIFNode()], "1: neuron KLIFNode has no integer form.*IFNode, LIFNode, ParametricLIFNode, ILIFNode"),
        ([neuron.IFNode(v_threshold=0.1, v_reset=0.2)], "1: v_threshold must exceed v_reset, 0.1 and 0.2"),
        ([layer.MaxPool2d(2), neuron.IFNode()], "1: a max pool of currents equals one of spikes only for T = 1"),
        ([neuron.IFNode(), layer.Dropout(0.1), nn.Softmax(1)], "3: module Softmax does not exist"),
    ],
)
def test_spikingjelly_refusals(parts, message):
    net = nn.Sequential(layer.Conv2d(1, 2, 3), *parts)
    with pytest.raises(ValueError, match=message):
        prepare(spikingjelly.read(net, timesteps=T), input_shape=(1, 8, 8), timesteps=T)


def nir_graph(cell, pool="avg", recurrent=False):
    rng = np.random.default_rng(SEED)

    def w(*shape):
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    pools = dict(
        avg=nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        sum=nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
    )
    nodes = {
        "input": nir.Input(input_type=np.array([1, 8, 8])),
        "conv": nir.Conv2d((8, 8), w(6, 1, 3, 3), 1, 1, 1, 1, w(6) * 0),
        "cell1": cell((6, 8, 8)),
        "pool": pools[pool],
        "flat": nir.Flatten(input_type=np.array([6, 4, 4]), start_dim=0),
        "fc": nir.Affine(weight=w(20, 96), bias=w(20, 1)[:, 0] * 0.02),
        "cell2": cell((20,)),
        "out": nir.Linear(weight=w(10, 20)),
        "output": nir.Output(output_type=np.array([10])),
    }
    names = list(nodes)
    edges = list(zip(names, names[1:], strict=False))
    if recurrent:
        edges.append(("cell2", "fc"))
    return nir.NIRGraph(nodes, edges, type_check=False)


DT = 1e-3


def if_cell(shape):
    r, reset = np.full(shape, 1 / DT), np.zeros(shape)
    return nir.IF(r=r, v_threshold=np.full(shape, 0.4), v_reset=reset)


def lif_cell(shape):
    return nir.LIF(
        tau=np.full(shape, 4 * DT),
        r=np.full(shape, 4.0),
        v_leak=np.full(shape, 0.1),
        v_threshold=np.full(shape, 0.4),
        v_reset=np.full(shape, -0.05),
    )


def simulate(graph, images, cell, pool):
    """NIR's equations in float64, one Euler step per timestep, written out by hand."""
    nodes = graph.nodes
    conv = torch.tensor(nodes["conv"].weight).double()
    fc, bias = torch.tensor(nodes["fc"].weight).double(), torch.tensor(nodes["fc"].bias).double()
    x = torch.tensor(images).double() * SCALE
    state = [None, None]
    maps = [[], []]

    def fire(i, current):
        rest = -0.05 if cell is lif_cell else 0.0
        v = torch.full_like(current, rest) if state[i] is None else state[i]
        v = v + (0.1 - v + 4.0 * current) / 4 if cell is lif_cell else v + current
        z = (v > 0.4).double()
        state[i] = torch.where(z > 0, torch.full_like(v, rest), v)
        maps[i].append(z)
        return z

    for _ in range(T):
        z = fire(0, torch.conv2d(x, conv, padding=1))
        z = torch.nn.functional.avg_pool2d(z, 2) * (4 if pool == "sum" else 1)
        fire(1, z.flatten(1) @ fc.T + bias)
    return [torch.stack(m) for m in maps]


@pytest.mark.parametrize("pool", ["avg", "sum"])
@pytest.mark.parametrize("cell", [if_cell, lif_cell])
def test_nir_dynamics(digits, cell, pool):
    graph = nir_graph(cell, pool)
    images = digits.test_images[:40]
    read = nir_import.read(graph, timesteps=T, dt=DT)
    net = prepare(read, input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True).eval()
    ours, _ = net.quantize(False).trace(torch.tensor(images).float())
    theirs = simulate(graph, images, cell, pool)
    for mine, levels in zip((y.name for y in net.layers if not y.readout), theirs, strict=True):
        assert 0.01 < levels.mean() < 0.9, "the test network says nothing"
        assert (ours[mine].flatten(2) == levels.flatten(2)).double().mean() > 0.998
    changes = "\n".join(read.changes)
    assert "fires at U >= threshold where NIR fires at v > threshold" in changes
    assert ("forward Euler" in changes) == (cell is lif_cell)


def test_nir_file_to_network_file(digits, tmp_path):
    nir.write(tmp_path / "g.nir", nir_graph(if_cell))
    graph = nir_import.read(tmp_path / "g.nir", timesteps=T, dt=DT, reset="soft")
    result = ptq.convert(graph, digits, PAPER, name="g", timesteps=T, input_scale=SCALE)
    assert min(result.agreement.values()) > 0.95
    assert any("soft reset" in c for c in result.changes)
    path = network_file.save(result.network, tmp_path / "g", changes=result.changes, accuracy=result.accuracy)
    assert network_file.load(path).network.timesteps == T


def broken(change):
    graph = nir_graph(if_cell)
    change(graph)
    return graph


def swap(name, node):
    return lambda g: g.nodes.__setitem__(name, node)


def varied():
    cell = if_cell((6, 8, 8))
    cell.v_threshold = cell.v_threshold.copy()
    cell.v_threshold[0, 0, 0] = 9
    return cell


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap("fc", nir.Delay(delay=np.ones(96))), "fc: NIR node Delay has no form on the accelerator.*Conv2d, Linear"),
        (swap("cell1", varied()), "cell1: v_threshold differs within a channel"),
        (lambda g: g.edges.append(("cell2", "fc")), ": a recurrent connection"),
        (lambda g: g.edges.remove(("input", "conv")), "conv: has no input"),
    ],
)
def test_nir_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        nir_import.read(broken(change), timesteps=T, dt=DT)


def test_nir_arguments():
    with pytest.raises(ValueError, match="reset must be hard or soft, not 'none'"):
        nir_import.read(nir_graph(if_cell), timesteps=T, dt=DT, reset="none")
    with pytest.raises(ValueError, match="shorter than a timestep"):
        nir_import.read(nir_graph(lif_cell), timesteps=T, dt=1.0)


def test_spikingjelly_exports_nir_that_we_read(digits):
    """Three tools agree: SpikingJelly, its NIR export read here, and its direct import."""
    from spikingjelly.activation_based import nir_exchange

    net = network(NEURONS["IF, hard"])
    graph = nir_exchange.export_to_nir(net, torch.zeros(1, 1, 8, 8), dt=1e-4)
    images = torch.tensor(digits.test_images[:20]).float()
    kwargs = dict(input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True)
    direct = prepare(spikingjelly.read(net, timesteps=T), **kwargs).eval()
    through = prepare(nir_import.read(graph, timesteps=T, dt=1e-4), **kwargs).eval()
    for a, b in zip(direct.layers, through.layers, strict=True):
        same = (direct.trace(images)[0][a.name] == through.trace(images)[0][b.name]).double().mean()
        assert same > 0.999


def test_factory(tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text("from torch import nn\ndef make():\n    return nn.Sequential(nn.Linear(2, 2))\n")
    monkeypatch.syspath_prepend(tmp_path)
    state = nn.Sequential(nn.Linear(2, 2)).state_dict()
    torch.save(state, tmp_path / "w.pt")
    net = spikingjelly.make("mynet:make", tmp_path / "w.pt")
    assert torch.equal(net.state_dict()["0.weight"], state["0.weight"])
    with pytest.raises(ValueError, match="factory must be MODULE:FUNCTION, not 'mynet'"):
        spikingjelly.make("mynet")
