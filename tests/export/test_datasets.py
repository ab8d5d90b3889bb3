"""Data sets: the embedded digits, IDX and CIFAR files made here, and files that must be refused."""

import gzip
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from reprise.export.train import datasets

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist_folder(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for stem, n in (("train", 6), ("t10k", 4)):
        images, labels = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8), rng.integers(0, 10, n).astype(np.uint8)
        arrays[stem] = images, labels
        plain = tmp_path / f"{stem}-images-idx3-ubyte"
        plain.write_bytes(idx(images))
        with gzip.open(tmp_path / f"{stem}-labels-idx1-ubyte.gz", "wb") as f:
            f.write(idx(labels))
    return tmp_path, arrays


def test_digits():
    data = datasets.load("digits")
    assert data.train_images.shape == (1437, 1, 8, 8) and data.test_images.shape == (360, 1, 8, 8)
    assert data.levels == 16 and data.test_images.max() == 16 and set(data.test_labels.tolist()) == set(range(10))
    assert np.array_equal(data.test_images, datasets.load("digits").test_images)


def test_mnist_idx_with_and_without_gzip(mnist_folder):
    folder, arrays = mnist_folder
    data = datasets.load("mnist", folder)
    assert np.array_equal(data.train_images[:, 0], arrays["train"][0])
    assert np.array_equal(data.test_labels, arrays["t10k"][1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x0d\x01\0\0\0\0", "begins with 00 00 08, not 00 00 0d"),
        (b"\0\0\x08\x03\0\0", "header complete"),
        (idx(np.zeros((2, 28, 28), np.uint8))[:-1], r"header says \(2, 28, 28\), the file holds 1567 bytes"),
        (struct.pack(">HBBI", 0, 8, 1, 2**32 - 1), "header says"),
    ],
)
def test_malformed_idx(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        datasets.read_idx(tmp_path / "x")


def test_missing_folder_file_name():
    with pytest.raises(ValueError, match="data set must be one of digits, mnist, cifar10, not 'svhn'"):
        datasets.load("svhn")
    with pytest.raises(ValueError, match="data set mnist is read from files: name their folder"):
        datasets.load("mnist")
    with pytest.raises(FileNotFoundError, match="'/nowhere' must exist"):
        datasets.load("mnist", "/nowhere")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none of train-images-idx3-ubyte"):
        datasets.load("mnist", tmp_path)


def cifar(folder, binary):
    rng = np.random.default_rng(1)
    everything = []
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        images, labels = rng.integers(0, 256, (3, 3072)).astype(np.uint8), rng.integers(0, 10, 3)
        everything.append((images, labels))
        if binary:
            data = np.concatenate([labels[:, None].astype(np.uint8), images], axis=1)
            (folder / f"{name}.bin").write_bytes(data.tobytes())
        else:
            batch = {b"data": images, b"labels": labels.tolist(), b"batch_label": b"x", b"filenames": [b"a"] * 3}
            (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return everything


@pytest.mark.parametrize("binary", [True, False])
def test_cifar_batches(tmp_path, binary):
    everything = cifar(tmp_path, binary)
    data = datasets.load("cifar10", tmp_path)
    assert np.array_equal(data.train_images.reshape(-1, 3072), np.concatenate([e[0] for e in everything[:5]]))
    assert np.array_equal(data.test_labels, everything[5][1])


class Evil:
    def __reduce__(self):
        return os.system, ("echo harm",)


def test_a_pickle_that_names_anything_but_arrays_is_refused(tmp_path):
    cifar(tmp_path, False)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}))
    with pytest.raises(ValueError, match="a CIFAR batch holds NumPy arrays only, not (posix|nt).system"):
        datasets.load("cifar10", tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps([1]), pickle.dumps({b"data": b"x"})])
def test_malformed_python_batch(tmp_path, content):
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(ValueError, match="python batch|b'data' must be uint8"):
        datasets.read_cifar_batch(tmp_path / "batch")


def test_malformed_binary_batch(tmp_path):
    (tmp_path / "b.bin").write_bytes(b"\0" * 3074)
    with pytest.raises(ValueError, match="multiple of 3073 bytes, not 3074"):
        datasets.read_cifar_batch(tmp_path / "b.bin")


def test_real_mnist():
    if not (SHARED / "mnist").is_dir():
        pytest.skip("../shared/data/mnist is not here")
    data = datasets.load("mnist", SHARED / "mnist")
    assert data.train_images.shape == (60000, 1, 28, 28) and data.test_images.shape == (10000, 1, 28, 28)
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
