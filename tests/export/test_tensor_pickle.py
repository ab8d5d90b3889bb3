"""Captures that are pickles of tensors: read as PyTorch reads them, whatever its form, and nothing of them is run."""

import io
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from reprise.model.files.capture import CaptureError, load_capture
from reprise.model.files.tensor_pickle import TensorFile

torch = pytest.importorskip("torch", reason="the optional extra 'train' is not installed")

SPEC = """
timesteps: 3
levels: 4
left_out: [attention_q]
layers:
  - {name: conv2d_1, kind: conv, in_channels: 2, out_channels: 5, kernel: 3, padding: 1, levels: 1}
  - {name: fc_0, kind: linear, in_features: 7, out_features: 300}
  - {name: fc_1, kind: linear, in_features: 8, out_features: 4, tokens: 6}
"""


def tensors():
    torch.manual_seed(1)
    base = torch.rand(5, 3, 2, 6, 5)
    return {
        "conv2d_1": (base[2] < 0.3).unsqueeze(1),
        "fc_0": torch.randint(0, 5, (7, 3)).to(torch.bfloat16).T,  # a view whose strides are not those of its shape
        "fc_1": torch.randint(0, 5, (3, 1, 6, 8)).double(),
        "attention_q": torch.rand(3, 2),
    }


def by_torch(**options):
    def written(value):
        stream = io.BytesIO()
        torch.save(value, stream, **options)
        return stream.getvalue()

    return written


FORMS = {
    "pickle.dump": pickle.dumps,
    "pickle.dump of Python 2": lambda value: pickle.dumps(value, protocol=2),
    "torch.save": by_torch(),
    "torch.save before 1.6": by_torch(_use_new_zipfile_serialization=False),
}


def write(folder, content, spec=SPEC):
    (folder / "x.pkl").write_bytes(content)
    (folder / "x.yaml").write_text(spec)
    return folder / "x.pkl"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_as_pytorch_reads_it(tmp_path, form):
    given = tensors()
    conv, fc, tokens = load_capture(write(tmp_path, FORMS[form](given)))
    assert np.array_equal(conv.spikes, given["conv2d_1"][:, 0].numpy()) and conv.levels == 1
    assert np.array_equal(fc.spikes[..., 0, 0], given["fc_0"].float().numpy()) and fc.levels == 4
    assert np.array_equal(tokens.spikes[..., 0].transpose(0, 2, 1), given["fc_1"][:, 0].numpy())
    assert (tokens.depth, tokens.outputs, len(tokens.tiles(16, 8).packed)) == (8, 4, 3 * 6 * 3)  # 3 planes of 0..4
    found = TensorFile(tmp_path / "x.pkl")
    assert np.array_equal(found.read("attention_q"), given["attention_q"].numpy())


@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_every_type_of_number(tmp_path, kind, form):
    given = torch.randint(0, 2, (3, 4)).to(getattr(torch, kind))
    arrays = {"t": given, "slice": given[1:, ::2], "n": given.numpy(), "empty": given[:0], "one": given[0, 0]}
    (tmp_path / "x.pt").write_bytes(FORMS[form](OrderedDict(arrays)))
    found = TensorFile(tmp_path / "x.pt")
    for name, value in arrays.items():
        read = found.read(name)
        assert np.array_equal(read, np.asarray(value)) and read.dtype == kind == found.headers[name].dtype, name


def test_lists_of_tensors_are_numbered(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"Linear": [torch.ones(3, 4), torch.zeros(3, 2)]}))
    assert {n: h.shape for n, h in TensorFile(tmp_path / "x.pkl").headers.items()} == {
        "Linear_0": (3, 4),
        "Linear_1": (3, 2),
    }


def test_a_pickle_without_its_layers_says_what_it_holds(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(tensors()))
    with pytest.raises(CaptureError, match=r"x.yaml must lie beside it.*conv2d_1 \(3, 1, 2, 6, 5\), fc_0 \(3, 7\)"):
        load_capture(tmp_path / "x.pkl")


