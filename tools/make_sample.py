"""Makes the sample capture that ``reprise density`` shows by default: ``python -m tools.make_sample --write``.

A small network is trained on scikit-learn's digits of 8 x 8 pixels, with activations that are clipped to 0..1 and have
T + 1 steps. It is turned into integer IF neurons with int8 weights and T = 16 timesteps, and the binary spikes at the
inputs of its layers are recorded for one test image. Everything is seeded and runs in one thread.
"""

import io
from typing import Any

import numpy as np
import torch
import typer
from sklearn.datasets import load_digits
from torch import nn

from reprise.model.files.capture import SAMPLE
from reprise.model.inference.layers import flatten_columns
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.support.command_line import Write, commands, example, main

NAME = "python -m tools.make_sample"
T, SEED, IMAGE, EPOCHS = 16, 2, 0, 40
app = commands()


class Steps(nn.Module):
    """clip(floor(x * T + 1/2) / T, 0, 1), an IF neuron's rate over T steps; the gradient is straight-through."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = torch.clamp(torch.floor(x * T + 0.5) / T, 0, 1)
        smooth = torch.clamp(x, 0, 1)
        return smooth + (steps - smooth).detach()


def train() -> tuple[nn.Sequential, np.ndarray, np.ndarray]:
    """Train the network; return it with test images of levels 0..16 and their labels."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8)[:, None], digits.target
    order = np.random.default_rng(SEED).permutation(len(images))
    fit, test = order[:1500], order[1500:]
    x, y = torch.tensor(images[fit]).float() / 16, torch.tensor(labels[fit])
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        Steps(),
        nn.Conv2d(8, 16, 3, padding=1),
        Steps(),
        nn.Conv2d(16, 32, 3, padding=1, stride=2),
        Steps(),
        nn.Flatten(),
        nn.Linear(512, 64),
        Steps(),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    return net, images[test], labels[test]


def integers(net: nn.Sequential) -> Network:
    """Turn the network into integers.

    Weights are int8, thresholds and biases have the scale of the weights, and v0 is half a threshold, so that rates are
    rounded.
    """
    layers, feature, unit = [], "input", 16
    parts = [part for part in net if isinstance(part, nn.Conv2d | nn.Linear)]
    names = ["conv1", "conv2", "conv3", "fc1", "fc2"]
    for name, part in zip(names, parts, strict=True):
        assert part.bias is not None
        weight, bias = part.weight.detach().numpy(), part.bias.detach().numpy()
        scale = 127 / np.abs(weight).max()
        whole = np.round(weight * scale).astype(np.int64)
        if isinstance(part, nn.Linear):
            options: dict[str, Any] = dict(flatten=True)
            whole = flatten_columns(whole, (32, 4, 4) if name == "fc1" else (64, 1, 1))[:, :, None, None]
        else:
            assert isinstance(part.padding, tuple)
            options = dict(stride=part.stride[0], padding=part.padding[0])
        step = round(scale * unit)
        c = np.round(bias * scale * unit).astype(np.int64)
        neuron = Neuron.uniform(len(c), threshold=step)
        neuron = Neuron(**{**vars(neuron), "bias": c, "v0": np.full(len(c), step // 2)})
        if name == "fc2":
            neuron = Neuron.readout(len(c), bias=c)
        source = Source(feature=feature, weight=whole, **options)
        layers.append(Layer(name=name, sources=(source,), neuron=neuron))
        feature, unit = name, 1
    return Network(name="digits_snn", input_shape=(1, 8, 8), input_levels=16, timesteps=T, layers=tuple(layers))


@app.command(epilog=example(f"{NAME} --write"))
def make_sample(write: Write = False) -> None:
    """Train the small network, record its spikes, and make the tracked files of the sample (.npz, .yaml)."""
    net, images, labels = train()
    network = integers(net)
    accuracy = (run(network, images).predictions == labels).mean()
    with torch.no_grad():
        float_accuracy = (net(torch.tensor(images).float() / 16).argmax(1).numpy() == labels).mean()
    print(f"accuracy on {len(images)} test images: {100 * float_accuracy:.1f} % float, {100 * accuracy:.1f} % integer")
    seen = run(network, images[IMAGE : IMAGE + 1], record="features").features
    arrays = {
        "conv2": seen["conv1"][0],
        "conv3": seen["conv2"][0],
        "fc1": seen["conv3"][0].reshape(T, -1),
        "fc2": seen["fc1"][0].reshape(T, -1),
    }
    spikes = io.BytesIO()
    np.savez_compressed(spikes, **{name: array.astype(bool) for name, array in arrays.items()})
    layers = f"""\
# Binary spikes at the layer inputs of a small network trained on scikit-learn digits, one image, {T} timesteps
# (made by `python -m tools.make_sample`; {100 * accuracy:.1f} % of {len(images)} test images right in integers).
# Array axes: convolution (T, C, H, W); fully connected (T, features).
timesteps: {T}
layers:
  - {{name: conv2, kind: conv, in_channels: 8, out_channels: 16, kernel: 3, stride: 1, padding: 1}}
  - {{name: conv3, kind: conv, in_channels: 16, out_channels: 32, kernel: 3, stride: 2, padding: 1}}
  - {{name: fc1, kind: linear, in_features: 512, out_features: 64}}
  - {{name: fc2, kind: linear, in_features: 64, out_features: 10}}
"""
    made = {SAMPLE: spikes.getvalue(), SAMPLE.with_suffix(".yaml"): layers.encode()}
    stale = [path for path, content in made.items() if not path.is_file() or path.read_bytes() != content]
    for path in stale:
        if write:
            path.write_bytes(made[path])
        print(f"{'written' if write else 'differs'}: {path}")
    raise typer.Exit(int(bool(stale) and not write))


if __name__ == "__main__":
    main(app, NAME)
