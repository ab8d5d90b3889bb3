"""Data sets: the embedded digits, IDX and CIFAR files made here, and files that must be refused."""

import codecs
import gzip
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from reprise.export.train import datasets
from reprise.model.files.plain_pickle import read_pickle
from reprise.support.errors import RepriseError

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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-9], "must be a whole gzip file .*end-of-stream.*: fetch it again"),
        (lambda data: data[:12] + bytes([data[12] ^ 255]) + data[13:], "must be a whole gzip file"),
        (lambda data: data[:-8] + bytes(8), "must be a whole gzip file .*CRC"),
        (lambda data: data + b"x" * 20, "must be a whole gzip file"),
    ],
)
def test_damaged_gzip(tmp_path, change, message):
    good = gzip.compress(idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), mtime=0)
    (tmp_path / "x.gz").write_bytes(good)
    assert datasets.read_idx(tmp_path / "x.gz").shape == (3, 4, 5)
    (tmp_path / "x.gz").write_bytes(change(good))
    with pytest.raises(RepriseError, match=f"x.gz: {message}"):
        datasets.read_idx(tmp_path / "x.gz")


def test_a_gzip_bomb_and_a_huge_header_take_no_memory(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(idx(np.zeros(10, np.uint8)) + bytes(30 << 20)))
    (tmp_path / "huge").write_bytes(struct.pack(">HBB4I", 0, 8, 4, *[2**32 - 1] * 4))
    (tmp_path / "large").write_bytes(struct.pack(">HBBI", 0, 8, 1, 1 << 30))
    tracemalloc.start()
    for name, message in (("bomb.gz", "file holds 31457290 bytes"), ("huge", "at most"), ("large", "holds 0 bytes")):
        with pytest.raises(RepriseError, match=f"{name}: header says .*{message}"):
            datasets.read_idx(tmp_path / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


class Called:
    """Whose pickle calls a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


GOOD_BATCH = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2], b"filenames": ["a", b"b"], b"x": (1, -2, 2.5)}


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.int16])
def test_pickles_of_arrays_are_read_as_python_reads_them(tmp_path, protocol, kind):
    rng = np.random.default_rng(protocol)
    print(f"seed {protocol}")
    batch = {**GOOD_BATCH, b"data": rng.integers(0, 256, (2, 3072)).astype(np.uint8), b"labels": np.array([3, 7], kind)}
    batch[b"fortran"] = np.asfortranarray(batch[b"data"])
    found = read_pickle(pickle.dumps(batch, protocol=protocol))
    assert found.keys() == batch.keys()
    for key, value in batch.items():
        assert np.array_equal(found[key], value) and type(found[key]) is type(value), key
    (tmp_path / "a").write_bytes(pickle.dumps(batch, protocol=protocol))
    images, labels = datasets.read_cifar_batch(tmp_path / "a")
    assert np.array_equal(images.reshape(2, 3072), batch[b"data"]) and labels.tolist() == [3, 7]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Called(os.system, "touch harm"), "holds NumPy arrays only, not posix.system"),
        (Called(eval, "open('harm', 'w')"), "holds NumPy arrays only, not (builtins|__builtin__).eval"),
        (Called(np.ndarray, (10**9, 10**3)), "it calls a function in a way that NumPy does not"),
        (Called(np.dtype, "f8"), "an array must be of integers, not of type 'f8'"),
        (Called(codecs.encode, "a", "rot13"), "it calls a function in a way that NumPy does not"),
        (np.array([{}], dtype=object), "an array must be of integers, not of type 'O8'"),
        ({(1, 2): 3}, "a key of a dictionary must be a text"),
        ({1, 2}, "holds NumPy arrays only, not (builtins|__builtin__).set"),
    ],
)
def test_nothing_of_a_pickle_runs(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(pickle.dumps({b"data": content, b"labels": [1]}, protocol=2))
    with pytest.raises(RepriseError, match=rf"a: must be a CIFAR-10 python batch \(.*{message}"):
        datasets.read_cifar_batch(tmp_path / "a")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "b'data' must be uint8"),  # a memo of 2 ** 31 entries, were it a list
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.", "it is damaged"),  # bytes of an exabyte
        (b"\x80\x02" + b"N\x85" + b"2\x86" * 64 + b".", "no instruction DUP"),  # 2 ** 64 values, were they copied
        (b"\x80\x02" + b"(" * 10 + b"t" * 11 + b".", "a list of it has no beginning|it is damaged"),
        (b"\x80\x02N", "it is damaged"),
        (b"\x80\x02e.", "it is damaged"),
        (b"\x80\x02}NNs.", "a key of a dictionary must be a text"),
        (b"\x80\x02]Nb.", "it builds something that is no array"),
        (b"cos\nsystem\n(S'touch harm'\ntR.", "holds NumPy arrays only, not os.system"),
        (b"\x80\x02U\x01aPx\n.", "it is damaged|no instruction"),
        (b"\x80\x02" + b"\x85" * 1000 + b"N" + b"\x85" * 100_000 + b".", "it is damaged|b'data' must be"),
    ],
)
def test_pickles_that_would_harm_a_reader(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(RepriseError, match=message):
        datasets.read_cifar_batch(tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1], r"must be one per image \(2\), not 1"),
        ([1, -1], "must be a list of integers in 0..255"),
        ([1, 2.0], "must be a list of integers in 0..255"),
        ([1, 10**30], "must be a list of integers in 0..255"),
        ("ab", "must be a list of integers in 0..255, not str"),
        (None, "must be a list of integers in 0..255, not NoneType"),
    ],
)
def test_labels_of_a_python_batch(tmp_path, labels, message):
    (tmp_path / "a").write_bytes(pickle.dumps({**GOOD_BATCH, b"labels": labels}, protocol=2))
    with pytest.raises(RepriseError, match=f"a: b'labels' {message}"):
        datasets.read_cifar_batch(tmp_path / "a")
