"""Quantizes an imported network after its training: it lowers, calibrates, measures, and lists what changed."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..model.hardware import Hardware, sizes
from ..model.network.network import Network
from ..support.checks import require
from .importers import spikingjelly
from .qat import check, deploy
from .qat.layers import QatLayer
from .qat.network import QatNetwork
from .trace.graph import Graph, trace
from .trace.lower import prepare
from .train import train
from .train.datasets import Dataset

SAMPLES, CHECKED, COARSE = 64, 8, 16


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import gives.

    Members
    -------
    network : the integer network
    changes : every numerical difference from the source network, as sentences
    agreement : for each layer, the share of its levels that equal those of the same network without rounding, on the
        calibration images
    statistics, widths, hardware, accuracy, samples : as :func:`reprise.model.files.network_file.save` takes them
    """

    network: Network
    changes: tuple
    agreement: dict
    statistics: dict
    widths: dict
    hardware: dict
    accuracy: dict | None
    samples: tuple | None


@torch.no_grad()
def agreement(net: QatNetwork, images: np.ndarray) -> dict:
    """Return, for each spiking layer, the share of levels that are the same with and without rounding."""
    pixels = torch.tensor(images).float()
    rounded = net.quantize(True).trace(pixels)[0]
    plain = net.quantize(False).trace(pixels)[0]
    net.quantize(True)
    return {y.name: float((rounded[y.name] == plain[y.name]).double().mean()) for y in net.layers if not y.readout}


def graph_of(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a module, whose neurons may be ours or SpikingJelly's."""
    if any(type(part).__module__.startswith("spikingjelly.") for part in module.modules()):
        return spikingjelly.read(module, timesteps=timesteps)
    return trace(module)


def convert(
    graph: Graph,
    data: Dataset,
    hardware: Hardware,
    *,
    name: str,
    timesteps: int,
    input_scale: float = 1.0,
    images: int = 64,
) -> Imported:
    """Turn a traced graph into an integer network, which a data set calibrates and measures.

    Parameters
    ----------
    graph : from :mod:`reprise.export.importers.nir` or :mod:`reprise.export.importers.spikingjelly`
    data : reprise.export.train.datasets.Dataset
        Encodings and agreement come from its first ``images`` training images, the accuracy from its test images.
    hardware : the configuration that encodings are chosen for, and whose widths must hold every sum
    input_scale : the source network was trained on ``pixel * input_scale``

    Raises
    ------
    UnsupportedError
        The accelerator cannot run the network; the message names the part and says what to do.
    reprise.model.inference.widths.WidthError
        A sum could overflow.
    """
    return quantize(
        graph,
        data.train_images[:images],
        hardware,
        name=name,
        timesteps=timesteps,
        input_levels=data.levels,
        input_scale=input_scale,
        test=data,
    )


def quantize(
    graph: Graph,
    calibration: np.ndarray,
    hardware: Hardware,
    *,
    name: str,
    timesteps: int,
    input_levels: int,
    input_scale: float = 1.0,
    test: Dataset | None = None,
) -> Imported:
    """Turn a traced graph into an integer network, calibrated on images uint8[n, C, H, W] of 0..``input_levels``.

    The accuracy and the samples come from ``test``; without it there are none. Everything else is as for
    :func:`convert`.
    """
    net = prepare(
        graph,
        input_shape=calibration.shape[1:],
        input_levels=input_levels,
        timesteps=timesteps,
        input_scale=input_scale,
        fold=True,
    ).eval()
    for parameter, values in net.named_parameters():
        require(bool(values.isfinite().all()), parameter, "finite numbers", "NaN or infinite")
    images = len(calibration)
    changes = list(graph.changes)
    shares = agreement(net, calibration)
    changes.append("weights are int8 with one scale per output channel (the readout: one scale for all)")
    changes.append("thresholds, biases and initial potentials are rounded to whole weight steps")
    for layer, share in shares.items():
        changes.append(
            f"{layer}: {100 * share:.2f} % of its spikes equal the network without rounding on {images} images"
        )
    network, statistics, widths = deploy.deploy(net, name, calibration, hardware)
    for layer in network.layers:
        least = int(layer.neuron.threshold.min())
        if layer.neuron.levels and least < COARSE and not all(s.fixed for s in _layer(net, layer.name).specs):
            changes.append(f"{layer.name}: a threshold of only {least} weight steps is coarse; fine-tune with training")
    report = check.compare(network, calibration[:CHECKED], net)
    if report.difference is not None:
        raise ValueError(f"the imported network and the model differ: {report.difference}")
    accuracy, samples = None, None
    if test is not None:
        integer, _ = train.evaluate(net, test.test_images, test.test_labels)
        plain, _ = train.evaluate(net.quantize(False), test.test_images, test.test_labels)
        accuracy = {"dataset": test.name, "images": len(test.test_images), "integer": integer, "float": plain}
        samples = (np.asarray(test.test_images[:SAMPLES]), test.test_labels[:SAMPLES])
    return Imported(
        network=network,
        changes=tuple(changes),
        agreement=shares,
        statistics=statistics,
        widths=widths,
        hardware=sizes(hardware),
        accuracy=accuracy,
        samples=samples,
    )


def _layer(net: QatNetwork, name: str) -> QatLayer:
    return next(layer for layer in net.layers if layer.name == name)
