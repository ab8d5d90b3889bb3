"""Recording: a capture holds the very spikes that each layer has read, in whatever way the network takes its time."""

import numpy as np
import pytest
import torch
from torch import nn

import reprise as rp
from reprise.export.nn.neurons import MultiLevelIF
from reprise.model.files.capture import load_capture
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise

torch.set_num_threads(1)
T, SCALE = 4, 1 / 16
IMAGE = np.random.default_rng(2).integers(0, 17, (1, 8, 8)).astype(np.uint8)


class Neuron(nn.Module):
    """A neuron that somebody wrote himself, and that keeps its potential."""

    def __init__(self, threshold=0.2):
        super().__init__()
        self.threshold, self.v = threshold, 0.0

    def forward(self, x):
        self.v = 0.9 * self.v + x
        spikes = (self.v > self.threshold).float()
        self.v = self.v - spikes * self.threshold
        return spikes


def layers(neuron):
    torch.manual_seed(3)
    parts = [nn.Conv2d(1, 4, 3), neuron(), nn.Conv2d(4, 6, 3, stride=2, padding=1), neuron(), nn.Flatten()]
    net = nn.Sequential(*parts, nn.Linear(54, 20), neuron(), nn.Linear(20, 10)).eval()
    for part in (net[0], net[2], net[5]):
        part.weight.data *= 3
    return net


class Loop(nn.Module):
    """Makes the timesteps itself."""

    def __init__(self):
        super().__init__()
        self.body = layers(Neuron)

    def forward(self, x):
        return sum(self.body(x) for _ in range(T))


class Frames(nn.Module):
    """Takes (T, B, C, H, W)."""

    def __init__(self):
        super().__init__()
        self.body = layers(Neuron)

    def forward(self, x):
        return torch.stack([self.body(frame) for frame in x])


def own(net, call):
    """What each neuron emits in each timestep, as the network itself says."""
    seen = {}
    for name, part in net.named_modules():
        if hasattr(part, "threshold"):
            part.register_forward_hook(lambda _m, _i, out, name=name: seen.setdefault(name, []).append(out.clone()))
    with torch.no_grad():
        call(net, torch.tensor(IMAGE).float()[None] * SCALE)
    return [torch.cat(parts).flatten(0, -4 if parts[0].ndim > 3 else -2).numpy() for parts in seen.values()]


WAYS = {
    "steps": (lambda: layers(Neuron), lambda net, x: [net(x) for _ in range(T)]),
    "once": (Loop, lambda net, x: net(x)),
    "frames": (Frames, lambda net, x: net(x.expand(T, *x.shape))),
    "folded": (lambda: layers(lambda: MultiLevelIF(3, T, threshold=0.2)), lambda net, x: net(x.repeat(T, 1, 1, 1))),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_capture_holds_what_the_neurons_emit(tmp_path, way):
    make, call = WAYS[way]
    theirs = own(make(), call)
    assert all(0.02 < one.mean() for one in theirs), "the network says nothing"
    told = "frames" if way == "frames" else "auto"
    found = rp.record(make(), IMAGE, tmp_path / "net", timesteps=T, scale=SCALE, time=told)
    assert [why for why in found.left_out.values()] == ["it reads the image itself, and no spikes"]
    capture = load_capture(found.path)
    assert len(capture.layers) == len(theirs) == 3
    for layer, spikes in zip(capture, theirs, strict=True):
        assert np.array_equal(layer.spikes.reshape(T, -1), spikes.reshape(T, -1))
    first, second = capture.layers[:2]
    source = first.layer.sources[0]
    assert (source.weight.shape, source.stride, source.padding) == ((6, 4, 3, 3), 2, 1)
    assert (second.depth, second.outputs) == (54, 20)
    if way != "frames":
        again = rp.record(make(), IMAGE, tmp_path / "again", timesteps=T, scale=SCALE, time=way)
        assert again.path.read_bytes() == found.path.read_bytes()


def test_the_network_itself_stays_as_it_is(tmp_path):
    net = layers(Neuron).train()
    rp.record(net, IMAGE, tmp_path / "net", timesteps=T, scale=SCALE)
    assert net.training and net[1].v == 0.0 and not net[0]._forward_pre_hooks


def test_events_are_spikes_too(tmp_path):
    frames = np.random.default_rng(1).integers(0, 2, (T, 1, 8, 8)).astype(np.uint8)
    capture = load_capture(rp.record(layers(Neuron), frames, tmp_path / "net", timesteps=T).path)
    assert np.array_equal(capture.layers[0].spikes, frames)


def test_units_and_levels(tmp_path):
    """Pooled spikes are levels of a quarter, and a layer that reads currents is left out by its name."""
    net = layers(Neuron)
    net.insert(2, nn.AvgPool2d(2))
    net[6] = nn.Linear(24, 20)
    net[7] = nn.ReLU()
    found = rp.record(net, IMAGE, tmp_path / "net", timesteps=T, scale=SCALE)
    levels = load_capture(found.path).layers[0].levels
    assert levels > 1 and f"levels 0..{levels} of 0.25" in found.layers["3"]
    assert "different values, which are no levels" in found.left_out["8"]


class Tokens(nn.Module):
    """Linear layers that are applied to six tokens."""

    def __init__(self):
        super().__init__()
        self.a, self.n, self.b = nn.Linear(8, 12), Neuron(), nn.Linear(12, 5)

    def forward(self, x):
        return self.b(self.n(self.a(x[:, 0, :6])))


def test_tokens_are_told_from_timesteps(tmp_path):
    with pytest.raises(RepriseError, match="Tokens: whether its linear layers read tokens or timesteps cannot be seen"):
        rp.record(Tokens(), IMAGE, tmp_path / "net", timesteps=3, scale=SCALE)
    found = rp.record(Tokens(), IMAGE, tmp_path / "net", timesteps=3, scale=SCALE, time="steps")
    layer = load_capture(found.path).layers[1]
    assert layer.spikes.shape == (3, 12, 6, 1) and "tokens: 6" in found.layers_file.read_text()


def odd(part):
    return nn.Sequential(nn.Conv2d(1, 4, 3), Neuron(), part, nn.Flatten())


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: nn.ReLU(), {}, "ReLU: no layer reads spikes: it has no Conv2d and no Linear"),
        (
            lambda: nn.Sequential(nn.Conv2d(3, 4, 3)),
            {},
            "Sequential: its forward pass fails on .1, 1, 8, 8.: .*3 channels",
        ),
        (lambda: layers(Neuron), dict(timesteps=0), "timesteps must be an integer of at least 1, not 0"),
        (
            lambda: layers(Neuron),
            dict(time="never"),
            "time must be one of auto, steps, frames, folded, once, not 'never'",
        ),
        (lambda: "net", {}, "module must be a torch.nn.Module, not 'str'"),
        (lambda: odd(nn.Conv2d(4, 4, 3, dilation=2)), {}, "2: its dilation is .2, 2., and captures have none"),
        (lambda: odd(nn.Conv2d(4, 4, (1, 3))), {}, "2: its kernel_size .1, 3. differs in the two directions"),
        (lambda: odd(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")), {}, "2: its padding is 'reflect'"),
        (lambda: layers(lambda: nn.Tanh()), {}, "it reads negative values, which are no spikes"),
    ],
)
def test_mistakes_are_told_by_name(tmp_path, make, options, message):
    with pytest.raises(RepriseError, match=message):
        rp.record(make(), IMAGE, tmp_path / "net", **{**dict(timesteps=T, scale=SCALE), **options})


