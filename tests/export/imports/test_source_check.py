"""What was made of a user's network is compared with his own forward pass: every fault in it is found and named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reprise.export import ptq
from reprise.export.importers import nir as nir_import
from reprise.export.nn.neurons import MultiLevelIF, MultiLevelLIF
from reprise.export.source_check import DifferentError
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER, SEED, Net

torch.set_num_threads(1)
LEVELS = 16
IMAGES = np.random.default_rng(SEED).integers(0, LEVELS + 1, (6, 1, 8, 8)).astype(np.uint8)


def quantize(source, timesteps=1, images=IMAGES, **options):
    graph = source if not isinstance(source, nn.Module) else ptq.graph_of(source.eval(), timesteps=timesteps)
    return ptq.quantize(graph, images, PAPER, name="n", timesteps=timesteps, input_levels=LEVELS, **options)


def net(f, levels=4, out=144, **modules):
    torch.manual_seed(SEED)
    conv = dict(conv=nn.Conv2d(1, 4, 3), neuron=MultiLevelIF(levels, threshold=2.0), fc=nn.Linear(out, 10))
    return Net(f, **conv, **modules)


def readout(m, x):
    return m.fc(torch.flatten(x, 1))


def classes(network, images=IMAGES):
    """The scores of the integers in units of the largest one of an image."""
    scores = run(network, images).scores.astype(float)
    return scores / np.abs(scores).max(1, keepdims=True)


EXACT = {
    "a divisor of its own": net(
        lambda m, x: readout(m, m.pool(m.neuron(m.conv(x)))), out=36, pool=nn.AvgPool2d(2, divisor_override=1)
    ),
    "alpha of an addition": net(
        lambda m, x: readout(m, m.neuron(torch.add(m.conv(x), m.other(x), alpha=2))), other=nn.Conv2d(1, 4, 3)
    ),
    "a difference": net(lambda m, x: readout(m, m.neuron(m.conv(x) - m.other(x))), other=nn.Conv2d(1, 4, 3)),
    "a map twice": net(lambda m, x: readout(m, (lambda z: z + z)(m.neuron(m.conv(x))))),
    "view with the batch": net(lambda m, x: m.fc(m.neuron(m.conv(x)).view(x.size(0), -1))),
    "view with the columns": net(lambda m, x: m.fc(m.neuron(m.conv(x)).view(-1, 144))),
    "reshape": net(lambda m, x: m.fc(torch.reshape(m.neuron(m.conv(x)), (x.shape[0], -1)))),
    "F.max_pool2d": net(lambda m, x: readout(m, F.max_pool2d(m.neuron(m.conv(x)), 2)), out=36),
    "F.avg_pool2d": net(lambda m, x: readout(m, F.avg_pool2d(m.neuron(m.conv(x)), 2)), out=36),
    "the mean of a map": net(lambda m, x: m.fc(m.neuron(m.conv(x)).mean((2, 3))), out=4),
    "the mean of a map that is not square": net(
        lambda m, x: m.fc(m.neuron(m.tall(x)).mean((2, 3))), out=4, tall=nn.Conv2d(1, 4, (1, 5))
    ),
    "the mean of what is left": net(
        lambda m, x: m.last(m.neuron(m.tall(x))).mean((2, 3)), tall=nn.Conv2d(1, 4, (1, 5)), last=nn.Conv2d(4, 10, 1)
    ),
    "windows that are not square": net(
        lambda m, x: readout(m, F.adaptive_avg_pool2d(m.neuron(m.tall(x)), 2)), out=16, tall=nn.Conv2d(1, 4, (1, 5))
    ),
    "a pool before a strided convolution": net(
        lambda m, x: readout(m, m.two(m.strided(F.avg_pool2d(m.neuron(m.conv(x)), 2)))),
        out=16,
        strided=nn.Conv2d(4, 4, 3, stride=2, padding=1),
        two=MultiLevelIF(4),
    ),
    "a pool before a large convolution": net(
        lambda m, x: readout(m, m.two(m.large(F.avg_pool2d(m.neuron(m.conv(x)), 2)))),
        out=36,
        large=nn.Conv2d(4, 4, 5, padding=2),
        two=MultiLevelIF(4),
    ),
    "a pool of a pool": net(
        lambda m, x: readout(m, F.avg_pool2d(F.avg_pool2d(m.neuron(m.conv(x)), 2), 3)),
        out=4,
    ),
    "a norm that is almost zero": net(
        lambda m, x: readout(m, m.neuron(m.norm(m.conv(x)))), norm=nn.BatchNorm2d(4, eps=1e-5)
    ),
    "inputs with a default": Net(
        lambda m, x, state=None: readout(m, m.neuron(m.conv(x))) if state is None else state,
        **dict(net(None).named_children()),
    ),
    "a leak of each step": Net(
        lambda m, x: readout(m, m.neuron(m.conv(x))),
        conv=nn.Conv2d(1, 4, 3),
        neuron=MultiLevelLIF(1, 4, leak=200, threshold=3.0),
        fc=nn.Linear(144, 10),
    ),
}
EXACT["a norm that is almost zero"].norm.weight.data[1:3] = torch.tensor([0.0, 1e-9])


@pytest.mark.parametrize("kind", EXACT)
def test_the_exact_meaning_of(kind):
    """Nothing differs without rounding (else it is refused), and the integers give what the module gives."""
    module = EXACT[kind].double()
    timesteps = 4 if kind == "a leak of each step" else 1
    found = quantize(module, timesteps, allow_silent=True)
    with torch.no_grad():
        images = torch.tensor(IMAGES).double().repeat(timesteps, 1, 1, 1)
        theirs = module(images).unflatten(0, (timesteps, -1)).sum(0).numpy()
    theirs = theirs / np.abs(theirs).max(1, keepdims=True)
    assert np.abs(classes(found.network) - theirs).max() < 0.1


class Doubled(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) * 2


class Named(nn.Conv2d):
    """Inherits the forward pass."""


class Restless(MultiLevelIF):
    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(Doubled(1, 4, 3), MultiLevelIF(4)), "0: Doubled has a forward pass of its own"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), Restless(4)), "1: Restless has a forward pass of its own"),
        (Net(lambda m, x, y: x), None),
        (net(lambda m, x: m.neuron(m.conv(x), 3)), "neuron: is called with 2 inputs"),
        (net(lambda m, x: readout(m, torch.add(m.conv(x), m.conv(x), alpha=float("inf")))), "operation 'add'|twice"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.AvgPool2d(3)), "a 3x3 average pool here needs a layer"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.Flatten()), "ends with 6x6 flattened positions"),
        (net(lambda m, x: (x, x)), "the network returns a tuple of 2; return one tensor"),
        (net(lambda m, x: m.fc(m.neuron(m.conv(x)).view(-1, 36))), "view: flattens to 36 columns, an image has 144"),
        (net(lambda m, x: readout(m, F.dropout(m.neuron(m.conv(x))))), "dropout: drops values at inference"),
    ],
)
def test_what_has_no_exact_meaning_is_refused_by_name(module, message):
    if message is None:
        module, message = _TwoInputs(), r"_TwoInputs: its forward needs 2 inputs \(x, y\)"
    with pytest.raises(ValueError, match=message):
        quantize(module)


class _TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


def test_a_subclass_that_inherits_everything_is_its_parent():
    torch.manual_seed(SEED)
    quantize(nn.Sequential(Named(1, 4, 3), MultiLevelIF(4), nn.Flatten(), nn.Linear(144, 10)))


def tampered(graph, name, **attrs):
    nodes = [replace(n, attrs={**n.attrs, **attrs}) if n.name == name else n for n in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


FAULTS = {
    "a weight": ("conv", lambda a: dict(weight=a["weight"] * torch.linspace(1, 1.01, 4)[:, None, None, None].double())),
    "a bias": ("conv", lambda a: dict(bias=a["bias"] + 0.05)),
    "padding of the wrong kind": ("conv", lambda a: dict(weight=a["weight"].flip(3))),
    "a threshold": ("neuron", lambda a: dict(spec=replace(a["spec"], threshold=a["spec"].threshold * 1.02))),
    "an initial potential": ("neuron", lambda a: dict(spec=replace(a["spec"], v0=0.4))),
    "a reset": ("neuron", lambda a: dict(spec=replace(a["spec"], reset="hard"))),
    "a leak": ("neuron", lambda a: dict(spec=replace(a["spec"], leak=230))),
    "a level more": ("neuron", lambda a: dict(spec=replace(a["spec"], levels=5))),
    "the readout": ("fc", lambda a: dict(weight=a["weight"] * 1.0001)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(fault):
    torch.manual_seed(SEED)
    module = net(lambda m, x: readout(m, m.neuron(m.conv(x))))
    module.neuron = MultiLevelLIF(4, 3, leak=220, threshold=2.0)
    graph = ptq.graph_of(module.eval(), timesteps=3)
    quantize(graph, 3)
    name, change = FAULTS[fault]
    wrong = tampered(graph, name, **change(next(n.attrs for n in graph.nodes if n.name == name)))
    where = "output" if name == "fc" else "neuron"
    with pytest.raises(DifferentError, match=rf"^{where}: channel \d+, timestep \d of image \d") as error:
        quantize(wrong, 3)
    text = str(error.value)
    assert ("your network returns" if name == "fc" else "your module emits") in text and "lowered network" in text
    accepted = quantize(wrong, 3, accept_differences=True)
    assert any("differ from the source network's on 6 images, which was accepted" in c for c in accepted.changes)


def test_a_missing_neuron_and_a_dropped_tail_are_found():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.AvgPool2d(2))
    graph = ptq.graph_of(module.eval(), timesteps=1)
    short = replace(graph, nodes=tuple(replace(n, inputs=("1",)) if n.op == "output" else n for n in graph.nodes))
    with pytest.raises(DifferentError, match=r"output: your network returns \(1, 6, 4, 3, 3\), the lowered .*6, 6"):
        quantize(short)
    assert quantize(graph).network.layers[-1].sources[0].stride == 2  # the pool is a layer of its own


def test_hooks_that_change_values_are_found():
    module = net(lambda m, x: readout(m, m.neuron(m.conv(x))))
    module.conv.register_forward_hook(lambda _module, _inputs, out: out * 2)
    with pytest.raises(DifferentError, match="neuron: channel"):
        quantize(module)


def test_spikes_on_the_border_of_two_levels_are_counted():
    """NIR fires above the threshold and we at it: with whole numbers, potentials lie on it often."""
    nir = pytest.importorskip("nir", reason="the optional extra 'import' is not installed")
    whole = np.random.default_rng(SEED).integers(-2, 3, (20, 64)).astype(np.float32)
    cell = nir.IF(r=np.ones(20), v_threshold=np.full(20, 3.0), v_reset=np.zeros(20))
    nodes = {"in": nir.Input(input_type=np.array([64])), "fc": nir.Linear(weight=whole), "cell": cell}
    nodes |= {"out": nir.Linear(weight=np.ones((10, 20), np.float32)), "end": nir.Output(output_type=np.array([10]))}
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)), type_check=False)
    found = quantize(nir_import.read(graph, timesteps=4, per_step=True), 4)
    (told,) = [c for c in found.changes if "lie exactly on a threshold" in c]
    count = int(told.split()[0])
    x = torch.tensor(IMAGES).double().flatten(1) @ torch.tensor(whole).double().T
    v, ties = torch.zeros_like(x), 0
    for _ in range(4):  # as NIR fires, and where that differs from firing at the threshold
        v = v + x
        ties += int((v == 3).sum())
        v = torch.where(v > 3, 0.0, v)
    assert count == ties > 0


def test_a_layer_that_never_fires_is_refused():
    module = net(lambda m, x: readout(m, m.neuron(m.conv(x))))
    module.neuron = MultiLevelIF(4, threshold=1e6, v0=0.0)
    with pytest.raises(ValueError, match=r"^conv: fires for none of the 6 calibration images.*--allow-silent"):
        quantize(module)
    assert any("never" in c or "fires for none" in c for c in quantize(module, allow_silent=True).changes)


def test_pruned_channels_have_a_range():
    """A channel without weights is driven by its bias alone, with steps that fit the registers."""
    module = net(lambda m, x: readout(m, m.neuron(m.conv(x))))
    module.neuron = MultiLevelIF(4, 8, threshold=2.0)
    for channel, weight in ((0, 0.0), (1, 1e-20), (2, 1e-12)):
        module.conv.weight.data[channel] = weight
        module.conv.bias.data[channel] = 0.7
    found = quantize(module, 8)
    levels = run(found.network, IMAGES, record=("features",)).features["conv"][:, :, :3]
    assert (levels.sum(1) == 3).all()  # 0.5 * 2 + 8 * 0.7 makes three thresholds of 2
    assert found.network.layers[0].neuron.threshold[:3].tolist() == [1016] * 3


@pytest.mark.parametrize("levels", [9, 12, 15])
def test_encodings_that_no_preset_can_run_are_not_chosen(levels):
    from reprise.compiler.compiler import compile_network

    module = net(lambda m, x: readout(m, m.two(m.more(m.neuron(m.conv(x))))), levels, out=64)
    module.more, module.two = nn.Conv2d(4, 4, 3), MultiLevelIF(levels, threshold=0.5)
    found = quantize(module)
    assert {layer.encoding for layer in found.network.layers} == {"bitplane"}
    compile_network(found.network, PAPER)


def test_a_plain_relu_network_comes_in_by_one_call():
    import reprise as rp
    from reprise.export.train import datasets

    digits = datasets.load("digits")
    images, labels = digits.train_images[:300], torch.tensor(digits.train_labels[:300]).long()
    torch.manual_seed(SEED)
    module = nn.Sequential(
        *(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(54, 32), nn.ReLU(), nn.Linear(32, 10)),
    )
    optimizer, x = torch.optim.Adam(module.parameters(), 0.01), torch.tensor(images).float() / 16
    for _ in range(25):
        optimizer.zero_grad()
        F.cross_entropy(module(x), labels).backward()
        optimizer.step()
    test, truth = digits.test_images[:200], digits.test_labels[:200]
    with torch.no_grad():
        own = (module.eval()(torch.tensor(test).float() / 16).argmax(1).numpy() == truth).mean()
    found = rp.quantize(module, images[:64], levels=16, scale=1 / 16, relu_levels=15)
    assert (run(found.network, test).predictions == truth).mean() > own - 0.02 > 0.7
    assert [layer.neuron.levels for layer in found.network.layers] == [15, 15, 0]
    assert any("the ReLU becomes 15 levels of" in change for change in found.changes)
    with pytest.raises(ValueError, match="2: module ReLU does not exist.*relu_levels"):
        rp.quantize(module, images[:4], levels=16, scale=1 / 16)
    with pytest.raises(ValueError, match="relu_levels must be an integer in 1..255, not 0"):
        rp.quantize(module, images[:4], levels=16, relu_levels=0)
