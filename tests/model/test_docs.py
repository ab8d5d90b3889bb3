"""docs/model.md: its code runs and its figures are those that the program gives."""

import re
from pathlib import Path

import pytest

from reprise.estimate.density import density_report, density_sweep
from reprise.estimate.plots import draw_density
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, load_capture

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "model.md").read_text()
CAPTURE = ROOT.parent / "shared/data/captures/lenet5_mnist.npz"


def test_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) >= 2
    names: dict = {}
    for block in blocks:
        exec(block, names)


def check_table(capture, heading, keys):
    rows = TEXT.split(heading)[1].split("| layer |")[1].split("\n\n")[0].splitlines()[2:]
    report = density_report(capture, HardwareConfig.load("paper"))
    expected = [*report["layers"], report["total"] | {"name": "total"}]
    assert len(rows) == len(expected)
    for row, one in zip(rows, expected, strict=True):
        figures = [
            f"{100 * one['bit_density']:.2f} %",
            f"{100 * one['product_density']:.2f} %",
            f"{one['reduction']:.2f}x",
        ]
        figures += [f"{one['cycles'][key]:,}" for key in keys]
        assert [cell.strip() for cell in row.strip("|").split("|")] == [one["name"], *figures]


def test_the_sample_table_is_what_the_command_prints():
    keys = ("dense", "bit_sparse", "published", "bound")
    check_table(load_capture(SAMPLE), "The sample (`reprise density`", keys)


@pytest.mark.skipif(not CAPTURE.exists(), reason="the published capture (../shared/data) is absent")
def test_the_lenet5_table_is_what_the_command_prints():
    keys = ("dense", "bit_sparse", "published", "published_tilewise", "bound")
    check_table(load_capture(CAPTURE), "The capture of the published LeNet-5", keys)


def check_picture(capture, name, tmp_path):
    config = HardwareConfig.load("paper")
    report = density_report(capture, config)
    report["sweep"] = density_sweep(capture, config)
    draw_density(report, tmp_path / name)
    assert f"img/{name}" in TEXT
    assert (tmp_path / name).read_bytes() == (ROOT / "docs" / "img" / name).read_bytes()


def test_the_sample_picture_is_what_the_command_draws(tmp_path):
    check_picture(load_capture(SAMPLE), "density_sample.svg", tmp_path)


@pytest.mark.skipif(not CAPTURE.exists(), reason="the published capture (../shared/data) is absent")
def test_the_lenet5_picture_is_what_the_command_draws(tmp_path):
    check_picture(load_capture(CAPTURE), "density_lenet5.svg", tmp_path)
