"""Reads image data sets as NumPy arrays of 8-bit levels, without torch.

``digits`` comes with scikit-learn. ``mnist`` (IDX files, compressed or not) and ``cifar10`` (the usual binary or python
batches) are read from a folder that the user names, by :mod:`reprise.export.train.data_files`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...support.errors import MissingFileError, RepriseError
from .data_files import read_cifar_batch, read_idx

DIGITS_TEST = 360


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images uint8[n, C, H, W] of levels 0..``levels``, and labels int64[n] in 0..classes-1.

    Raises
    ------
    ValueError
        An array has another type or shape, or a pixel or label is out of range.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    levels: int
    classes: int

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.ndim != 4 or images.dtype != np.uint8:
                raise RepriseError(
                    f"{self.name}.{part}_images must be uint8[n, C, H, W], not {images.dtype}{images.shape}"
                )
            if labels.shape != images.shape[:1]:
                raise RepriseError(
                    f"{self.name}.{part}_labels must be one per image ({len(images)}), not {labels.shape}"
                )
            if len(images) and (images.max() > self.levels or not 0 <= labels.min() <= labels.max() < self.classes):
                raise RepriseError(
                    f"{self.name}.{part}: a pixel above {self.levels} or a label outside 0..{self.classes - 1}"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width


def find(folder: str | Path, names: Sequence[str]) -> Path:
    """Return the path of the first of ``names`` that is in ``folder`` or in a folder inside it.

    A name with .gz behind it counts too, in ``folder`` itself. If there is none, FileNotFoundError is raised.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"data folder {str(folder)!r} must exist and be a folder")
    for name in names:
        for path in (folder / name, folder / f"{name}.gz", *sorted(folder.glob(f"*/{name}"))):
            if path.is_file():
                return path
    raise MissingFileError(f"{folder}: none of {', '.join(names)} (or with .gz) is there")


def load_digits() -> Dataset:
    """Load scikit-learn's 1,797 digits of 8x8 pixels with levels 0..16.

    They are shuffled in an order that is always the same, and the last 360 are the test set.
    """
    from sklearn.datasets import load_digits as sk

    data = sk()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = data.images[order].astype(np.uint8)[:, None]
    labels = data.target[order].astype(np.int64)
    cut = len(order) - DIGITS_TEST
    return Dataset(
        name="digits",
        train_images=images[:cut],
        train_labels=labels[:cut],
        test_images=images[cut:],
        test_labels=labels[cut:],
        levels=16,
        classes=10,
    )


def load_mnist(folder: str | Path) -> Dataset:
    """Load MNIST from its files ``{train,t10k}-{images-idx3,labels-idx1}-ubyte``, each with or without ``.gz``."""
    parts = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        images = read_idx(find(folder, [f"{stem}-images-idx3-ubyte", f"{stem}-images.idx3-ubyte"]))
        labels = read_idx(find(folder, [f"{stem}-labels-idx1-ubyte", f"{stem}-labels.idx1-ubyte"]))
        if images.ndim != 3 or labels.ndim != 1:
            raise RepriseError(
                f"{folder}: {stem} images must have 3 dimensions and labels 1, not {images.ndim}, {labels.ndim}"
            )
        parts[f"{part}_images"], parts[f"{part}_labels"] = images[:, None], labels.astype(np.int64)
    return Dataset(name="mnist", levels=255, classes=10, **parts)


def load_cifar10(folder: str | Path) -> Dataset:
    """Load CIFAR-10 from ``data_batch_1..5`` and ``test_batch``, which are binary (``.bin``) or python batches."""
    read = [read_cifar_batch(find(folder, [f"data_batch_{i}.bin", f"data_batch_{i}"])) for i in range(1, 6)]
    images, labels = (np.concatenate(p) for p in zip(*read, strict=True))
    test_images, test_labels = read_cifar_batch(find(folder, ["test_batch.bin", "test_batch"]))
    return Dataset(
        name="cifar10",
        train_images=images,
        train_labels=labels,
        test_images=test_images,
        test_labels=test_labels,
        levels=255,
        classes=10,
    )


DATASETS = ("digits", "mnist", "cifar10")


def load(name: str, folder: str | Path | None = None) -> Dataset:
    """Load a data set by its name; ``folder`` holds the files of mnist and cifar10.

    Raises
    ------
    ValueError
        There is no data set of that name, the folder was not named, or a file is malformed.
    FileNotFoundError
        The folder or a file in it does not exist.
    """
    if name not in DATASETS:
        raise RepriseError(f"data set must be one of {', '.join(DATASETS)}, not {name!r}")
    if name == "digits":
        return load_digits()
    if folder is None:
        raise RepriseError(f"data set {name} is read from files: name their folder (--data FOLDER)")
    return load_mnist(folder) if name == "mnist" else load_cifar10(folder)
