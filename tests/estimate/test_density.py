"""reprise.estimate.density, reprise.estimate.plots and ``reprise density``: figures, files, errors."""

import json
import re
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from reprise.estimate.density import density_report, density_sweep, of_capture
from reprise.estimate.plots import draw_density
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, Capture, captured_layer, load_capture
from reprise.model.files.capture_spec import ConvSpec, LinearSpec
from tests.reprise.command import reprise
from tests.support.oracles import naive_tile

PAPER = HardwareConfig.load("paper")


class Shape(NamedTuple):
    """The fields of a configuration that matter here, with sizes that no configuration allows as well."""

    tile_m: int = 256
    tile_k: int = 16
    lanes: int = 128
    banks: int = 2
    weight_banks: int = 1


def small_capture(density=0.3, timesteps=3):
    rng = np.random.default_rng(7)
    conv = ConvSpec(name="c", kind="conv", in_channels=2, out_channels=130, kernel=2)
    linear = LinearSpec(name="f", kind="linear", in_features=9, out_features=4)
    return Capture(
        name="small",
        layers=(
            captured_layer((rng.random((timesteps, 2, 4, 5)) < density).astype(np.uint8), conv),
            captured_layer((rng.random((timesteps, 9, 1, 1)) < density).astype(np.uint8), linear),
        ),
    )


def report_of(capture, shape, k_order="ckk"):
    return density_report(capture.name, of_capture(capture), shape, k_order)


def sweep_of(capture, shape, **sizes):
    return density_sweep(of_capture(capture), shape, **sizes)


def naive_figures(capture, tile_m, tile_k):
    """Per layer: (elements, set bits, residual bits, exact) from rows in (pixel, timestep), (channel, ky, kx) order."""
    figures = []
    for one in capture:
        x, k = one.spikes, one.layer.sources[0].weight.shape[2]
        positions = [(y, z) for y in range(x.shape[2] - k + 1) for z in range(x.shape[3] - k + 1)]
        rows = np.array([x[t, :, y : y + k, z : z + k].reshape(-1) for y, z in positions for t in range(len(x))])
        tiles = [
            naive_tile(rows[m : m + tile_m, c : c + tile_k].astype(bool))
            for m in range(0, len(rows), tile_m)
            for c in range(0, rows.shape[1], tile_k)
        ]
        sums = [sum(tile[name] for tile in tiles) for name in ("set_bits", "residual_bits", "exact")]
        figures.append((rows.size, *sums))
    return figures


@pytest.mark.parametrize(("tile_m", "tile_k"), [(8, 4), (16, 3), (256, 16)])
def test_report_equals_figures_from_the_definition(tile_m, tile_k):
    capture = small_capture()
    report = report_of(capture, Shape(tile_m, tile_k))
    naive = naive_figures(capture, tile_m, tile_k)
    for one, (elements, set_bits, residual, exact) in zip(report["layers"], naive, strict=True):
        assert one["bit_density"] == set_bits / elements and one["product_density"] == residual / elements
        assert one["counts"]["exact_matches"] == exact and one["reduction"] == pytest.approx(set_bits / residual)
    # the first layer has 130 outputs: two groups of 128 lanes, so it weighs twice
    (e0, s0, r0, _), (e1, s1, r1, _) = naive
    assert report["total"]["bit_density"] == (2 * s0 + s1) / (2 * e0 + e1)
    assert report["total"]["product_density"] == (2 * r0 + r1) / (2 * e0 + e1)
    assert report["layers"][0]["cycles"]["bit_sparse"] == 2 * s0
    assert report["total"]["cycles"] == {
        key: sum(one["cycles"][key] for one in report["layers"]) for key in report["total"]["cycles"]
    }


def test_sweep_equals_single_reports():
    capture = small_capture()
    points = sweep_of(capture, Shape(), tile_ms=(4, 32), tile_ks=(3, 16))
    assert [(p["tile_m"], p["tile_k"]) for p in points] == [(4, 3), (32, 3), (4, 16), (32, 16)]
    for point in points:
        total = report_of(capture, Shape(point["tile_m"], point["tile_k"]))["total"]
        assert {k: point[k] for k in ("bit_density", "product_density")} == {
            k: total[k] for k in ("bit_density", "product_density")
        }
        assert point["cycles"] == {k: total["cycles"][k] for k in ("published_model", "bound")}


