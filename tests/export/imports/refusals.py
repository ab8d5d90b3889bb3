"""Every construct that an import refuses, with its message.

``python -m tests.export.imports.refusals`` prints the golden file.
A line is added here with every new refusal; tests/export/imports/test_refusals.py compares the messages with
tests/golden/refusals.txt.
"""

from collections.abc import Callable, Iterator

import nir
import numpy as np
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer, neuron
from torch import nn

from reprise.export import ptq
from reprise.export.importers import nir as nir_import
from reprise.export.nn.attention import AttentionProducts
from reprise.export.nn.membrane import MembraneStream
from reprise.export.nn.neurons import MultiLevelIF
from reprise.support.errors import RepriseError
from tests.export.imports.nir_graphs import cells, chain, convolution, joined, leaky, mlp, weights
from tests.support.export_helpers import PAPER

S = nn.Sequential


class Net(nn.Module):
    """conv, neuron and fc, whose forward pass is ``f(self, x)``."""

    def __init__(self, f, **modules):
        super().__init__()
        self.f = f
        for name, module in {**trunk(), **modules}.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.f(self, x)


class TwoInputs(nn.Module):
    def forward(self, x, state):
        return x + state


class Doubled(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) * 2


def trunk():
    return dict(conv=nn.Conv2d(1, 4, 3), neuron=MultiLevelIF(4, threshold=2.0), fc=nn.Linear(144, 10))


def tail(size=144):
    return nn.Flatten(), nn.Linear(size, 10)


def fires(m, x):
    return m.neuron(m.conv(x))


def filled(value):
    module = S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), *tail())
    module[0].weight.data[1, 0, 0, 0] = value
    return module


