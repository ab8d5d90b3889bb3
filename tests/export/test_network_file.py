"""The network file: round trip, determinism, and every rule that is refused by name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network, equal
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.support.random_models import random_attention, random_shortcuts

HERE = Path(__file__).parents[1]


def random_network(seed, signed=False, mode="repeat"):
    rng = np.random.default_rng(seed)

    def weight(*shape):
        return rng.integers(-128, 128, shape).astype(np.int8)

    def neuron(o, kind="if"):
        return Neuron(
            kind=kind,
            levels=int(rng.integers(1, 256)),
            reset=str(rng.choice(["soft", "hard", "none"])),
            threshold=rng.integers(1, 1 << 20, o),
            bias=rng.integers(-(1 << 20), 1 << 20, o),
            v0=rng.integers(-1000, 1000, o),
            leak=rng.integers(0, 257, o) if kind == "lif" else np.full(o, 256),
        )

    first = Source(feature="input", weight=weight(4, 2, 3, 3), stride=int(rng.integers(1, 3)), padding=1)
    main = Source(feature="a", weight=weight(4, 4, 3, 3), padding=1)
    shortcut = Source(feature="a", weight=weight(4, 4, 1, 1))
    size = 8 if first.stride == 1 else 4
    layers = (
        Layer(name="a", sources=(first,), neuron=neuron(4)),
        Layer(
            name="b",
            sources=(main, shortcut),
            neuron=neuron(4, "lif"),
            encoding="thermometer",
            pool=MaxPool(kernel=2),
        ),
        Layer(
            name="out",
            sources=(Source(feature="b", weight=weight(3, (size // 2) ** 2 * 4, 1, 1), flatten=True),),
            neuron=Neuron.readout(3, bias=rng.integers(-9, 9, 3)),
        ),
    )
    return Network(
        name="random",
        input_shape=(2, 8, 8),
        input_levels=255,
        input_signed=signed,
        timesteps=int(rng.integers(1, 5)),
        input_mode=mode,
        layers=layers,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["repeat", "once", "given"]))
def test_round_trip(tmp_path_factory, seed, signed, mode):
    network = random_network(seed, signed, mode)
    folder = tmp_path_factory.mktemp("file")
    frame = (network.timesteps,) * (mode == "given") + (2, 8, 8)
    images = np.random.default_rng(seed).integers(-128 if signed else 0, 128, (3, *frame))
    path = network_file.save(
        network,
        folder / "net",
        recipe={"network": "x", "seed": 3, "lr": 0.5},
        accuracy=dict(dataset="digits", images=10, integer=90.0, float=None),
        statistics={"a": {"spikes": 1.5, "cycles": {"bitplane": 3.0}}},
        widths={"a": {"psum": (-3, 4, 4)}},
        changes=("nothing",),
        samples=(images, [0, 1, 2]),
    )
    loaded = network_file.load(path)
    assert equal(loaded.network, network)
    assert np.array_equal(loaded.images, images) and loaded.labels.tolist() == [0, 1, 2]
    assert loaded.recipe["lr"] == 0.5 and loaded.accuracy["integer"] == 90 and loaded.accuracy["float"] is None
    assert loaded.statistics["a"]["cycles"]["bitplane"] == 3 and loaded.widths["a"]["psum"] == (-3, 4, 4)
    assert loaded.changes == ("nothing",)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_round_trip_of_attention(tmp_path_factory, seed):
    network = random_attention(seed)
    path = network_file.save(network, tmp_path_factory.mktemp("file") / "net")
    assert equal(network_file.load(path).network, network)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_round_trip_of_membrane_shortcuts(tmp_path_factory, seed):
    network = random_shortcuts(seed)
    path = network_file.save(network, tmp_path_factory.mktemp("file") / "net")
    assert equal(network_file.load(path).network, network)


def test_the_version_is_the_first_that_has_what_the_network_needs(tmp_path):
    """Networks without sums and products have files that older releases read."""
    old = yaml.safe_load(network_file.save(random_network(1), tmp_path / "old").read_text())
    new = yaml.safe_load(network_file.save(random_attention(1), tmp_path / "new").read_text())
    assert (old["version"], new["version"]) == (1, 2)
    assert all(set(one["neuron"]) == {"kind", "levels", "reset"} for one in old["layers"])
    assert not any({"product", "addend"} & one.keys() for one in old["layers"]) and "sources" not in new["layers"][3]


ATTENTION_RULES = [
    (["version"], 1, "version must be 2, not 1: layer 'g' is a product"),
    (["layers", 3, "product"], ..., "layer 'g' must have either sources or a product, or an addend and no sources"),
    (["layers", 3, "addend"], "v", "layer 'g': addend must be None beside a product, not 'v'"),
    (["layers", 5, "addend"], "zz", "layer 'end': addend 'zz' must be an earlier layer"),
    (["layers", 5, "addend"], "", "layers.5.addend: .*String should match pattern"),
    (
        ["layers", 0, "product"],
        dict(feature="k", operand="v", over="tokens", heads=1, channels=1),
        "layer 'q' must have",
    ),
    (["layers", 3, "product", "over"], "heads", "layers.3.product.over: .*'tokens' or 'channels', not 'heads'"),
    (["layers", 3, "product", "heads"], 0, "layers.3.product.heads: .*greater than or equal to 1, not 0"),
    (["layers", 3, "product", "operand"], ..., "layers.3.product.operand: Field required"),
    (["layers", 3, "product", "operand"], "zz", "layer 'g': operand 'zz' must be an earlier layer"),
    (["layers", 3, "product", "channels"], 77, r"g.threshold must be int32\[77\], not int32"),
    (["layers", 3, "neuron", "bits"], 12, "layers.3.neuron.bits: .*8, 16 or 32, not 12"),
    (["layers", 3, "neuron", "bits"], 16, "layer 'a': operand 'g': bits must be 8, not 16"),
    (["layers", 3, "neuron", "shift"], 32, "layers.3.neuron.shift: .*less than or equal to 31, not 32"),
    (["layers", 3, "neuron", "kind"], "readout", "neuron.leak must be 256 for kind 'readout', not 0"),
    (["layers", 0, "neuron", "shift"], 1, "neuron.shift must be 0 for kind 'l?if', not 1: only a sum is shifted"),
]


@pytest.mark.parametrize(("keys", "value", "message"), ATTENTION_RULES)
def test_manifest_rules_of_attention(tmp_path, keys, value, message):
    saved = network_file.save(random_attention(1), tmp_path / "net")
    change(saved, keys, value)
    with pytest.raises(ValueError, match=message):
        network_file.load(saved)


def test_same_content_same_bytes(tmp_path):
    paths = [network_file.save(random_network(1), tmp_path / d / "net") for d in "ab"]
    for suffix in (".yaml", ".safetensors"):
        a, b = (p.with_suffix(suffix).read_bytes() for p in paths)
        assert a == b


@pytest.fixture
def saved(tmp_path):
    return network_file.save(random_network(7), tmp_path / "net")


def change(path, keys, value):
    at = manifest = yaml.safe_load(path.read_text())
    for key in keys[:-1]:
        at = at[key]
    if value is ...:
        del at[keys[-1]]
    else:
        at[keys[-1]] = value
    path.write_text(yaml.safe_dump(manifest))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["format"], "other", "format: Input should be 'reprise-network', not 'other'"),
        (["version"], 3, "version must be 1 or 2, not 3: written by another release"),
        (["version"], 1.0, "version: .*valid integer, not 1.0"),
        (["version"], True, "version: .*valid integer, not True"),
        (["layers", 1, "pool"], 2.0, "layers.1.pool: .*valid integer, not 2.0"),
        (["name"], "a b", "name: .*pattern.*not 'a b'"),
        (["timesteps"], 0, "timesteps: .*greater than or equal to 1, not 0"),
        (["timesteps"], "4", "timesteps: .*integer, not '4'"),
        (["input", "levels"], 256, "input.levels: .*less than or equal to 255, not 256"),
        (["input", "mode"], "twice", "input.mode: .*'repeat', 'once' or 'given', not 'twice'"),
        (["input", "shape"], [2, 8], "input.shape.2: Field required"),
        (["input", "shape"], [3, 8, 8], "samples.images must be uint8"),
        (["layers"], [], "layers: .*at least 1 item"),
        (["layers", 0, "encoding"], "unary", "layers.0.encoding: .*'bitplane' or 'thermometer', not 'unary'"),
        (["layers", 0, "extra"], 1, "layers.0.extra: Extra inputs are not permitted, not 1"),
        (["layers", 0, "neuron", "levels"], 256, "layers.0.neuron.levels: .*less than or equal to 255"),
        (["layers", 1, "pool"], 5, "layers.1.pool: .*2, 3 or 4, not 5"),
        (["layers", 1, "sources"], [], "layers.1.sources: .*at least 1 item"),
        (["layers", 1, "sources", 0, "feature"], "zz", "layer 'b': source 'zz' must be 'input' or an earlier layer"),
        (["layers", 1, "sources", 0, "padding"], 7, "layers.1.sources.0.padding: .*less than or equal to 6"),
        (["layers", 1, "sources", 0, "stride"], 2, "output sizes of the sources must be equal"),
        (["layers", 1, "sources", 0, "shape"], [4, 4, 3, 1], r"b.weight0 must be int8\[4, 4, 3, 1\], not int8"),
        (["layers", 2, "neuron", "kind"], "if", "neuron.levels must be an integer in 1..255, not 0"),
        (["tensors", "file"], "../net.safetensors", "tensors.file: .*pattern"),
        (["tensors", "file"], "gone.safetensors", "tensors.file 'gone.safetensors' must lie beside the manifest"),
        (["tensors", "sha256"], "0" * 64, "tensors.sha256 must be the digest of net.safetensors"),
        (["tensors"], ..., "tensors: Field required"),
    ],
)
def test_manifest_rules(saved, keys, value, message):
    change(saved, keys, value)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        network_file.load(saved)


def retensor(path, change_tensors):
    """Change the tensors and keep the digest right, so that the rule behind it is reached."""
    import hashlib

    file = path.with_suffix(".safetensors")
    tensors = load_file(file)
    change_tensors(tensors)
    save_file(tensors, file)
    change(path, ["tensors", "sha256"], hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("a.weight0"), "tensor 'a.weight0' must be present"),
        (lambda t: t.update(more=np.zeros(3)), "tensor 'more' must not be present"),
        (lambda t: t.update({"a.bias": np.zeros(4, np.int64)}), r"a.bias must be int32\[4\], not int64\[4\]"),
        (lambda t: t.update({"a.bias": np.zeros(5, np.int32)}), r"a.bias must be int32\[4\], not int32\[5\]"),
        (lambda t: t.update({"a.threshold": np.zeros(4, np.int32)}), "neuron.threshold must be positive in every"),
        (lambda t: t.update({"b.leak": np.full(4, 257, np.int32)}), "neuron.leak must be in 0..256"),
        (lambda t: t.update({"a.weight0": np.zeros((4, 2, 3, 3), np.float32)}), "a.weight0 must be int8"),
        (lambda t: t.pop("samples.labels"), r"samples.labels must be int64\[0\]"),
        (
            lambda t: t.update(
                {"samples.images": np.zeros((1, 2, 8, 8), np.uint8), "samples.labels": np.array([-5], np.int64)}
            ),
            "samples.labels must be from 0 on, or -1 for none, not -5",
        ),
        (lambda t: t.update({"samples.images": np.zeros((0, 1, 8, 8), np.uint8)}), "samples.images must be uint8"),
    ],
)
def test_tensor_rules(saved, edit, message):
    retensor(saved, edit)
    with pytest.raises(ValueError, match=message):
        network_file.load(saved)


def test_broken_files(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match="'.*none.yaml' does not exist"):
        network_file.load(tmp_path / "none.yaml")
    for text, message in [
        ("[1, 2]", "must be a mapping"),
        ("a: [", "must be YAML"),
        ("!!python/object:os.x {}", "YAML"),
    ]:
        bad = tmp_path / "bad.yaml"
        bad.write_text(text)
        with pytest.raises(ValueError, match=message):
            network_file.load(bad)
    blob = b"\xff" * 40
    saved.with_suffix(".safetensors").write_bytes(blob)
    import hashlib

    change(saved, ["tensors", "sha256"], hashlib.sha256(blob).hexdigest())
    with pytest.raises(ValueError, match="must be a safetensors file"):
        network_file.load(saved)


def test_parameters_beyond_32_bits_are_refused(tmp_path):
    neuron = Neuron.uniform(1, threshold=1, bias=-(1 << 31))
    layer = Layer(name="a", sources=(Source(feature="input", weight=np.ones((1, 1, 1, 1), np.int8)),), neuron=neuron)
    network = Network(name="n", input_shape=(1, 1, 1), input_levels=1, timesteps=1, layers=(layer,))
    with pytest.raises(ValueError, match="layer 'a': neuron.bias must fit 32 bits.*-2147483648"):
        network_file.save(network, tmp_path / "n")


def test_reading_imports_neither_torch_nor_numba():
    code = (
        "import sys, reprise.export, reprise.export.train.datasets; from reprise.model.files.network_file import load; "
        f"load({str(shipped('digits'))!r}); "
        "bad = {'torch', 'numba', 'sklearn', 'matplotlib'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_committed_digits_network():
    """It classifies its samples, was measured at 98 % or more, and every width is proven."""
    from reprise.model.inference.runner import run

    loaded = network_file.load(shipped("digits"))
    assert loaded.accuracy["integer"] >= 98 and loaded.accuracy["images"] == 360
    assert loaded.accuracy["float"] - loaded.accuracy["integer"] <= 0.3
    right = (run(loaded.network, loaded.images).predictions == loaded.labels).mean()
    assert len(loaded.images) == 64 and right >= 0.95
    assert set(loaded.widths) == {layer.name for layer in loaded.network.layers} == set(loaded.statistics)
