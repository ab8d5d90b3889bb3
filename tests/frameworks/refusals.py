"""Every construct of snnTorch, Norse, Brevitas and QONNX files that an import refuses, with its message.

``make frameworks`` makes the environment, whose Python prints the golden file: ``python -m tests.frameworks.refusals``.
A line is added here with every new refusal; tests/frameworks/test_refusals.py compares the messages with
tests/golden/refusals-frameworks.txt.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import brevitas.nn as qnn
import norse.torch as norse
import numpy as np
import snntorch as snn
import torch
from brevitas.quant import Fp8e4m3Act, MXInt8Weight, ShiftedUint8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import nn

import reprise as rp
from reprise.export import ptq
from reprise.export.importers.qonnx.read import read
from reprise.support.errors import RepriseError
from tests.frameworks import norse_networks, qonnx_files, snntorch_networks
from tests.support.export_helpers import PAPER

S = nn.Sequential
OPTIONS = dict(name="x", timesteps=1, input_levels=16, input_scale=1 / 16)
IMAGES = np.random.default_rng(1).integers(0, 17, (4, 1, 8, 8)).astype(np.uint8)


def behind(neuron):
    return lambda: S(nn.Flatten(), nn.Linear(64, 10), neuron())


def leaky(**options):
    return lambda: snntorch_networks.sequential(**{**dict(beta=0.9, reset_mechanism="zero"), **options})


class Ends(snntorch_networks.Loop):
    """A loop over the timesteps whose network returns something else."""

    def forward(self, x):
        mem, kept = self.lif1.init_leaky(), []
        for _ in range(snntorch_networks.T):
            spikes, mem = self.lif1(self.fc1(x.flatten(1)), mem)
            kept.append(dict(potentials=mem, list=spikes, last=spikes)[self.ends])
        return dict(potentials=torch.stack, list=list, last=lambda one: one[-1])[self.ends](kept)


def cell(make):
    return lambda: norse_networks.network(make)


def quantized(*parts, c=4):
    return lambda: S(qnn.QuantConv2d(1, c, 3), *parts, nn.Flatten(), nn.Linear(36 * c, 10))


MODULES: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "snnTorch: a delayed reset by subtraction with a leak": (5, leaky(reset_mechanism="subtract")),
    "snnTorch: inhibition": (5, leaky(inhibition=True)),
    "snnTorch: a second threshold that is subtracted": (
        5,
        leaky(reset_mechanism="subtract", reset_delay=False, threshold=0.1),
    ),
    "snnTorch: Synaptic": (5, behind(lambda: snn.Synaptic(alpha=0.5, beta=0.9, init_hidden=True))),
    "snnTorch: Lapicque": (5, behind(lambda: snn.Lapicque(beta=0.9, init_hidden=True))),
    "snnTorch: Alpha": (5, behind(lambda: snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True))),
    "snnTorch: RLeaky": (5, behind(lambda: snn.RLeaky(beta=0.9, linear_features=10, init_hidden=True))),
    "snnTorch: a threshold below zero": (5, leaky(threshold=-1.0)),
    "snnTorch: another number of steps": (4, snntorch_networks.Loop),
    "snnTorch: a beta that is NaN": (5, leaky(beta=float("nan"))),
    "snnTorch: spikes of several heights": (5, leaky(graded_spikes_factor=torch.arange(1.0, 5.0).view(4, 1, 1))),
    "snnTorch: a subclass": (
        5,
        behind(lambda: type("MyLeaky", (snn.Leaky,), {"forward": lambda self, x: x})(beta=0.9, init_hidden=True)),
    ),
    "snnTorch: potentials as the output": (5, lambda: Ends("potentials")),
    "snnTorch: a list of timesteps as the output": (5, lambda: Ends("list")),
    "snnTorch: the last timestep as the output": (5, lambda: Ends("last")),
    "Norse: LIFCell": (4, cell(norse.LIFCell)),
    "Norse: a subclass": (4, cell(lambda: type("MyCell", (norse.LIFBoxCell,), {"forward": lambda *_: None})())),
    "Norse: LIFRecurrentCell": (4, cell(lambda: norse.LIFRecurrentCell(4, 4))),
    "Norse: a threshold below the reset": (4, cell(lambda: norse_networks.box(v_reset=2.0))),
    "Norse: a time constant below a timestep": (4, cell(lambda: norse_networks.box(tau_mem_inv=2000.0))),
    "Brevitas: QuantIdentity behind a layer": (1, quantized(qnn.QuantIdentity())),
    "Brevitas: QuantTanh": (1, quantized(qnn.QuantTanh())),
    "Brevitas: a transposed convolution": (1, lambda: S(qnn.QuantConvTranspose2d(1, 4, 3), qnn.QuantReLU())),
    "Brevitas: QuantReLU without quantization": (1, quantized(qnn.QuantReLU(act_quant=None))),
    "Brevitas: a zero point of weights": (
        *(1, lambda: S(nn.Flatten(), qnn.QuantLinear(64, 10, True, weight_quant=ShiftedUint8WeightPerTensorFloat))),
    ),
    "Brevitas: quantization inside of a layer": (
        *(1, lambda: S(nn.Flatten(), qnn.QuantLinear(64, 10, True, output_quant=Uint8ActPerTensorFloat))),
    ),
    "Brevitas: activations in floating point": (1, quantized(qnn.QuantReLU(act_quant=Fp8e4m3Act))),
    "Brevitas: a scale for each group of weights": (
        1,
        lambda: S(nn.Flatten(), qnn.QuantLinear(64, 10, True, weight_quant=MXInt8Weight)),
    ),
    "Brevitas: weights of one narrow bit": (
        1,
        lambda: S(qnn.QuantConv2d(1, 4, 3, weight_bit_width=1), qnn.QuantReLU()),
    ),
    "Brevitas: several timesteps": (4, quantized(qnn.QuantReLU())),
}


def of_module(timesteps: int, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    rp.quantize(make().eval(), IMAGES, levels=16, scale=1 / 16, timesteps=timesteps)


def of_file(make: Callable[[qonnx_files.File], str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = qonnx_files.File()
        graph = read(file.save(Path(folder) / "x.onnx", make(file)))
        ptq.quantize(graph, IMAGES, PAPER, **OPTIONS)


def messages() -> Iterator[str]:
    """Yield a line for each construct; a construct that is taken, or fails in another way, is no line of the file."""
    tries: dict[str, Callable[[], None]] = {
        name: lambda given=given: of_module(*given) for name, given in MODULES.items()
    }
    tries |= {f"QONNX: {name}": lambda make=make: of_file(make) for name, (make, _) in qonnx_files.REFUSED.items()}
    for name, attempt in tries.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                attempt()
        except RepriseError as error:
            yield f"{name}\n    {error}"
        else:
            yield f"{name}\n    IT IS TAKEN"


if __name__ == "__main__":
    print("\n".join(messages()))
