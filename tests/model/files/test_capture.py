"""reprise.model.files.capture: good captures load, bad ones are refused with a clear error and never unpickled."""

import io
import zipfile

import numpy as np
import pytest

from reprise.model.files.capture import SAMPLE, CaptureError, load_capture

SPEC = """
timesteps: 3
layers:
  - {name: c, kind: conv, in_channels: 2, out_channels: 5, kernel: 3, padding: 1}
  - {name: f, kind: linear, in_features: 7, out_features: 300}
"""


def good():
    rng = np.random.default_rng(0)
    return {"c": rng.random((3, 2, 6, 5)) < 0.3, "f": rng.random((3, 7)) < 0.3}


def write(folder, arrays=None, spec=SPEC, name="x.npz"):
    path = folder / name
    np.savez(path, **(good() if arrays is None else arrays))
    path.with_suffix(".yaml").write_text(spec)
    return path


def test_a_good_capture(tmp_path):
    arrays = good()
    capture = load_capture(write(tmp_path, arrays))
    c, f = capture
    assert capture.name == "x" and (c.depth, c.outputs, f.depth, f.outputs) == (18, 5, 7, 300)
    assert np.array_equal(c.spikes, arrays["c"]) and f.spikes.shape == (3, 7, 1, 1)
    assert len(c.tiles(16, 16).packed) == 6 * 5 * 3 and len(f.tiles(16, 16).packed) == 3


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float32"])
def test_number_types_of_spikes(tmp_path, kind):
    arrays = good()
    loaded = load_capture(write(tmp_path, {k: v.astype(kind) for k, v in arrays.items()}))
    assert np.array_equal(loaded.layers[0].spikes, arrays["c"])


def test_rows_are_cut_every_tile_m_even_through_a_position(tmp_path):
    capture = load_capture(write(tmp_path))
    assert np.diff(capture.layers[0].tiles(32, 16).starts).tolist() == [32, 32, 26]  # T = 3 does not divide 32


def test_multi_level_captures(tmp_path):
    arrays = {k: v * 5 for k, v in good().items()}
    spec = SPEC.replace("timesteps: 3", "timesteps: 3\nlevels: 5\nencoding: thermometer")
    assert len(load_capture(write(tmp_path, arrays, spec)).layers[0].tiles(16, 16).packed) == 30 * 3 * 5


def test_the_spec_may_lie_elsewhere(tmp_path):
    path = write(tmp_path)
    path.with_suffix(".yaml").rename(tmp_path / "other.yaml")
    assert load_capture(path, tmp_path / "other.yaml").name == "x"
    with pytest.raises(CaptureError, match="the layers' YAML x.yaml must lie beside it"):
        load_capture(path)


def changed(**arrays):
    return good() | arrays


def replaced(old, new):
    return {"spec": SPEC.replace(old, new)}


WRONG = {
    "missing array": ({"arrays": {"c": good()["c"]}}, r"array 'f': must be there .* the file holds \['c'\]"),
    "timesteps": (
        {"arrays": changed(f=np.zeros((2, 7)))},
        r"array 'f': shape must be \(timesteps, in_features\) = \(3, 7\), not \(2, 7\)",
    ),
    "axes": (
        {"arrays": changed(c=np.zeros((3, 2)))},
        r"array 'c': shape must be \(timesteps, in_channels, H, W\) = \(3, 2, H, W\), not \(3, 2\)",
    ),
    "smaller than the kernel": (
        {"arrays": changed(c=np.zeros((3, 2, 0, 6)))},
        r"array 'c': H and W with padding 1 must be at least the kernel 3, not \(0, 6\)",
    ),
    "value 2": (
        {"arrays": changed(f=np.full((3, 7), 2))},
        r"array 'f': values must be 0 or 1 \(binary spikes; for multi-level ones set levels\), not 2..2",
    ),
    "value -1": ({"arrays": changed(f=np.full((3, 7), -1))}, r"values must be 0 or 1 .*, not -1..-1"),
    "fraction": ({"arrays": changed(f=np.full((3, 7), 0.5))}, r"values must be spikes \(integers\), not float64"),
    "nan": ({"arrays": changed(f=np.full((3, 7), np.nan))}, r"values must be spikes \(integers\), not float64"),
    "text": ({"arrays": changed(f=np.full((3, 7), "a"))}, r"values must be spikes \(integers\), not <U1"),
    "objects": (
        {"arrays": changed(f=np.array([{}], dtype=object))},
        "must be a readable .npz of plain arrays: it holds Python objects, which are never unpickled",
    ),
    "unknown kind": (replaced("kind: conv", "kind: pool"), r"layers.0: .*'pool'.*'conv', 'linear'"),
    "kernel 0": (replaced("kernel: 3", "kernel: 0"), r"layers.0.conv.kernel: .*greater than or equal to 1, not 0"),
    "kernel text": (replaced("kernel: 3", "kernel: three"), r"layers.0.conv.kernel: .*valid integer, not 'three'"),
    "padding": (replaced("padding: 1", "padding: 3"), r"padding must be smaller than the kernel \(3\), not 3"),
    "missing field": (replaced(", out_features: 300", ""), "layers.1.linear.out_features: Field required"),
    "unknown field": (replaced("padding: 1", "dilation: 1"), "layers.0.conv.dilation: Extra inputs are not permitted"),
    "same name": (replaced("name: f", "name: c"), r"layers: names must be unique, not \['c', 'c'\]"),
    "no layers": ({"spec": "timesteps: 3\nlayers: []"}, "layers: List should have at least 1 item"),
    "levels 256": (
        replaced("timesteps: 3", "timesteps: 3\nlevels: 256"),
        "levels: .*less than or equal to 255, not 256",
    ),
    "neuron_levels 0": (
        replaced("timesteps: 3", "timesteps: 3\nneuron_levels: 0"),
        "neuron_levels: .*greater than or equal to 1, not 0",
    ),
    "not a mapping": ({"spec": "- 1"}, "must hold the keys timesteps and layers, not list"),
    "not YAML": ({"spec": "a: [1"}, "x.yaml: must be YAML"),
    "YAML tag": ({"spec": "!!python/object/apply:os.getcwd []"}, "x.yaml: must be YAML: could not determine a con"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_captures_are_refused(tmp_path, name):
    options, message = WRONG[name]
    with pytest.raises(CaptureError, match=message):
        load_capture(write(tmp_path, **options))


def npy(folder):
    np.save(folder / "x.npy", np.zeros(3))
    return folder / "x.npy"


def text(folder):
    (folder / "x.npz").write_text("no")
    return folder / "x.npz"


def broken(folder):
    path = write(folder)
    data = bytearray(path.read_bytes())
    data[60:400] = b"\0" * 340
    path.write_bytes(data)
    return path


def other_zip(folder):
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        archive.writestr("c.npy", io.BytesIO(b"hello").getvalue())
    (folder / "x.yaml").write_text(SPEC)
    return folder / "x.npz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.npz", "must be a file, and there is none"),
        (lambda folder: folder, "must be a file, and there is none"),
        (npy, "must be an .npz .* not a zip file"),
        (text, "must be an .npz .* not a zip file"),
        (broken, "must be a readable .npz of plain arrays"),
        (other_zip, "must be a readable .npz of plain arrays"),
    ],
)
def test_files_that_are_no_capture(tmp_path, make, message):
    with pytest.raises(CaptureError, match=message):
        load_capture(make(tmp_path))


def test_the_sample_is_in_the_product():
    capture = load_capture(SAMPLE)
    assert len(capture.layers) >= 3 and all(one.spikes.any() for one in capture)
