"""QONNX files: QONNX's own executor is the oracle, and what has no exact form is refused by name."""

import numpy as np
import pytest
import torch
from torch import nn

import reprise as rp
from reprise.export import ptq
from reprise.export.importers.qonnx.read import read
from reprise.export.trace.lower import prepare
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.support.errors import RepriseError

onnx = pytest.importorskip("onnx", reason="`make frameworks` has it in an environment of its own")
qonnx = pytest.importorskip("qonnx", reason="`make frameworks` has it in an environment of its own")
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from qonnx.transformation.infer_shapes import InferShapes  # noqa: E402

from tests.frameworks.qonnx_files import (  # noqa: E402
    REFUSED,
    SEED,
    File,
    branches,
    floors,
    matrices,
    normed,
    plain,
    residual,
    turned,
)

torch.set_num_threads(1)
SCALE = 1 / 16
IMAGES = np.random.default_rng(SEED).integers(0, 17, (16, 1, 8, 8)).astype(np.uint8)
PIXELS = IMAGES.astype(np.float32) * SCALE
PAPER = HardwareConfig.load("paper")
OPTIONS = dict(name="x", timesteps=1, input_levels=16, input_scale=SCALE)


FILES = {f.__name__: f for f in (plain, normed, matrices, residual, floors, branches, turned)}


def by_qonnx(path, names):
    """What QONNX's own executor gives for each image, by the names of values."""
    model, found = ModelWrapper(str(path)).transform(InferShapes()), {name: [] for name in names}
    for pixel in PIXELS:
        values = execute_onnx(model, {model.graph.input[0].name: pixel[None]}, return_full_exec_context=True)
        for name in names:
            found[name].append(values[name][0])
    return {name: np.stack(parts) for name, parts in found.items()}


@pytest.mark.parametrize("kind", FILES)
def test_levels_and_scores_are_those_of_qonnx(tmp_path, kind):
    f = File()
    path = f.save(tmp_path / "x.onnx", FILES[kind](f))
    graph = read(path)
    neurons = [n for n in graph.nodes if n.op == "neuron"]
    names = {n.name: next(s.output for s in graph.source.steps if s.name == n.name) for n in neurons}
    theirs = by_qonnx(path, [*names.values(), graph.source.output])
    ours = graph.source(torch.tensor(PIXELS).double())
    scores = theirs[graph.source.output].reshape(16, -1)
    assert np.allclose(ours.output.reshape(16, -1), scores, atol=1e-4), "the reference is not QONNX"
    result = ptq.quantize(
        graph, IMAGES, HardwareConfig.load("paper"), name="x", timesteps=1, input_levels=16, input_scale=SCALE
    )
    net = prepare(read(path), input_shape=(1, 8, 8), input_levels=16, input_scale=SCALE, fold=True).eval()
    lowered = net.quantize(False).trace(torch.tensor(IMAGES).float())[0]
    for layer in net.layers:
        if layer.origin:
            levels = np.rint(theirs[names[layer.origin]] / layer.unit)
            levels = torch.tensor(levels).reshape(lowered[layer.name][0].shape) if not layer.pool else None
            if levels is not None:
                assert 0.02 < float((levels > 0).double().mean()) < 0.99, "the network says nothing"
                assert float((lowered[layer.name][0] == levels).double().mean()) > 0.998, layer.name
    predicted = run(result.network, IMAGES).predictions
    assert float((predicted == scores.argmax(1)).mean()) > 0.9
    kept = [c for c in result.changes if "its weights are the integers of the source network" in c]
    assert len(kept) >= (2 if kind not in ("residual", "branches") else 1), result.changes


def trained_file(tmp_path, **export):
    import brevitas.nn as qnn
    from brevitas.export import export_qonnx

    torch.manual_seed(1)
    parts = [qnn.QuantConv2d(1, 4, 3, padding=1, weight_bit_width=4, bias=False), nn.BatchNorm2d(4)]
    parts += [qnn.QuantReLU(bit_width=4), nn.MaxPool2d(2), nn.Flatten(), qnn.QuantLinear(64, 10, bias=True)]
    net = nn.Sequential(*parts)
    net.train()(torch.tensor(PIXELS))
    network = rp.quantize(net.eval(), IMAGES, levels=16, scale=SCALE).network  # an exported module is another one
    export_qonnx(net, args=torch.tensor(PIXELS[:1]), export_path=str(tmp_path / "b.onnx"), **export)
    return network, tmp_path / "b.onnx"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [False, True])
def test_a_file_of_brevitas_gives_the_integers_of_the_module(tmp_path, dynamo):
    theirs, path = trained_file(tmp_path, **({} if dynamo else dict(dynamo=False)))
    ours = ptq.quantize(read(path), IMAGES, PAPER, **OPTIONS).network
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        assert np.array_equal(one.sources[0].weight, other.sources[0].weight)
        assert np.abs(one.neuron.threshold - other.neuron.threshold).max() <= 1
        assert np.abs(one.neuron.bias - other.neuron.bias).max() <= 1


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_exact_form_is_refused(tmp_path, kind):
    make, message = REFUSED[kind]
    f = File()
    with pytest.raises(RepriseError, match=message):
        graph = read(f.save(tmp_path / "x.onnx", make(f)))
        ptq.quantize(
            graph, IMAGES, HardwareConfig.load("paper"), name="x", timesteps=1, input_levels=16, input_scale=SCALE
        )


def test_files_that_are_none(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no ONNX")
    with pytest.raises(RepriseError, match="x.onnx: must be an ONNX file"):
        read(tmp_path / "x.onnx")
    f = File()
    path = f.save(tmp_path / "y.onnx", plain(f))
    with pytest.raises(RepriseError, match="quantized activations have no time, and T is 4; give timesteps=1"):
        read(path, timesteps=4)
