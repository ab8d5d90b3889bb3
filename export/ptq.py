"""Quantizes an imported network after its training: it lowers, calibrates, measures, and lists what changed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ..model.hardware import Hardware, sizes
from ..model.inference.runner import run
from ..model.network.network import Network
from ..support.checks import require, require_int, require_positive
from ..support.errors import RepriseError
from . import explain as explaining
from . import source_check
from .importers import brevitas, norse, snntorch, spikingjelly, torch_modules
from .qat import check, deploy, membrane
from .qat.layers import QatLayer
from .qat.network import QatNetwork
from .qat.specs import COARSE
from .trace.graph import Graph
from .trace.lower import prepare
from .train import train
from .train.datasets import Dataset

READERS: dict[str, Any] = {
    "spikingjelly": spikingjelly,
    "snntorch": snntorch,
    "brevitas": brevitas,
    "norse": norse,
}
"""The readers of modules by the package whose neurons they know."""
SAMPLES, CHECKED = 64, 8


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import gives.

    Members
    -------
    network : the integer network
    changes : every numerical difference from the source network, as sentences
    agreement : for each layer, the share of its levels that equal those of the same network without rounding, on the
        calibration images
    causes : for each layer, the share of its spikes that each kind of rounding changes, if that was asked for
    statistics, widths, hardware, accuracy, samples : as :func:`reprise.model.files.network_file.save` takes them
    """

    network: Network
    changes: tuple
    agreement: dict
    causes: dict
    statistics: dict
    widths: dict
    hardware: dict
    accuracy: dict | None
    samples: tuple | None


@torch.no_grad()
def agreement(net: QatNetwork, images: np.ndarray) -> tuple[dict, list[str]]:
    """Return, for each spiking layer, the share of levels that are the same with and without any rounding.

    The second value names the layers that never fire.
    """
    pixels = torch.tensor(images).float()
    rounded = net.quantize(True).trace(pixels)[0]
    plain = net.quantize(False).trace(pixels)[0]
    net.quantize(True)
    spiking = [y.name for y in net.layers if not y.readout]
    shares = {name: float((rounded[name] == plain[name]).double().mean()) for name in spiking}
    return shares, [name for name in spiking if not bool(rounded[name].any())]


