"""Files of arrays: types, sizes and members are checked against headers and limits before memory is taken."""

import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save

from reprise.model.files import arrays, capture
from reprise.model.files.arrays import ArrayFileError, Npz, read_tensors, tensor_headers
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import MOST_ELEMENTS, Network
from reprise.model.network.neuron import Neuron
from reprise.support.errors import RepriseError

GOOD = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": np.zeros(4, np.int8)}


def changed(**fields):
    """A file of the tensors above in whose header fields of ``a`` are others."""
    blob = save(GOOD)
    size = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8 : 8 + size])
    header["a"] |= fields
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + blob[8 + size :]


def test_good_tensors():
    assert tensor_headers(save(GOOD))["a"].shape == (2, 3)
    found = read_tensors("x", save(GOOD), RepriseError)
    assert all(np.array_equal(found[name], GOOD[name]) for name in GOOD)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (changed(dtype="BF16"), "the dtype of 'a' must be one of BOOL, U8, .*, not 'BF16': store integers"),
        (changed(dtype="F8_E4M3"), "the dtype of 'a' must be one of .*, not 'F8_E4M3'"),
        (changed(dtype=5), "the dtype of 'a' must be one of .*, not 5"),
        (changed(shape=[1 << 40, 1 << 40]), "'a' must have the .* bytes of int32.* within the file"),
        (changed(shape=[-1]), "shape and data_offsets of 'a' must be integers"),
        (changed(shape=[2.0, 3]), "shape and data_offsets of 'a' must be integers"),
        (changed(data_offsets=[0, 1 << 40]), "'a' must have the 24 bytes of int32"),
        (changed(data_offsets=[4, 28]), "must be a safetensors file"),  # it overlaps b
        (changed(more=1), "'a' must have dtype, shape and data_offsets"),
        (b"", "its header does not end within the file"),
        (struct.pack("<Q", 1 << 60) + save(GOOD)[8:], "its header does not end within the file"),
        (save(GOOD)[:-1], "'b' must have the 4 bytes|'a' must have the 24 bytes"),
        (save(GOOD) + b"x", "must be a safetensors file"),
        (struct.pack("<Q", 40) + b"[" * 40, "its header is no JSON"),
        (struct.pack("<Q", 9000) + b"[" * 9000, "its header is no JSON"),
        (struct.pack("<Q", 15) + b'{"a":1,"a":2}  ', "its header must name every tensor once"),
    ],
)
def test_tensors_that_are_refused(blob, message):
    with pytest.raises(RepriseError, match=f"x: .*{message}"):
        read_tensors("x", blob, RepriseError)


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape, kind="|u1"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_good_npz(tmp_path):
    given = GOOD | {"f": np.asfortranarray(np.arange(6).reshape(2, 3)), "empty": np.zeros((0, 3)), "one": np.array(7)}
    for save_npz in (np.savez, np.savez_compressed):
        save_npz(tmp_path / "a.npz", **given)
        file = Npz(tmp_path / "a.npz")
        assert {name: one.shape for name, one in file.headers.items()} == {n: a.shape for n, a in given.items()}
        for name, array in given.items():
            assert np.array_equal(file.read(name), array) and file.read(name).dtype == array.dtype


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", header((1 << 33,)) + bytes(10))], "must hold the 8589934592 bytes of uint8.*, not 10"),
        ([("a.npy", header((1 << 70,)))], "must hold the .* bytes"),
        ([("a.npy", header((4,)) + bytes(5))], "must hold the 4 bytes of uint8.*, not 5"),
        ([("a.npy", header((-4,)))], "must be a NumPy array"),
        ([("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': broken")], "its member 'a' must be a NumPy array"),
        ([("a.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535)], "its member 'a' must be a NumPy array"),
        ([("a.npy", b"hello")], "its member 'a' must be a NumPy array"),
        ([("a.npy", header((1,), "|O") + bytes(8))], "it holds Python objects, which are never unpickled"),
        ([("a.txt", b"hello")], "its member 'a.txt' is no NumPy array"),
        ([("a.npy", npy(np.zeros(3))), ("a.npy", npy(np.zeros(3)))], "stands there twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_that_are_refused(members, message, tmp_path):
    with pytest.raises(ArrayFileError, match=message):
        Npz(packed(tmp_path / "a.npz", members))


def test_other_compressions_are_refused(tmp_path):
    with pytest.raises(ArrayFileError, match="must be stored or deflated"):
        Npz(packed(tmp_path / "a.npz", [("a.npy", npy(np.zeros(3)))], zipfile.ZIP_LZMA))


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MOST_BYTES", 1 << 20)
    size = 32 << 20
    path = packed(tmp_path / "a.npz", [("a.npy", header((size,)) + bytes(size))])
    assert path.stat().st_size < 1 << 17
    tracemalloc.start()
    with pytest.raises(ArrayFileError, match="its arrays must be at most 1048576 bytes, not 335"):
        Npz(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_what_says_that_it_is_small_and_is_not(tmp_path):
    """A member that unpacks to more than its directory entry says is cut off there."""
    size = 8 << 20
    path = packed(tmp_path / "a.npz", [("a.npy", header((100,)) + bytes(size))])
    whole = len(header((100,))) + size
    data = path.read_bytes().replace(struct.pack("<I", whole), struct.pack("<I", len(header((100,))) + 100))
    path.write_bytes(data)
    with pytest.raises(ArrayFileError, match="its member 'a' must be a NumPy array: Bad CRC-32"):
        Npz(path)


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MOST_BYTES", 100)
    np.savez(tmp_path / "a.npz", a=np.zeros(9))
    with pytest.raises(ArrayFileError, match="the file must be at most 100 bytes, not"):
        Npz(tmp_path / "a.npz")


SPEC = """
timesteps: 3
layers:
  - {name: c, kind: conv, in_channels: 2, out_channels: 5, kernel: 3, padding: 1}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("out_channels: 5", "out_channels: 1000000000000", "out_channels: .*less than or equal to 65536"),
        ("out_channels: 5, kernel: 3", "out_channels: 65536, kernel: 255", "at most 134217728 weights, not 8522956800"),
        ("kernel: 3", "kernel: 2.0", "kernel: .*valid integer, not 2.0"),
        ("timesteps: 3", "timesteps: 3\ntimesteps: 3", "field 'timesteps' must be given once"),
        ("timesteps: 3", "timesteps: 0x3", "must be a decimal number"),
    ],
)
def test_sizes_of_a_capture_are_checked_first(old, new, message, tmp_path):
    np.savez(tmp_path / "a.npz", c=np.zeros((3, 2, 6, 5), bool))
    (tmp_path / "a.yaml").write_text(SPEC)
    assert capture.load_capture(tmp_path / "a.npz").layers[0].spikes.shape == (3, 2, 6, 5)
    (tmp_path / "a.yaml").write_text(SPEC.replace(old, new))
    with pytest.raises(capture.CaptureError, match=message):
        capture.load_capture(tmp_path / "a.npz")


def test_arrays_of_a_capture_are_bounded_and_all_known(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(SPEC)
    spikes = np.zeros((3, 2, 6, 5), bool)
    np.savez(tmp_path / "a.npz", c=spikes, zz=np.zeros(3))
    with pytest.raises(capture.CaptureError, match=r"array 'zz' must be of a layer in a.yaml, which has \['c'\]"):
        capture.load_capture(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", c=spikes)
    for name, most, message in (
        ("MOST_SPIKES", 179, "at most 179 values"),
        ("MOST_BITS", 1619, "at most 1619 bits, not 1620"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(capture, name, most)
            with pytest.raises(capture.CaptureError, match=message):
                capture.load_capture(tmp_path / "a.npz")


def one_layer(shape, timesteps=1, outputs=1):
    weight = np.ones((outputs, shape[0], 1, 1), np.int8)
    layer = Layer(name="a", sources=(Source(feature="input", weight=weight),), neuron=Neuron.uniform(outputs))
    return Network(name="n", input_shape=shape, input_levels=1, timesteps=timesteps, layers=(layer,))


def test_features_of_a_network_are_bounded():
    rule = f"must be of at most {MOST_ELEMENTS} elements over all timesteps"
    assert one_layer((1, 8192, 8192))
    for given, name in (
        (((1, 200_000, 200_000),), "network.input_shape"),
        (((1, 8192, 8193),), "network.input_shape"),
        (((1, 8192, 4097), 2), "network.input_shape"),
        (((1, 8192, 4097), 1, 2), "layer 'a': output shape"),
    ):
        with pytest.raises(RepriseError, match=f"{name} {rule}"):
            one_layer(*given)
