"""Recipes, training, resumption, the pipeline and the command line."""

import numpy as np
import pytest
import torch

from reprise.export import pipeline, pretrained
from reprise.export.train import datasets, recipe, train
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise
from tests.support.export_helpers import PAPER

SHORT = dict(epochs=4, train_images=200, test_images=40)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def states_equal(a, b):
    assert a.keys() == b.keys()
    return all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("stop", [1, 3])
def test_interrupted_training_continues_bit_for_bit(digits, tmp_path, stop):
    r = recipe.preset("digits", **SHORT)
    whole = train.train(r, digits, device="cpu").state_dict()
    train.train(r, digits, checkpoint=tmp_path / "c.pt", device="cpu", stop_after=stop)
    resumed = train.train(r, digits, checkpoint=tmp_path / "c.pt", device="cpu").state_dict()
    assert states_equal(whole, resumed)
    halted = train.train(r, digits, checkpoint=tmp_path / "d.pt", device="cpu", stop_after=stop).state_dict()
    assert not states_equal(whole, halted)  # the comparison can fail


def test_interruption_within_an_epoch_loses_only_that_epoch(digits, tmp_path):
    r = recipe.preset("digits", **SHORT)

    def halt(epoch, step, steps, loss):
        if epoch == 2 and step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(r, digits, checkpoint=tmp_path / "c.pt", device="cpu", progress=halt)
    seen = []
    resumed = train.train(
        r, digits, checkpoint=tmp_path / "c.pt", device="cpu", progress=lambda e, *rest: seen.append(e)
    )
    assert set(seen) == {2, 3}
    assert states_equal(train.train(r, digits, device="cpu").state_dict(), resumed.state_dict())


def test_seed_decides(digits):
    r = recipe.preset("digits", epochs=1, train_images=64)
    same = [train.train(r, digits, device="cpu").state_dict() for _ in range(2)]
    other = train.train(recipe.preset("digits", epochs=1, train_images=64, seed=1), digits, device="cpu").state_dict()
    assert states_equal(*same) and not states_equal(same[0], other)


def test_every_epoch_has_its_own_order(digits, monkeypatch):
    seen, augment = [], train.augment
    monkeypatch.setattr(train, "augment", lambda x, *rest: seen.append(x.clone()) or augment(x, *rest))
    train.train(recipe.preset("digits", epochs=2, train_images=64, batch=64), digits, device="cpu")
    assert len(seen) == 2 and not torch.equal(*seen)
    assert torch.equal(*(x.flatten(1).sum(1).sort().values for x in seen))


def test_checkpoint_of_another_recipe_is_refused(digits, tmp_path):
    train.train(recipe.preset("digits", epochs=1, train_images=64), digits, checkpoint=tmp_path / "c.pt", device="cpu")
    other = recipe.preset("digits", epochs=2, train_images=64)
    with pytest.raises(ValueError, match="c.pt: its recipe differs"):
        train.train(other, digits, checkpoint=tmp_path / "c.pt", device="cpu")


def test_checkpoints_hold_no_code(digits, tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("harm",)

    torch.save({"version": 1, "model": Evil()}, tmp_path / "c.pt")
    with pytest.raises(Exception, match="weights_only|Weights only|Unsupported"):
        train.train(recipe.preset("digits", epochs=1), digits, checkpoint=tmp_path / "c.pt", device="cpu")


def test_augmentation_shifts_and_flips():
    images = torch.zeros(64, 1, 5, 5)
    images[:, 0, 2, 3] = 7
    r = recipe.preset("digits", shift=1)
    out = train.augment(images, r, torch.Generator().manual_seed(0))
    rows, cols = (out[:, 0] == 7).nonzero()[:, 1:].T
    assert len(rows) == 64 and set(rows.tolist()) == {1, 2, 3} and set(cols.tolist()) == {2, 3, 4}
    r = recipe.preset("digits", shift=0).model_copy(update={"flip": True})
    columns = train.augment(images, r, torch.Generator().manual_seed(0))[:, 0, 2].argmax(1)
    assert set(columns.tolist()) == {1, 3}


def test_spikes_are_counted(digits):
    model = train.build(recipe.preset("digits"), digits)
    images = digits.test_images[:10]
    _, spikes = train.evaluate(model, images, digits.test_labels[:10])
    maps, _ = model.trace(torch.tensor(images).float())
    assert spikes == {y.name: float(maps[y.name].sum()) / 10 for y in model.layers if not y.readout}


def test_sparsity_term_lowers_activity(digits):
    plain = train.train(recipe.preset("digits", **SHORT), digits, device="cpu")
    pushed = recipe.preset("digits", **SHORT).model_copy(update={"sparsity": 3.0})
    sparse = train.train(pushed, digits, device="cpu")
    counts = [
        sum(train.evaluate(m, digits.test_images[:40], digits.test_labels[:40])[1].values()) for m in (plain, sparse)
    ]
    assert counts[1] < 0.8 * counts[0]


@pytest.mark.parametrize("name", recipe.presets())
def test_presets_are_valid(name):
    r = recipe.preset(name)
    assert r.title.startswith(r.network) and r.key() == recipe.preset(name).key() != recipe.preset(name, seed=5).key()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (dict(levels=0), "levels: .*greater than or equal to 1, not 0"),
        (dict(neuron="izh"), "neuron: .*'if' or 'lif', not 'izh'"),
        (dict(lr=-1.0), "lr: .*greater than 0, not -1.0"),
        (dict(colour=1), "colour: Extra inputs are not permitted, not 1"),
    ],
)
def test_recipe_rules(override, message):
    with pytest.raises(ValueError, match=message):
        recipe.preset("digits", **override)