def test_order_of_k_matters_and_is_reported():
    capture = small_capture()
    both = [report_of(capture, Shape(32, 3), order) for order in ("ckk", "kkc")]
    assert both[0]["total"]["bit_density"] == both[1]["total"]["bit_density"]
    assert both[0]["total"]["product_density"] != both[1]["total"]["product_density"]
    assert [one["k_order"] for one in both] == ["ckk", "kkc"]


def test_silent_capture_has_no_reduction(tmp_path):
    report = report_of(small_capture(density=0), PAPER)
    assert report["total"]["product_density"] == 0 and report["total"]["reduction"] is None
    draw_density(report, tmp_path / "a.svg")


def test_command_writes_table_json_and_plots(tmp_path):
    figures, png, svg = (tmp_path / name for name in ("out.json", "out.png", "out.svg"))
    done = reprise("density", "--sweep", "--json", figures, "--plot", png)
    assert done.code == 0, done.text
    report = json.loads(figures.read_text())
    sample = report_of(load_capture(SAMPLE), PAPER)
    assert {k: report[k] for k in sample} == sample
    assert set(report["total"]["cycles"]) >= {"published_model", "bound", "dense", "bit_sparse"}
    assert all(set(one) >= set(report["total"]) for one in report["layers"])
    assert f"{100 * report['total']['product_density']:.2f} %" in done.text
    assert len(report["sweep"]) == 30
    assert png.read_bytes().startswith(b"\x89PNG")
    assert reprise("density", SAMPLE, "--plot", svg).code == 0
    first = svg.read_bytes()
    assert b"<svg" in first and reprise("density", "--plot", svg).code == 0
    assert svg.read_bytes() == first  # the same input gives the same file


def test_options_reach_the_figures(tmp_path):
    out = tmp_path / "o.json"
    options = ["--config", "tiny", "--set", "tile_m=32", "--set", "banks=2", "--k-order", "kkc"]
    assert reprise("density", *options, "--json", out).code == 0
    config = HardwareConfig.load("tiny").replace(tile_m=32)
    report = json.loads(out.read_text())
    found = report_of(load_capture(SAMPLE), config.replace(banks=2), "kkc")
    assert {key: report[key] for key in found} == found and report["kind"] == "density"
    assert report["configuration"] == {"tile_m": 32, "tile_k": 8, "lanes": 8, "banks": 2}
    assert report["k_order"] == "kkc"
    assert report["total"] != report_of(load_capture(SAMPLE), config, "kkc")["total"]


def bad(arguments):
    """Run as a person does; one error line per problem on stderr, exit code 2, no traceback."""
    done = subprocess.run([sys.executable, "-m", "reprise", "density", *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stdout == ""
    return done.stderr


def test_errors_as_a_person_sees_them(tmp_path):
    told = r"error: CAPTURE must be a file that is there, not '.*nothing.npz': there is no such file\n"
    assert re.fullmatch(told, bad([str(tmp_path / "nothing.npz")]))
    np.savez(tmp_path / "x.npz", c=np.array([{}], dtype=object))
    (tmp_path / "x.yaml").write_text("timesteps: 0\nlayers: [{name: c, kind: conv}]\n")
    assert "which are never unpickled" in bad([str(tmp_path / "x.npz")])
    np.savez(tmp_path / "x.npz", c=np.zeros((1, 1)))
    lines = bad([str(tmp_path / "x.npz")]).splitlines()
    assert len(lines) == 4 and all(line.startswith("error: ") for line in lines)
    assert "timesteps: Input should be greater than or equal to 1, not 0" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "out.jpg"], "plot must end in one of"),
        (["--set", "tile_m=4096"], "tile_m must be a power of two in 8..1024, not 4096"),
        (["--set", "tile_k=0"], "tile_k must be a power of two in 4..64, not 0"),
        (["--config", "nothing"], "config must be a preset"),
        (["--k-order", "cck"], "'cck' is not one of"),
        (["--json", "/nowhere/out.json"], "must be a file that can be written, not '/nowhere/"),
        (["--plot", "/nowhere/out.png"], "must be a file that can be written, not '/nowhere/"),
    ],
)
def test_wrong_options_end_with_code_2(arguments, message):
    done = reprise("density", *arguments)
    assert done.code == 2 and message in done.err
