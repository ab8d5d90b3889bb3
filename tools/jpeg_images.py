"""Loads CIFAR-10 for the tables of docs/training.md: from its usual batches, or from images that are stored as JPEG.

A folder of the second kind holds train.npz and test.npz with the arrays ``jpeg`` (the bytes of all images), ``offset``
and ``label``.
"""

import io
from pathlib import Path

import numpy as np

from reprise.export.train import datasets


def read_jpegs(path: Path, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read the images uint8[n, 3, 32, 32] and the labels int64[n] of an npz of JPEG bytes."""
    from PIL import Image

    with np.load(path, allow_pickle=False) as file:
        jpeg, offset, label = file["jpeg"], file["offset"], file["label"]
    n = len(label) if count is None else min(count, len(label))
    decoded = [Image.open(io.BytesIO(jpeg[offset[i] : offset[i + 1]].tobytes())).convert("RGB") for i in range(n)]
    return np.stack([np.asarray(d) for d in decoded]).transpose(0, 3, 1, 2).copy(), label[:n].astype(np.int64)


def load_cifar(folder: Path, n_train: int | None = None, n_test: int | None = None) -> datasets.Dataset:
    """Load CIFAR-10 from its batches or from JPEG bytes, of which only so many images are decoded."""
    if not (folder / "train.npz").exists():
        return datasets.load("cifar10", folder)
    train_part, test_part = read_jpegs(folder / "train.npz", n_train), read_jpegs(folder / "test.npz", n_test)
    parts = dict(train_images=train_part[0], train_labels=train_part[1])
    parts |= dict(test_images=test_part[0], test_labels=test_part[1])
    return datasets.Dataset(name="cifar10", levels=255, classes=10, **parts)