MODULES: dict[str, Callable[[], nn.Module]] = {
    "a kernel with much more padding of its columns": lambda: S(
        nn.Conv2d(1, 4, (1, 7), padding=(0, 6)), MultiLevelIF(4), *tail(64)
    ),
    "a stride that is not square": lambda: S(nn.Conv2d(1, 4, 3, stride=(2, 1)), MultiLevelIF(4), *tail(72)),
    "a large stride": lambda: S(nn.Conv2d(1, 4, 4, stride=4), MultiLevelIF(4), *tail(16)),
    "a large kernel": lambda: S(nn.Conv2d(1, 4, 8), MultiLevelIF(4), *tail(4)),
    "a large dilation": lambda: S(nn.Conv2d(1, 4, 3, dilation=4, padding=4), MultiLevelIF(4), *tail(256)),
    "padding by reflection": lambda: S(
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), MultiLevelIF(4), *tail(256)
    ),
    "a transposed convolution": lambda: S(nn.ConvTranspose2d(1, 4, 3), MultiLevelIF(4), *tail(400)),
    "a subclass with a forward pass of its own": lambda: S(Doubled(1, 4, 3), MultiLevelIF(4), *tail()),
    "weights without a shape": lambda: S(nn.Flatten(), nn.LazyLinear(20), MultiLevelIF(4), nn.Linear(20, 10)),
    "a weight that is NaN": lambda: filled(float("nan")),
    "a weight that is infinite": lambda: filled(float("inf")),
    "a max pool of levels that overlaps": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.MaxPool2d(3, 2), *tail(16)),
    "a max pool of currents that overlaps": lambda: S(
        nn.Conv2d(1, 4, 3), nn.MaxPool2d(3, 2), MultiLevelIF(4), *tail(16)
    ),
    "a max pool of stride 3 that overlaps": lambda: S(
        nn.Conv2d(1, 4, 3), MultiLevelIF(1), nn.MaxPool2d(4, 3), *tail(4)
    ),
    "a Conv1d over several tokens": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.Conv1d(4, 4, 3), *tail(16)),
    "a max pool with dilation": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(1), nn.MaxPool2d(2, 2, 0, 2), *tail(16)),
    "an average pool that overlaps": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.AvgPool2d(3, 2), *tail(16)),
    "a max pool with ceil_mode": lambda: S(
        nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.MaxPool2d(4, ceil_mode=True), *tail(16)
    ),
    "an average pool of a current by 3": lambda: S(nn.Conv2d(1, 4, 3), nn.AvgPool2d(3), MultiLevelIF(4), *tail(16)),
    "an average pool by 3 at the end": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.AvgPool2d(3)),
    "a max pool of currents over time": lambda: S(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), MultiLevelIF(4, 4), *tail(36)),
    "a flattened map at the end": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.Flatten()),
    "flattening a part": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.Flatten(2), nn.Linear(36, 10)),
    "two convolutions in a row": lambda: S(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 1), MultiLevelIF(4), *tail()),
    "a batch norm of spikes": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.BatchNorm2d(4), *tail()),
    "a batch norm without statistics": lambda: S(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), MultiLevelIF(4), *tail()
    ),
    "a plain ReLU": lambda: S(nn.Conv2d(1, 4, 3), nn.ReLU(), *tail()),
    "F.relu": lambda: Net(lambda m, x: m.fc(torch.flatten(F.relu(m.conv(x)), 1))),
    "a softmax": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), *tail(), nn.LogSoftmax(1)),
    "an LSTM": lambda: S(nn.Flatten(), nn.LSTM(64, 10)),
    "attention": lambda: S(nn.Flatten(), nn.Linear(64, 16), nn.MultiheadAttention(16, 2)),
    "attention as products of tensors": lambda: Net(
        lambda m, x: (lambda z: m.fc(torch.flatten(torch.matmul(z, z), 1)))(fires(m, x))
    ),
    "attention whose V has many levels": lambda: Net(
        lambda m, x: (lambda z: m.fc(torch.flatten(m.two(m.products(z, z, z)), 1)))(fires(m, x)),
        **dict(neuron=MultiLevelIF(200), products=AttentionProducts(2), two=MultiLevelIF(4)),
    ),
    "attention whose Q is real-valued": lambda: Net(
        lambda m, x: (lambda z: m.fc(torch.flatten(m.two(m.products(m.query(z), z, z)), 1)))(fires(m, x)),
        **dict(query=nn.Conv2d(4, 4, 1), products=AttentionProducts(2), two=MultiLevelIF(4)),
    ),
    "a join behind attention without a neuron": lambda: Net(
        lambda m, x: (lambda z: m.fc(torch.flatten(m.two(m.products(z, z, z) + z), 1)))(fires(m, x)),
        **dict(products=AttentionProducts(2), two=MultiLevelIF(4)),
    ),
    "a stored current in front of a convolution": lambda: Net(
        lambda m, x: m.fc(torch.flatten(m.neuron(m.b((lambda y: m.join(y, m.a(m.one(y))))(m.conv(x)))), 1)),
        **dict(join=MembraneStream(), one=MultiLevelIF(4), a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1)),
    ),
    "a stored current at the end": lambda: Net(
        lambda m, x: (lambda y: m.join(y, m.a(m.neuron(y))))(m.conv(x)),
        **dict(join=MembraneStream(), a=nn.Conv2d(4, 4, 1)),
    ),
    "a layer norm": lambda: S(nn.Conv2d(1, 4, 3), nn.LayerNorm([4, 6, 6]), MultiLevelIF(4), *tail()),
    "an inner softmax": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), nn.Softmax(1), *tail()),
    "concatenation of maps of two sizes": lambda: Net(
        lambda m, x: m.fc(torch.flatten(torch.cat([fires(m, x), x], 1), 1))
    ),
    "concatenation of rows": lambda: Net(
        lambda m, x: m.fc(torch.flatten((lambda z: torch.cat([z, z], 2))(fires(m, x)), 1))
    ),
    "concatenation of images": lambda: Net(
        lambda m, x: m.fc(torch.flatten((lambda z: torch.cat([z, z]))(fires(m, x)), 1))
    ),
    "concatenation of spikes and a current": lambda: Net(
        lambda m, x: m.fc(torch.flatten(m.two(torch.cat([fires(m, x), m.more(x)], 1)), 1)),
        **dict(more=nn.Conv2d(1, 4, 3), two=MultiLevelIF(4), fc=nn.Linear(288, 10)),
    ),
    "a product of maps": lambda: Net(lambda m, x: (lambda z: m.fc(torch.flatten(z * z, 1)))(fires(m, x))),
    "a map minus a number": lambda: Net(lambda m, x: m.fc(torch.flatten(m.neuron(m.conv(x - 0.5)), 1))),
    "a parameter of the module itself": lambda: Net(
        lambda m, x: m.fc(torch.flatten(m.neuron(m.conv(x) * m.gain), 1)), gain=nn.Parameter(torch.ones(4, 1, 1))
    ),
    "a branch on data": lambda: Net(lambda m, x: m.fc(torch.flatten(fires(m, x), 1)) if x.sum() > 0 else x),
    "a module used twice": lambda: Net(lambda m, x: m.fc(torch.flatten(m.neuron(m.conv(x) + m.conv(x)), 1))),
    "a view that mixes images": lambda: Net(lambda m, x: m.fc(fires(m, x).view(-1, 36))),
    "dropout that stays on": lambda: Net(lambda m, x: m.fc(torch.flatten(F.dropout(fires(m, x)), 1))),
    "a forward pass of two inputs": TwoInputs,
    "a tuple of outputs": lambda: Net(lambda m, x: (fires(m, x), x)),
    "a dict of outputs": lambda: Net(lambda m, x: {"scores": fires(m, x)}),
    "nothing returned": lambda: Net(lambda m, x: None),
    "another T": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(1, 4), *tail()),
    "an empty network": lambda: S(),
    "DataParallel": lambda: nn.DataParallel(S(nn.Flatten(), nn.Linear(64, 10))),
    "a hook that changes values": lambda: hooked(),
    "a layer that never fires": lambda: S(nn.Conv2d(1, 4, 3), MultiLevelIF(4, threshold=1e9), *tail()),
    "SpikingJelly: another neuron": lambda: S(layer.Conv2d(1, 4, 3), neuron.KLIFNode(), *tail()),
    "SpikingJelly: a threshold below the reset": lambda: S(
        layer.Conv2d(1, 4, 3), neuron.IFNode(v_threshold=0.1, v_reset=0.2), *tail()
    ),
    "SpikingJelly: another norm": lambda: S(
        layer.Conv2d(1, 4, 3), layer.TemporalEffectiveBatchNorm2d(1, 4), neuron.IFNode(), *tail()
    ),
}


