"""Finds the network that a job runs, and the images that it runs it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..model.files.network_file import NetworkFile, load
from ..model.hardware import Hardware
from ..support.checks import require
from ..support.errors import RepriseError
from .cache import cached, ready
from .train.recipe import preset


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Images of levels, their labels (-1 where there is none), and their numbers among the file's samples."""

    images: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray


def find_network(name: str, hardware: Hardware, *, data: Path | None = None) -> tuple[NetworkFile, bool]:
    """Load a network file by its path, or that of a preset of ``configs/networks``.

    A preset comes with Reprise, was trained before, or is trained now. In the last two cases, its encodings are those
    that were chosen for ``hardware``.

    Returns
    -------
    (file, known) : the file, and whether nothing had to be trained
    """
    known = ready(name, hardware)
    return load(known or cached(name, hardware, data=data)), known is not None


def open_network(name: str, hardware: Hardware) -> NetworkFile:
    """Load a network as :func:`find_network` does, and refuse one that would have to be trained first.

    Raises
    ------
    RepriseError
        The preset is known, and nobody has trained it for ``hardware``: the message says how.
    """
    known = ready(name, hardware)
    if known is None:
        remedy = f"reprise train {name}" + ("" if preset(name).dataset == "digits" else " --data FOLDER")
        raise RepriseError(f"the network {name!r} must be trained first: {remedy}", field=name, remedy=remedy)
    return load(known)


def choose_images(file: NetworkFile, count: int, seed: int) -> Batch:
    """Choose ``count`` of the file's sample images: the first ones for seed 0, and random ones for any other seed.

    If the file has no samples, the images are of random levels.

    Raises
    ------
    RepriseError
        The file holds fewer images.
    """
    network = file.network
    rng = np.random.default_rng(seed)
    if not len(file.images):
        frames = (network.timesteps,) if network.input_mode == "given" else ()
        low, high = (-128, 127) if network.input_signed else (0, network.input_levels)
        images = rng.integers(low, high + 1, (count, *frames, *network.input_shape))
        return Batch(images=images, labels=np.full(count, -1), numbers=np.arange(count))
    most = len(file.images)
    require(1 <= count <= most, "images", f"1..{most}", count, f"{file.path} holds so many samples")
    numbers = np.arange(count) if seed == 0 else rng.permutation(len(file.images))[:count]
    return Batch(images=file.images[numbers], labels=file.labels[numbers], numbers=numbers)


def available(name: str, hardware: Hardware) -> str:
    """Return what a user must do before a preset can be run, or "" if it is at hand or is trained in no time."""
    if ready(name, hardware) is not None or preset(name).dataset == "digits":
        return ""
    return f"not trained: reprise train {name} --data FOLDER"