def test_spikingjelly_in_both_modes_and_with_its_own_loop(tmp_path):
    sj = pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")
    from spikingjelly.activation_based import functional, layer, neuron

    class Whole(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body = body

        def forward(self, x):
            return self.body(x.unsqueeze(0).repeat(T, 1, 1, 1, 1)).mean(0)

    assert sj is not None
    torch.manual_seed(1)
    parts = [layer.Conv2d(1, 4, 3), neuron.LIFNode(tau=1.8, v_threshold=0.2), layer.MaxPool2d(2), layer.Flatten()]
    net = nn.Sequential(*parts, layer.Linear(36, 10), neuron.IFNode(v_threshold=0.2))
    single = rp.record(net, IMAGE, tmp_path / "s", timesteps=T, scale=SCALE)
    functional.set_step_mode(net, "m")
    multi = rp.record(net, IMAGE, tmp_path / "m", timesteps=T, scale=SCALE)
    whole = rp.record(Whole(net), IMAGE, tmp_path / "w", timesteps=T, scale=SCALE)
    assert single.path.read_bytes() == multi.path.read_bytes()
    first, second = load_capture(single.path).layers[0], load_capture(whole.path).layers[0]
    assert 0.05 < first.spikes.mean() and np.array_equal(first.spikes, second.spikes)


def test_the_command_and_what_density_says(tmp_path, monkeypatch):
    (tmp_path / "recorded_nets.py").write_text(
        "import torch\nfrom torch import nn\nfrom reprise.export.nn.neurons import MultiLevelIF as N\n"
        "def make():\n    torch.manual_seed(1)\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), N(1, 4, threshold=0.1), nn.Flatten(), nn.Linear(144, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = reprise("record", "recorded_nets:make", "--timesteps", "4", "--input-scale", "0.0625")
    assert done.code == 0 and "0: left out: it reads the image itself" in done.out, done.err
    assert "capture: make.npz, layers: make.yaml" in done.out
    done = reprise("density", "make.npz", "--config", "tiny")
    assert done.code == 0 and "4 x 144" in done.out
    done = reprise("record", "recorded_nets:make", "--timesteps", "4")
    assert done.code == 2 and "--input-scale must be given" in done.err
    done = reprise("record", "recorded_nets:make", "--image", "360", "--input-scale", "1")
    assert done.code == 2 and "--image must be below 360, the number of test images, not 360" in done.err
