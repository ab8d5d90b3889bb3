"""Published accelerators as models: published figures, rules written down naively, and ``reprise compare NETWORK``."""

import csv
import json
from html import escape
from pathlib import Path

import numpy as np
import pytest

from reprise.cosim.report.baselines import page
from reprise.estimate.baselines import published
from reprise.estimate.baselines.accelerator import DRAM_PJ_PER_BIT
from reprise.estimate.baselines.compare import ACCELERATORS, compared
from reprise.estimate.baselines.eyeriss import EYERISS
from reprise.estimate.baselines.mint import MINT
from reprise.estimate.baselines.prosperity import matrix_cycles, published_model_of_network
from reprise.estimate.baselines.ptb import PTB, slots
from reprise.estimate.baselines.sato import SATO
from reprise.estimate.baselines.workload import of_capture, of_network
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files import network_file
from reprise.model.files.capture import Capture, ConvSpec, LinearSpec, captured_layer, load_capture
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from tests.reprise.command import reprise

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the published captures (../shared/data) are absent")

LENET5 = {
    "Eyeriss": [(98742, 329), (13160, 17), (1918, 12)],
    "PTB": [(36181, 13824), (9761, 720), (1329, 504)],
    "SATO": [(22624, 13824), (21240, 720), (2100, 504)],
    "MINT": [(175255, 13824), (5036, 720), (674, 504)],
}
"""Cycles (matrix, neurons) of the published code on the capture ``lenet5_mnist``, by layer."""


def recorded(shape, density=0.3, timesteps=8, seed=1, **conv):
    """Random spikes at the input of a layer, as a capture of that layer alone."""
    spikes = (np.random.default_rng(seed).random((timesteps, *shape)) < density).astype(np.uint8)
    if conv:
        spec = ConvSpec(name="c", kind="conv", in_channels=shape[0], **conv)
    else:
        spec, spikes = (
            LinearSpec(name="f", kind="linear", in_features=shape[0], out_features=20),
            spikes[..., None, None],
        )
    return Capture(name="random", layers=(captured_layer(spikes, spec),))


def matrix(capture):
    """Rows of a capture's only layer as bool[T, S, K], without packing or tiling."""
    (one,) = capture
    source, x = one.layer.sources[0], one.spikes
    kernel, stride, pad = source.weight.shape[2], source.stride, source.padding
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    places = [
        (y, z) for y in range(0, x.shape[2] - kernel + 1, stride) for z in range(0, x.shape[3] - kernel + 1, stride)
    ]
    windows = [x[:, :, y : y + kernel, z : z + kernel].reshape(len(x), -1) for y, z in places]
    return np.stack(windows, axis=1).astype(bool)


def pairs(rows):
    """Slots of a matrix bool[K, 8]: rows one after the other, each with the first later row that is disjoint."""
    count, rest = 0, []
    for row in rows:
        count += row.all()
        if row.any() and not row.all():
            rest.append(row)
    while rest:
        first, *rest = rest
        count += 1
        partner = next((n for n, row in enumerate(rest) if not (row & first).any()), None)
        if partner is not None:
            del rest[partner]
    return count


def naive_ptb(capture):
    rows = matrix(capture)
    steps = max(4, 1 << (len(rows) - 1).bit_length())
    rows = np.concatenate([rows, np.zeros((steps - len(rows), *rows.shape[1:]), dtype=bool)])
    windows = rows.reshape(-1, 4, *rows.shape[1:]).any(axis=1)
    if windows.shape[1] == 1 and capture.layers[0].layer.sources[0].weight.shape[2] == 1:
        return windows.any(axis=(0, 1)).sum()
    columns = windows.reshape(-1, windows.shape[2])
    columns = np.concatenate([columns, np.zeros((-len(columns) % 8, columns.shape[1]), dtype=bool)])
    parts = columns.reshape(8, -1, columns.shape[1])
    return sum(pairs(parts[:, n].T) for n in range(parts.shape[1]))


CASES = [
    {"shape": (3, 8, 8), "out_channels": 5, "kernel": 3, "padding": 1},
    {"shape": (2, 9, 9), "out_channels": 33, "kernel": 5, "stride": 2, "density": 0.1},
    {"shape": (4, 5, 7), "out_channels": 16, "kernel": 2, "timesteps": 3, "density": 0.05},
    {"shape": (20, 4, 4), "out_channels": 17, "kernel": 4, "timesteps": 32, "density": 0.02},
    {"shape": (130,), "timesteps": 4, "density": 0.1},
    {"shape": (40,), "timesteps": 10, "density": 0.05},
    {"shape": (6, 6, 6), "out_channels": 8, "kernel": 1, "timesteps": 16, "density": 0.6},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["shape"]))