def graph_of(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a module, whose neurons may be ours, SpikingJelly's or snnTorch's."""
    require(isinstance(module, nn.Module), "module", "a torch.nn.Module", type(module).__name__)
    require_int("timesteps", timesteps, 1)
    check_parameters(module)
    kinds = {
        kind for part in module.modules() for kind in type(part).__mro__
    }  # with those that a class is derived from
    packages = {kind.__module__.partition(".")[0] for kind in kinds}
    package = next((name for name in READERS if name in packages), "")
    try:
        return READERS.get(package, torch_modules).read(module, timesteps=timesteps)
    except AttributeError as error:
        if not package:
            raise
        raise RepriseError(
            f"{type(module).__name__}: its modules are not those of {package} that are known here ({error}): use the "
            "version in constraints-frameworks.txt",
            where=package,
        ) from error


def check_parameters(module: nn.Module) -> None:
    """Refuse a module whose parameters are no finite numbers, or have no values at all, by the parameter's name."""
    # One without a shape yet is told by the layer's name.
    given = [
        (name, value) for name, value in module.named_parameters() if not isinstance(value, UninitializedParameter)
    ]
    for name, value in given:
        require(not value.is_meta, f"parameter {name}", "numbers", "on the device 'meta'", "load the weights")
        require(bool(value.detach().isfinite().all()), f"parameter {name}", "finite numbers", "NaN or infinite")


def convert(
    graph: Graph,
    data: Dataset,
    hardware: Hardware,
    *,
    name: str,
    timesteps: int,
    input_scale: float = 1.0,
    images: int = 64,
    accept_differences: bool = False,
    allow_silent: bool = False,
    explain: bool = False,
) -> Imported:
    """Turn a traced graph into an integer network, which a data set calibrates and measures.

    Parameters
    ----------
    graph : from :mod:`reprise.export.importers.nir` or :mod:`reprise.export.importers.spikingjelly`
    data : reprise.export.train.datasets.Dataset
        Encodings and agreement come from its first ``images`` training images, the accuracy from its test images.
    hardware : the configuration that encodings are chosen for, and whose widths must hold every sum
    input_scale : the source network was trained on ``pixel * input_scale``
    accept_differences : record where the lowered network differs from the source network, instead of refusing it
    allow_silent : take networks with layers that fire for none of the images
    explain : measure which rounding changes how many spikes of each layer (:mod:`reprise.export.explain`)

    Raises
    ------
    UnsupportedError
        The accelerator cannot run the network; the message names the part and says what to do.
    reprise.export.source_check.DifferentError
        What was made of the network, without any rounding, does not fire as the network itself.
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
        accept_differences=accept_differences,
        allow_silent=allow_silent,
        explain=explain,
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
    accept_differences: bool = False,
    allow_silent: bool = False,
    explain: bool = False,
) -> Imported:
    """Turn a traced graph into an integer network, calibrated on images uint8[n, C, H, W] of 0..``input_levels``.

    The accuracy and the samples come from ``test``; without it there are none. Everything else is as for
    :func:`convert`.
    """
    require_int("timesteps", timesteps, 1)
    require(len(calibration) > 0, "calibration", "at least one image", len(calibration))
    require_positive("input_scale", input_scale)
    net = prepare(
        graph,
        input_shape=calibration.shape[1:],
        input_levels=input_levels,
        timesteps=timesteps,
        input_scale=input_scale,
        fold=True,
        dtype=torch.float64,
    ).eval()
    for part in net.layers:
        for values in (*part.parameters(), part.threshold):
            require(bool(values.isfinite().all()), f"weights of layer {part.name}", "finite numbers", "NaN or infinite")
    compared = source_check.compare(net, graph, calibration, scale=input_scale, accept=accept_differences)
    membrane.calibrate(net, torch.tensor(calibration).double())
    net.float().quantize(True)
    images = len(calibration)
    changes = [*net.changes, *compared.sentences(images)]
    shares, silent = agreement(net, calibration)
    if silent and not allow_silent:
        raise RepriseError(
            f"{silent[0]}: fires for none of the {images} calibration images, so that what follows sees nothing: check "
            f"input_scale ({input_scale:g}), dt and the thresholds, or allow it (--allow-silent, allow_silent=True)",
            where=silent[0],
        )
    changes += [f"{name}: fires for none of the {images} calibration images, which was allowed" for name in silent]
    changes.append("weights are int8 with one scale per output channel (the readout: one scale for all)")
    for part in net.layers:
        if part.step is not None:
            times = f", times {part.multiple}" if part.multiple > 1 else ""
            changes.append(f"{part.name}: its weights are the integers of the source network{times}")
        elif any(s.step is not None for s in part.specs):
            changes.append(f"{part.name}: its integer weights have no common step in -127..127, and are rounded anew")
    changes.append("thresholds, biases and initial potentials are rounded to whole weight steps")
    for layer, share in shares.items():
        changes.append(
            f"{layer}: {100 * share:.2f} % of its spikes equal the network without rounding on {images} images"
        )
    causes = explaining.causes(net, calibration) if explain else {}
    for layer, parts in causes.items():
        told = ", ".join(f"{cause} {100 * parts[cause]:.2f} %" for cause in parts if cause != "all")
        changes.append(f"{layer}: spikes that each rounding alone changes: {told}")
    network, statistics, widths = deploy.deploy(net, name, calibration, hardware)
    changes += deploy.clipped(network, widths)
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
        causes=causes,
        statistics=statistics,
        widths=widths,
        hardware=sizes(hardware),
        accuracy=accuracy,
        samples=samples,
    )


def accuracy_of(network: Network, images: np.ndarray, labels: np.ndarray, name: str) -> dict:
    """Return the accuracy of an integer network in percent, as :attr:`Imported.accuracy` has it."""
    right = float((run(network, images).predictions == labels).mean())
    return {"dataset": name, "images": len(images), "integer": round(100 * right, 2), "float": None}


def _layer(net: QatNetwork, name: str) -> QatLayer:
    return next(layer for layer in net.layers if layer.name == name)