class Called:
    """Whose pickle calls a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def storage(count=4, kind=torch.float32):
    return torch.zeros(count, dtype=kind)._typed_storage()


def nested(inner):
    return Called(torch.storage._load_from_bytes, pickle.dumps(inner, protocol=2))


HOSTILE = {
    "a command": (lambda: Called(os.system, "touch harm"), "holds tensors and arrays only, not posix.system"),
    "eval": (
        lambda: Called(eval, "open('harm', 'w')"),
        "holds tensors and arrays only, not (builtins|__builtin__).eval",
    ),
    "torch.load": (lambda: Called(torch.load, "harm"), "holds tensors and arrays only, not torch.serialization.load"),
    "a module": (lambda: torch.nn.Linear(2, 2), "holds tensors and arrays only, not"),
    "a command in a storage": (
        lambda: nested(Called(os.system, "touch harm")),
        "holds tensors and arrays only, not posix.system",
    ),
    "a storage in a storage": (
        lambda: Called(torch.storage._load_from_bytes, by_torch(_use_new_zipfile_serialization=False)(nested(1))),
        "not torch.storage._load_from_bytes",
    ),
    "a view beyond its storage": (
        lambda: Called(torch._utils._rebuild_tensor_v2, storage(), 2, (2, 2), (2, 1), False, OrderedDict()),
        r"a tensor of shape \(2, 2\) reads beyond the 4 values",
    ),
    "a view before its storage": (
        lambda: Called(torch._utils._rebuild_tensor_v2, storage(), -1, (2,), (1,), False, OrderedDict()),
        "has the offset -1",
    ),
    "a view of an exabyte": (
        lambda: Called(torch._utils._rebuild_tensor_v2, storage(), 0, (1 << 39, 1 << 20), (0, 0), False, OrderedDict()),
        "must be",
    ),
    "steps backwards": (
        lambda: Called(torch._utils._rebuild_tensor_v2, storage(), 3, (2,), (-1,), False, OrderedDict()),
        "a tensor must have a storage",
    ),
    "objects in an array": (lambda: np.array([{}], dtype=object), "an array must be of numbers, not of type 'O8'"),
    "a sparse tensor": (
        lambda: torch.ones(2, 2).to_sparse(),
        "holds tensors and arrays only, not torch._utils._rebuild",
    ),
    "a text": (lambda: "spikes", "'conv2d_1' must be a tensor or a list of tensors, not str"),
    "a dictionary": (lambda: {"a": torch.ones(1)}, "'conv2d_1' must be a tensor or a list of tensors, not dict"),
}


@pytest.mark.parametrize("form", ["pickle.dump", "torch.save", "torch.save before 1.6"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_of_a_pickle_runs(tmp_path, monkeypatch, kind, form):
    monkeypatch.chdir(tmp_path)
    make, message = HOSTILE[kind]
    path = write(tmp_path, FORMS[form]({"conv2d_1": make()}), SPEC.replace("left_out: [attention_q]", ""))
    tracemalloc.start()
    with pytest.raises(CaptureError, match=rf"x.pkl: .*{message}"):
        load_capture(path)
    if "exabyte" in kind:
        with pytest.raises(Exception, match="must be at most"):
            TensorFile(path).read("conv2d_1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20 and not (tmp_path / "harm").exists()


def bomb():
    """500,000 references to one list of 250,000 entries, which a careless copy would make 10**11."""
    return b"\x80\x02}" + b"]q\0(" + b"N" * 250_000 + b"e" + b"0(" + b"".join(b"K%ch\0" % 1 for _ in range(10)) + b"u."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is damaged|it has no end"),
        (b"no pickle", "it is damaged|no instruction"),
        (b"\x80\x02N.", "must hold a dictionary of tensors by name, not NoneType"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "must hold a dictionary"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.", "it is damaged"),
        (b"PK\3\4 no zip", "it is damaged"),
        (bomb(), "must be"),
        (b"cos\nsystem\n(S'touch harm'\ntR.", "a capture holds tensors and arrays only, not os.system"),
    ],
)
def test_files_that_would_harm_a_reader(tmp_path, content, message):
    with pytest.raises(CaptureError, match=message):
        load_capture(write(tmp_path, content))


def rezipped(change):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(by_torch()({"fc_0": torch.ones(3, 7)}))) as old,
        zipfile.ZipFile(stream, "w") as new,
    ):
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, content: None if "data/0" in name else content, "storage '0' is missing"),
        (lambda name, content: b"big" if "byteorder" in name else content, "little-endian"),
        (lambda name, content: content[:-1] if "data/0" in name else content, "a storage must have 84 bytes, not 83"),
        (lambda name, content: None if name.endswith("data.pkl") else content, "has one data.pkl"),
    ],
)
def test_a_zip_that_was_changed(tmp_path, change, message):
    (tmp_path / "x.pt").write_bytes(rezipped(change))
    with pytest.raises(Exception, match=message):
        TensorFile(tmp_path / "x.pt").read("fc_0")


def test_the_list_of_names_is_closed(tmp_path):
    """Every name that PyTorch's own pickles of these tensors use is one that is known; all others are refused above."""
    from reprise.model.files.tensor_pickle import CALLS

    used = {arg for op, arg, _ in pickletools.genops(pickle.dumps(tensors(), protocol=2)) if op.name == "GLOBAL"}
    assert used <= set(CALLS) and len(CALLS) < 25


@pytest.mark.parametrize("form", FORMS)
def test_random_damage_is_told(tmp_path, form):
    rng, good, ends = np.random.default_rng(5), FORMS[form](tensors()), set()
    print("seed 5")
    for _ in range(100):
        data = bytearray(good)
        if rng.random() < 0.2:
            del data[rng.integers(len(data)) :]
        for at in rng.integers(0, max(len(data), 1), rng.integers(1, 4)):
            data[at : at + 1] = [bytes([rng.integers(256)]), b"", b"N("][rng.integers(3)]
        try:
            load_capture(write(tmp_path, bytes(data)))
            ends.add("taken")
        except CaptureError as error:
            ends.add("refused")
            assert 10 < len(str(error)) < 5000
    assert ends == {"taken", "refused"}