def hooked():
    module = S(nn.Conv2d(1, 4, 3), MultiLevelIF(4), *tail())
    module[0].register_forward_hook(lambda _module, _inputs, out: out * 2)
    return module


GRAPHS: dict[str, Callable[[], nir.NIRGraph]] = {
    "NIR: CubaLIF": lambda: mlp(
        nir.CubaLIF(
            tau_syn=np.ones(20), tau_mem=np.ones(20), r=np.ones(20), v_leak=np.zeros(20), v_threshold=np.ones(20)
        )
    ),
    "NIR: LI": lambda: mlp(cells(), nir.LI(tau=np.ones(20), r=np.ones(20), v_leak=np.zeros(20))),
    "NIR: Delay": lambda: mlp(cells(), nir.Delay(delay=np.ones(20))),
    "NIR: a graph in a graph": lambda: mlp(chain(cells(), shape=(20,), out=(20,))),
    "NIR: a threshold for each position": lambda: chain(
        nir.Conv2d((8, 8), weights(10, 1, 3, 3), 1, 0, 1, 1, np.zeros(10, np.float32)),
        nir.IF(r=np.ones((10, 6, 6)), v_threshold=np.abs(weights(10, 6, 6)) + 1, v_reset=np.zeros((10, 6, 6))),
        out=(10, 6, 6),
    ),
    "NIR: a factor for each position": lambda: chain(
        nir.Scale(scale=np.abs(weights(1, 8, 8)) + 1),
        *list(convolution().nodes.values())[1:-1],
        out=(10, 6, 6),
    ),
    "NIR: a factor of another shape": lambda: chain(
        nir.Scale(scale=np.ones((5, 8, 8)) * 2 + np.arange(5)[:, None, None]),
        *list(convolution().nodes.values())[1:-1],
        out=(10, 6, 6),
    ),
    "NIR: a factor that is zero": lambda: mlp(nir.Scale(scale=np.zeros(20)), cells()),
    "NIR: a threshold below the reset": lambda: mlp(cells(v_reset=np.full(20, 2.0))),
    "NIR: a time constant below a timestep": lambda: mlp(leaky(tau=np.full(20, 0.5))),
    "NIR: a time constant of zero": lambda: mlp(leaky(tau=np.zeros(20))),
    "NIR: a time constant for each position": lambda: chain(
        nir.Conv2d((8, 8), weights(10, 1, 3, 3), 1, 0, 1, 1, np.zeros(10, np.float32)),
        nir.LIF(
            tau=np.abs(weights(10, 6, 6)) + 2,
            r=np.ones((10, 6, 6)),
            v_leak=np.zeros((10, 6, 6)),
            v_threshold=np.ones((10, 6, 6)),
        ),
        out=(10, 6, 6),
    ),
    "NIR: I in front of a neuron": lambda: mlp(nir.I(r=np.ones(20)), cells()),
    "NIR: a factor without a value": lambda: mlp(nir.Scale(scale=np.zeros(0)), cells()),
    "NIR: a threshold that is NaN": lambda: mlp(cells(v_threshold=np.full(20, np.nan))),
    "NIR: a bias of another length": lambda: mlp(cells(), nir.Affine(weights(20, 20), weights(3)), cells()),
    "NIR: an edge to nowhere": lambda: joined(("n2", "nowhere")),
    "NIR: a padding below zero": lambda: convolution(padding=-1),
    "NIR: a large kernel": lambda: convolution(kernel=(1, 8)),
    "NIR: a large dilation": lambda: convolution(dilation=4, padding=4),
    "NIR: a stride that is not square": lambda: convolution(stride=(1, 2)),
    "NIR: flattening a part": lambda: chain(
        *list(convolution().nodes.values())[1:-1],
        nir.Flatten(input_type=np.array([10, 6, 6]), start_dim=1),
        nir.Affine(weights(10, 360), weights(10)),
    ),
    "NIR: two linear maps in a row": lambda: mlp(nir.Linear(weight=weights(20, 20))),
    "NIR: a cycle": lambda: joined(("n2", "n1")),
    "NIR: an edge twice": lambda: joined(("n1", "n2")),
    "NIR: a node without input": lambda: joined(("free", "n3"), nodes={"free": cells()}),
    "NIR: two outputs": lambda: joined(("n2", "more"), nodes={"more": nir.Output(output_type=np.array([20]))}),
    "NIR: images of another size": lambda: chain(nir.Affine(weights(10, 784), weights(10)), shape=(784,)),
}


def messages() -> Iterator[str]:
    """Yield a line for each construct; a construct that is taken, or fails in another way, is no line of the file."""
    images = np.random.default_rng(1).integers(0, 17, (4, 1, 8, 8)).astype(np.uint8)
    for name, make in {**MODULES, **GRAPHS}.items():
        torch.manual_seed(0)
        timesteps = 4 if "over time" in name else 1
        try:
            made = make()
            if name in GRAPHS:
                graph = nir_import.read(made, timesteps=1, per_step=True)
            else:
                graph = ptq.graph_of(made.eval(), timesteps=timesteps)
            ptq.quantize(graph, images, PAPER, name="n", timesteps=timesteps, input_levels=16)
        except RepriseError as error:
            yield f"{name}\n    {error}"
        else:
            yield f"{name}\n    IT IS TAKEN"


if __name__ == "__main__":
    print("\n".join(messages()))
