"""What would help: changes of the configuration, against estimates of the changed configurations."""

import operator
import re

import numpy as np
import pytest

from reprise.estimate import helps
from reprise.estimate.helps import SIZES, add_helps, changes, timed
from reprise.estimate.network import SystemTiming, estimate
from reprise.estimate.report.fields import Figures
from reprise.estimate.tables import helps_lines, helps_notes, layer_helps_lines
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

TINY = HardwareConfig.load("tiny")


def network_of(*, shape=(3, 6, 6), outputs=12, bias=0):
    """A convolution and a linear layer with many weights for its one position."""
    r = np.random.default_rng(4)
    conv = r.integers(-9, 10, (outputs, shape[0], 3, 3)).astype(np.int8)
    full = r.integers(-9, 10, (16, outputs * shape[1] * shape[2], 1, 1)).astype(np.int8)
    layers = (
        Layer(
            name="conv",
            sources=(Source(feature="input", weight=conv, padding=1),),
            neuron=Neuron.uniform(outputs, threshold=9, bias=bias),
        ),
        Layer(
            name="full",
            sources=(Source(feature="conv", weight=full, flatten=True),),
            neuron=Neuron.uniform(16, threshold=9),
        ),
    )
    return Network(name="two", input_shape=shape, input_levels=1, timesteps=1, layers=layers)


@pytest.fixture
def no_area(monkeypatch):
    """Area takes seconds the first time and has tests of its own; here it is the lanes and the bits of the bus."""
    monkeypatch.setattr(helps.structure, "known", lambda config: True)
    monkeypatch.setattr(
        helps,
        "area",
        lambda c: {"lut": 100 * c.lanes, "ff": c.bus_bits, "ram": c.feature_words, "dsp": c.neuron_lanes},
    )


def helped(network, images, config=TINY, timing=None, **options):
    report = estimate(network, config, images, timing=timing)
    add_helps(report, network, config, images, timing=timing, **options)
    return report


def test_every_size_is_doubled_and_halved_once():
    config = TINY.replace(queries=1, banks=1)
    found = changes(config)
    for name in SIZES:
        alone = [change[name] for change in found if list(change) == [name]]
        value = getattr(config, name)
        once = ("queries", "banks", "weight_banks", "weight_tiles", "bus_bits")  # the other change is not legal
        assert alone == ([1] if name == "one_bit_matches" else [2 * value, value // 2][: 1 if name in once else 2])
    assert {"queries": 2, "banks": 2} in found
    assert {"queries": 1, "banks": 1} in changes(config.replace(queries=2, banks=2))
    assert not [change for change in changes(config.replace(queries=2)) if len(change) > 1]


def test_changes_do_what_an_estimate_of_the_changed_configuration_says(no_area):
    network, images = network_of(), np.ones((1, 3, 6, 6), int)
    timing = SystemTiming(latency=33, gap=1)
    steps = []
    report = helped(network, images, timing=timing, progress=lambda *step: steps.append(step))
    total = report["total"]["cycles"]["cycle_model"]
    possible = [one for one in report["total"]["helps"] if "refused" not in one]
    assert len(possible) > 12
    for one in possible:
        changed = estimate(network, TINY.replace(**one["change"]), images, timing=timing)
        assert one["cycles"] == changed["total"]["cycles"]["cycle_model"]
        assert one["cycles_percent"] == pytest.approx(100 * (one["cycles"] / total - 1), abs=0.006)
        for layer, after in zip(report["layers"], changed["layers"], strict=True):
            (found,) = [each for each in layer["helps"] if each["change"] == one["change"]]
            assert found["cycles"] == after["cycles"]["cycle_model"]
    assert [one["cycles_percent"] for one in possible] == sorted(one["cycles_percent"] for one in possible)
    assert [step[0] for step in steps if step[2] == "cycles"] == list(range(1, len(report["total"]["helps"]) + 1))
    for figures in (report["total"], *report["layers"]):
        Figures.model_validate({key: value for key, value in figures.items() if key in Figures.model_fields})


def test_costs_are_those_of_the_area_and_impossible_changes_say_why(no_area):
    report = helped(network_of(shape=(3, 8, 8)), np.ones((1, 3, 8, 8), int))
    by_change = {str(one["change"]): one for one in report["total"]["helps"]}
    assert "im2col segments must be at most 64, not 96" in by_change["{'segments': 64}"]["refused"]
    wider = by_change["{'bus_bits': 128}"]
    assert (wider["luts_percent"], wider["flip_flops_percent"]) == (0.0, 100.0)
    slow = [one for one in report["total"]["helps"] if one.get("cycles_percent", 0) > 100 * helps.WORSE]
    assert slow and not any("luts_percent" in one for one in slow)
    # Lines of the table are worth something; the others are told below it, each exactly once.
    rows = {row[0] for row in helps_lines(report["total"]).rows}
    told = " ".join(helps_notes(report["total"]))
    for one in report["total"]["helps"]:
        ((name, value), *others) = one["change"].items()
        if not others:
            assert (f"{name} {value}" in rows) + len(re.findall(rf"\b{name} {value}\b(?! and)", told)) == 1, one


def test_what_would_help_where_one_block_limits(no_area):
    """Weights for a single position come faster over a wider bus; the layer without them does not care as much.

    No pixel is set, and every neuron of the convolution fires, so that the linear layer uses all of its weights.
    """
    network, images = network_of(shape=(3, 12, 14), bias=9), np.zeros((1, 3, 12, 14), int)
    config = TINY.replace(lanes=16, neuron_lanes=4, segments=256, weight_tiles=4)
    report = helped(network, images, config)
    full = {str(one["change"]): one["cycles_percent"] for one in report["layers"][1]["helps"]}
    conv = {str(one["change"]): one["cycles_percent"] for one in report["layers"][0]["helps"]}
    assert full["{'bus_bits': 128}"] < -20 < conv["{'bus_bits': 128}"]
    assert conv["{'neuron_lanes': 8}"] < -5 < full["{'neuron_lanes': 8}"]
    assert "bus_bits 128" in layer_helps_lines(report["layers"]).rows[1][2]


def test_long_work_keeps_its_order_in_processes():
    assert list(helps._each(operator.neg, range(5), True)) == [0, -1, -2, -3, -4]


def test_a_network_that_does_not_fit_says_so(no_area):
    """A feature buffer that cannot hold the input of one line: the compiler's reason is given."""
    network = network_of(shape=(64, 12, 12), outputs=4)
    config = TINY.replace(feature_words=32)
    found = helps.tried(
        helps.Work(network=network, config=TINY, images=np.ones((1, 64, 12, 12), int), timing=SystemTiming()),
        {"feature_words": 32},
    )
    with pytest.raises(ValueError) as refused:
        timed(network, config, np.ones((1, 64, 12, 12), int), SystemTiming())
    assert found == str(refused.value) and "feature_words" in found
