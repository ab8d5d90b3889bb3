"""The comparison of residual joins at equal accuracy."""

import numpy as np
import pytest
import torch

from reprise.export.train import datasets, recipe, train
from tools import join_curves

torch.set_num_threads(1)


def row(join, value, spikes, accuracy, seed=0, **how):
    recipe = {"seed": seed, "train_images": 50000, "epochs": 6, "width": 8, "blocks": 3, **how}
    kept = {"join": join, "value": value, "spikes": spikes, "accuracy": accuracy}
    return kept | {"knob": "thresholds", "recipe": recipe}


ROWS = [
    row("sparse", 0, 100, 60),
    row("sparse", 1, 50, 50),
    row("sew", 0, 200, 70, seed=0),
    row("sew", 0, 200, 60, seed=1),
    row("sew", 1, 100, 45),
]


def test_curve_averages_seeds_and_ascends():
    assert join_curves.curve(ROWS, "sew").tolist() == [[100, 45], [200, 65]]


def test_rows_of_other_recipes_are_kept_apart(tmp_path):
    other = [row("sew", 0, 10, 20, train_images=6000, epochs=8), row("sew", 1, 5, 10, train_images=6000, epochs=8)]
    found = join_curves.runs([*other, *ROWS])
    assert list(found.values()) == [ROWS, other]
    assert [title.split("\n")[1] for title in found] == [
        "50,000 images, 6 epochs, width 8, 3 blocks",
        "6,000 images, 8 epochs, width 8, 3 blocks",
    ]
    join_curves.plot([*other, *ROWS], tmp_path / "joins.svg")
    assert (tmp_path / "joins.svg").stat().st_size > 1000


def test_names_of_joins():
    names = ("sew", "sparse", "sparse-b2", "sparse/2", "sparse:2")
    assert [join_curves.parse(name) for name in names] == [
        ("resnet-sew", {}),
        ("resnet-sparse", {}),
        ("resnet-sparse-b2", {}),
        ("resnet-sparse", {"barrier": 2}),
        ("resnet-sparse", {"barrier_levels": 2}),
    ]
    for name in ("sparse:x", "dense", ""):
        with pytest.raises(ValueError, match=f"a join must be one of .*sew.*sparse-b2.*not '{name}'"):
            join_curves.parse(name)


def test_barriers_are_of_the_network_that_has_them():
    assert recipe.preset("resnet-sparse", barrier_levels=2).barrier_levels == 2
    for field, value in (("barrier", 2), ("barrier_levels", 2), ("barrier_surrogate", "clipped")):
        with pytest.raises(
            ValueError, match=f"{field} is of resnet-sparse, the network with barriers, not of resnet-sew"
        ):
            recipe.preset("resnet-sew", **{field: value})


def test_spikes_are_read_at_equal_accuracy():
    found = join_curves.compare(ROWS)
    assert [f["accuracy"] for f in found] == [50, 52.5, 55, 57.5, 60]
    assert found[0]["sparse"] == 50 and found[0]["sew"] == 125
    assert found[0]["fewer"] == pytest.approx(60)


def test_accuracy_that_no_curve_reaches():
    assert np.isnan(join_curves.spikes_at(join_curves.curve(ROWS, "sew"), 90))
    assert join_curves.compare([row("sparse", 0, 1, 90), row("sparse", 1, 2, 95), *ROWS[2:]]) == []
    assert join_curves.compare(ROWS[:2]) == []


def test_a_curve_that_bends_back_takes_the_fewest_spikes():
    points = np.array([[10, 50], [20, 60], [30, 50]])
    assert join_curves.spikes_at(points, 55) == 15


def colour_noise(n=12, size=8):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 3, size, size)).astype(np.uint8)
    labels = rng.integers(0, 10, n)
    parts = dict(train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return datasets.Dataset(name="cifar10", levels=255, classes=10, **parts)


@pytest.mark.parametrize(("join", "levels"), [("sparse", 1), ("sparse-b2", 3), ("sew", 1)])
def test_measure_counts_what_joins_hold_back(join, levels, tmp_path, monkeypatch):
    data = colour_noise()
    preset, _ = join_curves.parse(join)
    r = recipe.preset(preset, width=4, blocks=2, epochs=6, batch=4, levels=levels, threads=1)
    measured = join_curves.measure(join, r, data)
    assert measured["spikes"] == pytest.approx(sum(measured["layer_spikes"].values()))
    assert measured["joined"] > 0
    if join == "sew":
        assert measured["cut"] == pytest.approx(0, abs=1e-6)  # a sum of levels loses none
    else:
        assert measured["cut"] > 1
    join_curves.store(measured, tmp_path / "joins.json")
    assert list(join_curves.load(tmp_path / "joins.json")) == [join_curves.key(join, r, "tuned", 0)]
    join_curves.plot([measured], tmp_path / "joins.svg")
    assert (tmp_path / "joins.svg").stat().st_size > 1000


def test_scaled_thresholds_lower_activity_and_leave_joins_alone():
    data = colour_noise()
    r = recipe.preset("resnet-sparse", width=4, blocks=2, epochs=2, batch=4, threads=1)
    model = train.train(r, data)
    before = join_curves.count("sparse", join_curves.with_thresholds(model, 1.0, data.train_images, 6), data)["spikes"]
    steps = {y.name: y.threshold.clone() for y in model.layers}
    scaled = join_curves.with_thresholds(model, 2.0, data.train_images, batch=6)
    for layer in scaled.layers:
        assert torch.equal(layer.threshold, steps[layer.name] * (1 if layer.fixed or layer.readout else 2))
    assert not scaled.training
    assert join_curves.count("sparse", scaled, data)["spikes"] < before


def test_a_record_says_what_gives_it_again():
    """It is a command line with every option, without the path of anybody's data."""
    from tools import train_tables

    words = ["joins", "--data", "/home/somebody/cifar", "--epochs", "8", "--write"]
    assert train_tables.command_line(words) == ("python -m tools.train_tables joins --data FOLDER --epochs 8 --write")
