"""Networks of Brevitas: its levels and its integers are the oracle, and what has no exact form is refused by name."""

import numpy as np
import pytest
import torch
from torch import nn

import reprise as rp
from reprise.export import ptq
from reprise.export.trace.lower import prepare
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.support.errors import RepriseError

qnn = pytest.importorskip("brevitas.nn", reason="`make frameworks` has it in an environment of its own")
from brevitas.quant import (  # noqa: E402
    Int8Bias,
    Int8BiasPerTensorFloatInternalScaling,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8WeightPerTensorFloat,
    Uint8ActPerTensorFloat,
)

torch.set_num_threads(1)
SEED, SCALE = 1, 1 / 16
IMAGES = np.random.default_rng(SEED).integers(0, 17, (24, 1, 8, 8)).astype(np.uint8)
PIXELS = torch.tensor(IMAGES).float() * SCALE


def trained(bits=8, act=4, norm=False, identity=False, tensors=False, weights=Int8WeightPerTensorFloat, **options):
    """A small network after some steps of training, so that scales and statistics are no longer the initial ones."""
    torch.manual_seed(SEED)
    options = dict(weight_bit_width=bits, **options)

    def activation():
        return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=act, return_quant_tensor=tensors)

    def norms(channels):
        return [nn.BatchNorm2d(channels)] if norm else []

    convolution = dict(padding=1, bias=not norm, weight_quant=weights, **options)
    net = nn.Sequential(
        *([qnn.QuantIdentity(bit_width=8, return_quant_tensor=tensors)] if identity else []),
        *(qnn.QuantConv2d(1, 8, 3, **convolution), *norms(8), activation(), nn.MaxPool2d(2)),
        *(qnn.QuantConv2d(8, 12, 3, **convolution), *norms(12), activation(), nn.Flatten()),
        qnn.QuantLinear(192, 10, bias=True, weight_quant=Int8WeightPerTensorFloat, **options),
    ).train()
    optimizer, labels = torch.optim.Adam(net.parameters(), 3e-3), torch.randint(0, 10, (len(IMAGES),))
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.cross_entropy(value(net(PIXELS)), labels).backward()
        optimizer.step()
    return net.eval()


def value(out):
    return out if isinstance(out, torch.Tensor) else out.value


def own_levels(net):
    """The levels of each activation and the scores, by Brevitas alone."""
    levels, x = [], PIXELS
    with torch.no_grad():
        for module in net:
            x = module(x)
            if hasattr(module, "act_quant"):
                levels.append((value(x) / module.act_quant.scale()).round())
    return levels, value(x)


KINDS = {
    "8 bits": dict(),
    **{f"activations of {b} bits": dict(act=b) for b in (1, 2, 3, 4)},
    "weights of 4 bits": dict(bits=4),
    "batch norm": dict(norm=True),
    "a scale for each channel": dict(weights=Int8WeightPerChannelFloat),
    "a quantized input": dict(identity=True),
    "quantized tensors and biases": dict(identity=True, tensors=True, bias_quant=Int32Bias),
    "biases that their bits cut": dict(identity=True, tensors=True, bias_quant=Int8Bias),
    "biases with a scale of their own": dict(bias_quant=Int8BiasPerTensorFloatInternalScaling),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_levels_without_rounding_and_integers(kind):
    net = trained(**KINDS[kind])
    levels, scores = own_levels(net)
    assert all(0.02 < float((one > 0).double().mean()) for one in levels), "the network says nothing"
    graph = ptq.graph_of(net, timesteps=1)
    lowered = prepare(graph, input_shape=(1, 8, 8), input_levels=16, input_scale=SCALE, fold=True).eval()
    ours = lowered.quantize(False).trace(torch.tensor(IMAGES).float())[0]
    for mine, theirs in zip([y for y in lowered.layers if not y.readout], levels, strict=True):
        pooled = nn.functional.max_pool2d(theirs, mine.pool.kernel) if mine.pool else theirs
        assert float((ours[mine.name][0] == pooled).double().mean()) > 0.998
    found = rp.quantize(net, IMAGES, levels=16, scale=SCALE)
    assert float((run(found.network, IMAGES).predictions == scores.argmax(1).numpy()).mean()) > 0.8
    quantized = [m for m in net if hasattr(m, "quant_weight")]
    layers = [y for y in found.network.layers if y.sources[0].weight.size > 1]
    for layer, module in zip(layers, quantized, strict=True):
        kept, given = layer.sources[0].weight.astype(int), module.quant_weight().int().numpy().astype(int)
        multiple = np.abs(kept).max() // np.abs(given).max()
        rows = (np.sort(one.reshape(len(kept), -1)) for one in (kept, multiple * given))  # linear columns are moved
        assert np.array_equal(*rows) and (multiple == 1 or "bits" in kind)
    assert any("its weights are the integers of the source network" in change for change in found.changes)


@pytest.mark.filterwarnings("ignore")
def test_eight_bits_need_a_configuration_of_255_levels():
    net = trained(act=8)
    wide = HardwareConfig.from_dict({**HardwareConfig.load("paper").to_dict(), "max_levels": 255})
    network = rp.quantize(net, IMAGES, wide, levels=16, scale=SCALE)
    assert network.network.layers[0].neuron.levels == 255
    levels, _ = own_levels(net)
    ours = run(network.network, IMAGES, record=("features",)).features["3"][:, 0]
    assert np.abs(ours - levels[1].numpy()).mean() < 0.05 * levels[1].numpy().mean()
    rp.estimate_cycles(network, wide, images=1)
    with pytest.raises(RepriseError, match="max_levels"):
        rp.estimate_cycles(network, "paper", images=1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            lambda: nn.Sequential(qnn.QuantConv2d(1, 4, 3), qnn.QuantIdentity(), nn.Flatten()),
            "^1: QuantIdentity behind",
        ),
        (lambda: nn.Sequential(qnn.QuantConv2d(1, 4, 3), qnn.QuantTanh(), nn.Flatten()), "^1: Brevitas' QuantTanh"),
        (
            lambda: nn.Sequential(qnn.QuantConvTranspose2d(1, 4, 3), qnn.QuantReLU()),
            "^0: Brevitas' QuantConvTranspose2d",
        ),
        (lambda: nn.Sequential(qnn.QuantConv2d(1, 4, 3), qnn.QuantReLU(act_quant=None)), "^1: QuantReLU without quant"),
        (
            lambda: nn.Sequential(
                nn.Flatten(), qnn.QuantLinear(64, 10, bias=True, weight_quant=ShiftedUint8WeightPerTensorFloat)
            ),
            "^1: the zero_point of its weights",
        ),
        (
            lambda: nn.Sequential(
                nn.Flatten(), qnn.QuantLinear(64, 10, bias=True, output_quant=Uint8ActPerTensorFloat)
            ),
            "^1: output_quant quantizes inside",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_has_no_exact_form_is_refused(module, message):
    with pytest.raises(RepriseError, match=message):
        rp.quantize(module().eval(), IMAGES, levels=16, scale=SCALE)


def test_there_is_no_time():
    with pytest.raises(RepriseError, match="quantized activations have no time, and T is 4; give timesteps=1"):
        rp.quantize(trained(), IMAGES, levels=16, scale=SCALE, timesteps=4)