def test_models_equal_their_rules_written_down_naively(case):
    capture = recorded(**case)
    (layer,) = of_capture(capture)
    rows = matrix(capture)
    timesteps, positions, depth = rows.shape
    outputs = layer.outputs
    assert slots(layer) == naive_ptb(capture)
    compute = slots(layer) * -(-outputs // 16) * 4 + positions * 32
    moved = timesteps * positions * depth + 8 * depth * outputs + timesteps * positions * outputs - 1536
    assert PTB.matrix(layer) == compute + 1 + max(0, moved // 1024 - compute)
    assert MINT.matrix(layer) == rows.sum() * -(-outputs // 128)
    assert EYERISS.matrix(layer) == -(-outputs // 12) * (depth * timesteps * positions // 14)
    adders = [0] * 128
    for bits in rows.reshape(-1, depth).sum(axis=1):
        adders[adders.index(min(adders))] += int(bits)
    assert SATO.matrix(layer) == max(adders) * outputs


def test_memory_limits_ptb_where_little_is_computed():
    capture = recorded((60_000,), density=0, timesteps=4)
    assert PTB.matrix(of_capture(capture)[0]) == 1 + (4 * 60_000 + 8 * 60_000 * 20 + 4 * 20 - 1536) // 1024 + 0


@pytest.mark.parametrize(
    ("timesteps", "cycles"), [(1, 100), (4, 300), (10, 100 * (float(np.log2(np.float32(10))) + 1))]
)
def test_neurons_of_sato(timesteps, cycles):
    (layer,) = of_capture(recorded((7, 5, 5), timesteps=timesteps, out_channels=4, kernel=1))
    assert layer.neurons == 100 and SATO.neurons(layer) == cycles


def test_published_energy_is_power_times_time_and_dram():
    """Chip power and DRAM traffic are those with which the published energies come out of the published times."""
    bits = published.tables()["dram_bits"]
    for one in ACCELERATORS:
        for name, seconds in published.seconds(one.name).items():
            known = published.energy_mj(one.name)[name]
            dram = DRAM_PJ_PER_BIT * bits[name] * one.dram_ratio * 1e-9
            assert one.chip_milliwatt * seconds + dram == pytest.approx(known, rel=2e-5), (one.name, name)


def test_published_headlines():
    means = {one["name"]: one for one in published.means("Prosperity")}
    assert 1 / means["PTB"]["energy_saving"] == pytest.approx(8.0, abs=0.1)
    assert 1 / means["A100"]["speedup"] == pytest.approx(1.8, abs=0.05)
    assert 1 / means["A100"]["energy_saving"] == pytest.approx(193, abs=10)


@needs_shared
def test_shipped_tables_are_the_published_ones():
    from tools.distil.published import distilled

    assert distilled(SHARED / "published") == published.tables()


@needs_shared
def test_lenet5_equals_the_published_code():
    capture = load_capture(SHARED / "captures/lenet5_mnist.npz")
    found = compared(capture.name, [[one] for one in of_capture(capture)], [])
    assert found["published_network"] == "lenet5"
    for name, cycles in LENET5.items():
        layers = [(one["matrix_cycles"][name], one["neuron_cycles"][name]) for one in found["layers"]]
        assert layers == cycles, name
        row = next(row for row in found["accelerators"] if row["name"] == name)
        assert row["cycles"] == sum(map(sum, cycles))


@needs_shared
@pytest.mark.parametrize("name", ["lenet5_mnist", "vgg9_cifar10"])
def test_published_densities_to_the_last_digit(name):
    capture = load_capture(SHARED / f"captures/{name}.npz")
    found = compared(name, [[one] for one in of_capture(capture)], [])
    for key in ("bit_density", "product_density"):
        assert f"{found['total'][key]:.6g}" == f"{found['benchmark'][key]:g}"


@pytest.fixture(scope="module")
def digits():
    return open_network("digits", HardwareConfig.load("tiny"))


def test_images_add_up_and_planes_are_steps(digits):
    images = choose_images(digits, 2, 0).images
    both = list(of_network(digits.network, run(digits.network, images, record=("features",)).features))
    for number in range(2):
        one = run(digits.network, images[number : number + 1], record=("features",)).features
        for layer, alone in zip(both, of_network(digits.network, one), strict=True):
            assert np.array_equal(layer[number].packed, alone[0].packed)
    first = both[0][0]
    assert first.planes == first.steps == 5  # pixels of 0..16 at one timestep
    assert first.neurons == first.outputs * first.positions and both[-1][0].neurons == 0  # the readout does not fire


def test_command_writes_all_figures(tmp_path, digits):
    files = {kind: tmp_path / f"a.{kind}" for kind in ("json", "html", "csv")}
    words = [word for kind, path in files.items() for word in (f"--{kind}", path)]
    done = reprise("compare", "digits", "--config", "tiny", *words)
    assert done.code == 0, done.text
    report = json.loads(files["json"].read_text())
    assert report["kind"] == "baselines" and report["configuration_name"] == "tiny"
    origins = {row["name"]: row["origin"] for row in report["accelerators"]}
    assert origins == {one.name: "model" for one in ACCELERATORS} | {"Reprise tiny": "model"}
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    for row in report["accelerators"]:
        assert row["speedup"] == report["accelerators"][0]["cycles"] / row["cycles"]
        (total,) = (r for r in rows if r["accelerator"] == row["name"] and r["layer"] == "total")
        assert float(total["cycles"]) == row["cycles"]
        layers = [
            r for r in rows if r["accelerator"] == row["name"] and r["origin"] == "model" and r["layer"] != "total"
        ]
        rest = row["cycles"] - sum(float(r["cycles"]) for r in layers)
        assert len(layers) == 4 and (rest > 0) == (row["name"] == "Reprise tiny")  # ours also ends the job
    assert {r["origin"] for r in rows} == {"model", "published"}
    text = files["html"].read_text()
    bars = text.count('<div class="bar">')
    assert bars == len(origins) + 2 * len(report["published"])
    assert sum(text.count(f"<em>{origin}</em>") for origin in ("model", "published", "measured")) == bars
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_simulation_is_shown_as_measured(tmp_path):
    base, found = tmp_path / "base.json", tmp_path / "found.json"
    options = ["--config", "tiny", "--images", "1", "--engine", "interpreter", "--no-limits", "--out", tmp_path / "run"]
    assert reprise("cosim", "digits", *options).code == 0
    report = json.loads((tmp_path / "run/report.json").read_text())
    base.write_text(json.dumps(report))
    refused = reprise("compare", "digits", "--config", "tiny", "--rtl", base)
    assert refused.code == 2 and "no RTL was run" in refused.err
    for one in (*report["layers"], report["total"]):
        one["cycles"]["rtl"] = one["cycles"]["cycle_model"]
    base.write_text(json.dumps(report))
    assert reprise("compare", "digits", "--config", "tiny", "--rtl", base, "--json", found).code == 0
    *_, model, mine = json.loads(found.read_text())["accelerators"]
    assert (model["origin"], mine["origin"]) == ("model", "measured") and mine["cycles"] == model["cycles"]
    refused = reprise("compare", "digits", "--images", "2", "--config", "tiny", "--rtl", base)
    assert refused.code == 2 and "2 image(s)" in refused.err


def test_a_measured_energy_is_shown_with_what_it_leaves_out(tmp_path):
    report = ROOT / "docs/measured/energy_tiny.json"
    files = {kind: tmp_path / f"a.{kind}" for kind in ("json", "html", "csv")}
    words = [word for kind, path in files.items() for word in (f"--{kind}", path)]
    done = reprise("compare", "digits", "--config", "tiny", "--rtl", report, *words)
    assert done.code == 0, done.text
    measured = json.loads(report.read_text())
    found = json.loads(files["json"].read_text())
    mine, total = found["accelerators"][-1], measured["total"]
    assert mine["origin"] == "measured" and mine["cycles"] == total["cycles"]
    assert mine["measured_microjoules"] == total["chip_nj"] / 1000 and found["limits"] == measured["limits"]
    text = files["html"].read_text()
    assert "Energy on this work" in text and all(escape(limit) in text for limit in measured["limits"])
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    energies = {row["accelerator"]: row["chip_microjoules"] for row in rows if row["layer"] == "total"}
    assert float(energies[mine["name"]]) == pytest.approx(mine["measured_microjoules"], rel=1e-5)
    assert energies["Reprise tiny"] == "" and float(energies["Eyeriss"]) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.json", "--images", "2"], "--images must be left out beside reports"),
        (["a.json"], "REPORT must be two reports or more"),
        (["nothing.npz"], "nothing.npz: must be a file, and there is none"),
        (["nothing.npz", "--images", "3"], "--images must be left out beside a capture"),
        (["nothing"], "network preset must be one of"),
    ],
)
def test_mistakes(arguments, message):
    done = reprise("compare", *arguments)
    assert done.code == 2 and message in done.err, done.err


def test_published_page_marks_its_bars():
    capture = recorded((3, 8, 8), out_channels=5, kernel=3, padding=1)
    found = compared("vgg16_cifar10", [[one] for one in of_capture(capture)], [])
    assert found["benchmark"] is None  # a name alone is not enough
    found["benchmark"] = published.of_benchmark("vgg16_cifar10")
    text = page({**found, "date": "", "command": None, "configuration_name": "paper"})
    assert "Stellar" in text and text.count("<em>published</em>") == 2 * (7 + 8)


def test_a_product_of_two_maps_is_a_workload_for_each_image_and_head():
    """Their tiles are those of the published simulator, which takes every head and timestep by itself."""
    file = network_file.load(shipped("digits-spikformer"))
    features = run(file.network, file.images[:1], record=("features",)).features
    expected = published_model_of_network(file.network, features, HardwareConfig.load("paper"))
    for layer, works in zip(file.network.layers, of_network(file.network, features), strict=True):
        assert sum(matrix_cycles(one) for one in works) == expected[layer.name]
        if layer.product:
            assert len(works) == layer.product.heads
            kind = {(one.positions, one.depth, one.outputs, one.neurons) for one in works}
            assert kind == {(16, 16, 16, 0 if layer.product.over == "tokens" else 256)}
