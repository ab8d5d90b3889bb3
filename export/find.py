"""Which network and which images a job takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..model.files.network_file import NetworkFile, load
from ..model.hardware import Hardware
from ..support.checks import require
from .cache import cached, ready
from .train.recipe import preset


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Images (levels), their labels (-1: unknown) and their numbers among the file's samples."""

    images: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray


def find_network(name: str, hardware: Hardware, *, data: Path | None = None) -> tuple[NetworkFile, bool]:
    """A network file by path, or a preset of ``configs/networks``: shipped, trained before, or trained now.

    Where a network is trained, its encodings are chosen for ``hardware``. Returns the file and whether nothing had to
    be trained.
    """
    known = ready(name, hardware)
    return load(known or cached(name, hardware, data=data)), known is not None


def choose_images(file: NetworkFile, count: int, seed: int) -> Batch:
    """``count`` of the file's sample images: the first ones for seed 0, else a random choice.

    A file without samples gets random levels.

    Raises
    ------
    ValueError
        More images than the file holds.
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
    """Why a preset is no network for a run without surprises; "" if it is at hand, or quickly trained."""
    if ready(name, hardware) is not None or preset(name).dataset == "digits":
        return ""
    return f"not trained: reprise train {name} --data FOLDER"