def test_unknown_preset_and_network(digits):
    with pytest.raises(ValueError, match="network preset must be one of .*digits.*not 'alexnet'"):
        recipe.preset("alexnet")
    with pytest.raises(ValueError, match="network must be one of digits.*not 'alexnet'"):
        train.build(recipe.preset("digits", network="alexnet"), digits)
    with pytest.raises(ValueError, match=r"network lenet5 needs images of shape \(1, 28, 28\), digits has \(1, 8, 8\)"):
        train.build(recipe.preset("digits", network="lenet5"), digits)


def test_ms_is_trained_with_rounding_or_without(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (16, 3, 32, 32)).astype(np.uint8), rng.integers(0, 10, 16)
    fake = datasets.Dataset(
        name="cifar10",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        levels=255,
        classes=10,
    )
    monkeypatch.setattr(datasets, "load", lambda *a: fake)
    small = dict(epochs=1, width=4, blocks=2)
    plain = recipe.preset("resnet-ms", quantize=False, **small)
    product = pipeline.produce(plain, tmp_path / "x.yaml", PAPER, progress=False)
    assert product.path is None and sum(product.spikes.values()) > 0
    product = pipeline.produce(recipe.preset("resnet-ms", **small), tmp_path / "x.yaml", PAPER, progress=False)
    assert load(product.path).network.layers[-2].addend == "blocks_4_conv2"


def test_pretrained_refuses_a_network_that_has_no_file_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "produce", lambda *a, **k: pytest.fail("it was trained"))
    (tmp_path / "plain.yaml").write_text("network: digits\ndataset: digits\nquantize: false\n")
    with pytest.raises(RepriseError, match="plain.yaml: quantize must be true, not False: .* floating point"):
        pretrained(tmp_path / "plain.yaml", PAPER)


def test_command_line(tmp_path):
    file = tmp_path / "d.yaml"
    options = ["--epochs", 3, "--set", "train_images=300", "--output", file, "--checkpoint", tmp_path / "d.pt"]
    done = reprise("train", "digits", *options)
    assert done.code == 0 and "integer accuracy" in done.out, done.text
    done = reprise("check", file, "--samples", 70)
    assert done.code == 0 and "agree on every partial sum, level and potential" in done.out, done.text
    done = reprise("show", file)
    assert done.code == 0 and "conv1" in done.out and "accuracy" in done.out
    tensors = file.with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\x01")
    done = reprise("check", file)
    assert done.code == 2 and "tensors.sha256" in done.err
    done = reprise("train", "--set", "levels=0")
    assert done.code == 2 and "levels" in done.err


def test_check_shows_the_first_difference(monkeypatch):
    """A twin that fires one level more somewhere must be caught, with its place."""
    from reprise.export.qat import check

    honest = check.from_network

    def wrong(network):
        twin = honest(network)
        twin.layers[1].int_bias += twin.layers[1].int_threshold
        return twin

    monkeypatch.setattr(check, "from_network", wrong)
    done = reprise("check", shipped("digits"), "--samples", 8)
    text = " ".join(done.out.split())
    assert done.code == 1 and "first difference layer conv2: potential of image 0, timestep 0, channel" in text, text
