"""Makes a network file of a recipe: it trains, evaluates, deploys, checks and writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from ..model.files import network_file
from ..model.hardware import Hardware, sizes
from ..support.progress import counting
from .qat import check, deploy
from .qat.network import QatNetwork
from .train import datasets, train
from .train.datasets import Dataset
from .train.recipe import Recipe
from .train.tune import trainable

CALIBRATION = 64  # training images on which encodings are chosen
SAMPLES = 64  # test images that are put into the file
CHECKED = 20  # images on which the network and the model are compared before a file is written


class Refused(RuntimeError):
    """A trained network does not agree with the model, and nothing is written; this is no mistake of a user."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """What training a recipe gives.

    Members
    -------
    path : of the network file, or None for a network in floating point
    accuracy, float_accuracy : with integers and without any rounding, in percent
    spikes : the spikes of each layer per image
    seconds : how long training took
    """

    path: Path | None
    accuracy: float
    float_accuracy: float | None
    spikes: dict
    seconds: float


def fit(
    recipe: Recipe,
    data: Dataset,
    *,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    console: Console | None = None,
    network: QatNetwork | None = None,
) -> QatNetwork:
    """Train as :func:`reprise.export.train.train.train` does, and show the progress over all epochs."""
    console = console or Console(stderr=True)
    with counting(console, f"train {recipe.title}", recipe.epochs) as count:

        def show(epoch: int, step: int, steps: int, loss: float) -> None:
            count.advance(epoch + (step == steps) - count.done, f"loss {loss:.4f}")

        return train.train(recipe, data, checkpoint=checkpoint, device=device, progress=show, network=network)


def produce(
    recipe: Recipe,
    path: str | Path | None,
    hardware: Hardware,
    *,
    data: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: bool = True,
) -> Product:
    """Train the network of ``recipe`` and write its network file.

    Parameters
    ----------
    path : of the manifest to write, or None for a network in floating point, which has no file
    hardware : the configuration that encodings are chosen for, and whose widths must hold every sum
    data : folder of the data set's files
    checkpoint : file to resume from and to write after every epoch
    device : "cpu" or "cuda"; by default CUDA, if there is any
    progress : show progress bars

    Raises
    ------
    Refused
        The trained network and the model differ; the message says where they do first.
    """
    console = Console(stderr=True, quiet=not progress)
    dataset = datasets.load(recipe.dataset, data)
    model = fit(recipe, dataset, checkpoint=checkpoint, device=device, console=console)
    images, labels = train.subset(dataset.test_images, dataset.test_labels, recipe.test_images)
    if not recipe.quantize:
        accuracy, spikes = train.evaluate(model, images, labels)
        return Product(
            path=None, accuracy=accuracy, float_accuracy=accuracy, spikes=spikes, seconds=model.train_seconds
        )
    assert isinstance(model, QatNetwork) and path is not None  # a quantized network always has a file
    return write(model, recipe, recipe.title, path, hardware, dataset)


def tune(
    file: network_file.NetworkFile,
    recipe: Recipe,
    path: str | Path,
    hardware: Hardware,
    *,
    data: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: bool = True,
) -> tuple[float, Product]:
    """Train a network file's integers further and write them as another file; return the accuracy before, too.

    Raises
    ------
    RepriseError
        The data set is not of the images that the network reads.
    Refused
        As :func:`produce` says.
    """
    console = Console(stderr=True, quiet=not progress)
    dataset = datasets.load(recipe.dataset, data)
    model = trainable(file.network, dataset)
    images, labels = train.subset(dataset.test_images, dataset.test_labels, recipe.test_images)
    before = train.evaluate(model, images, labels)[0]
    fit(recipe, dataset, checkpoint=checkpoint, device=device, console=console, network=model)
    changes = (*file.changes, f"trained further for {recipe.epochs} epochs on {dataset.name}")
    return before, write(model, recipe, file.network.name, path, hardware, dataset, changes)


def write(
    model: QatNetwork,
    recipe: Recipe,
    name: str,
    path: str | Path,
    hardware: Hardware,
    dataset: Dataset,
    changes: Sequence[str] = (),
) -> Product:
    """Evaluate a trained network, check its integers, and write its network file."""
    images, labels = train.subset(dataset.test_images, dataset.test_labels, recipe.test_images)
    accuracy, spikes = train.evaluate(model, images, labels)
    plain = train.evaluate(model.quantize(False), images, labels)[0]
    model.quantize(True)
    model.to(torch.device("cpu"))
    network, statistics, widths = deploy.deploy(model, name, dataset.train_images[:CALIBRATION], hardware)
    report = check.compare(network, images[:CHECKED], model)
    if report.difference is not None:
        raise Refused(f"the trained network and the model differ: {report.difference}")
    for layer, count in spikes.items():
        statistics[layer]["spikes"] = round(count, 3)
    path = network_file.save(
        network,
        path,
        recipe=recipe.model_dump(),
        accuracy=dict(dataset=dataset.name, images=len(images), integer=accuracy, float=plain),
        statistics=statistics,
        widths=widths,
        hardware=sizes(hardware),
        changes=(*model.changes, *changes, *deploy.clipped(network, widths)),
        samples=(images[:SAMPLES], labels[:SAMPLES]),
    )
    return Product(path=path, accuracy=accuracy, float_accuracy=plain, spikes=spikes, seconds=model.train_seconds)
