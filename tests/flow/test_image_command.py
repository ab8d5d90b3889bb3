"""``reprise image``: its C header says what its JSON says, and mistakes are told."""

import json
import re

import numpy as np
import pytest

from reprise.export.find import find_network
from reprise.flow.handoff.handoff import write_handoff
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.model.inference.runner import run
from tests.reprise.command import reprise

TINY = HardwareConfig.load("tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("image") / "digits"
    done = reprise("image", "digits", "--config", "tiny", "--images", "3", "--base", "0x20000000", "--out", str(made))
    assert done.code == 0 and "begin with" in done.out, done.err
    return made


TAPS = {"taps": 1, "row_step": 1, "row_padding": 0, "image_rows": 0}
"""The fields of a gathered input, and what they are in other maps."""


def test_header_and_json_agree(folder):
    """Every number of image.h, against memory.json; the same file that MemoryImage loads."""
    told = json.loads((folder / "memory.json").read_text())
    header = (folder / "image.h").read_text()
    macros = {n: int(v, 0) for n, v in re.findall(r"#define REPRISE_IMAGE_(\w+) (0x[0-9a-f]+|\d+)u$", header, re.M)}
    base, result = told["base"], told["features"][told["outputs"][-1]]
    first = told["features"]["input"]
    channels, rows = first["channels"] // first["taps"], first["image_rows"]  # the input is gathered
    assert first["taps"] == 3 and told["format"] == 4 and (channels, rows) == (1, 8)
    pixels = channels * rows * first["width"]
    assert base == 0x20000000 and "0x20000000, /* the base" in header
    assert macros == {
        "HASH": int(TINY.digest()[:8], 16),
        "IMAGES": 3,
        "SIZE": told["size"],
        "STRIDE": -(-told["size"] // 4096) * 4096,
        "CONSTANT_BYTES": told["constant_bytes"],
        "PROGRAM": told["program"] - base,
        "PROGRAM_BYTES": told["program_bytes"],
        "READ_OFFSET": told["windows"]["read"]["base"] - base,
        "READ_SIZE": told["windows"]["read"]["size"],
        "WRITE_OFFSET": told["windows"]["write"]["base"] - base,
        "WRITE_SIZE": told["windows"]["write"]["size"],
        "INPUT_BYTES": pixels,
        "INPUT_LEVELS": first["levels"],
        "CLASSES": result["channels"],
        "VALUES": result["timesteps"] * result["channels"] * result["height"] * result["width"],
    }
    rows = re.findall(r'\{ "(\w+)", ([^}]*) \},', header)
    names = ("bytes", "timesteps", "channels", "height", "width", "block_channels", "blocks", "planes", "line_bytes")
    integers = ("int_bytes", "timestep_bytes", "row_bytes", "block_bytes")
    assert [name for name, _ in rows] == ["input", *told["outputs"]]
    for name, row in rows:
        map_ = told["features"][name]
        *numbers, order, place = row.split(",")
        assert (order.strip(), place.strip()) == ("NULL", "NULL")  # its channels lie in their own order
        numbers = [int(number) for number in numbers]
        assert numbers[0] == map_["address"] - base and numbers[1:10] == [map_[key] for key in names]
        kinds = (map_["kind"] == "potentials", map_["encoding"] == "thermometer", map_["signed"])
        gathered = [map_.get(key, default) for key, default in TAPS.items()]
        gathered[3] = gathered[3] or map_["height"]
        assert numbers[11:] == [*(map_[key] for key in integers), map_["levels"], *map(int, kinds), *gathered]
    assert MemoryImage.load(folder).base == base


def test_samples_have_the_model_s_scores(folder):
    samples = np.load(folder / "samples.npz")
    file = find_network("digits", TINY)[0]
    assert np.array_equal(samples["pixels"], file.images[:3])
    assert np.array_equal(samples["scores"], run(file.network, file.images[:3]).scores)
    numbers = re.findall(r"-?\b\d+\b", (folder / "samples.h").read_text().partition("] = {")[2])
    assert [int(n) for n in numbers[: 3 * 64]] == samples["pixels"].reshape(-1).tolist()
    assert [int(n) for n in numbers[-30:]] == samples["scores"].reshape(-1).tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--base", "64"), "base must be a multiple of 4096, not 64"),
        (("--base", "here"), "--base must be an address such as 0x10000000, not 'here'"),
        (("--base", "0xfffffff000"), "the memory's end must be at most 2**40"),
        (("--images", "0"), "--images must be an integer of at least 1"),
        (("--images", "100000"), "images must be 1.."),
    ],
)
def test_mistakes(words, message, tmp_path):
    done = reprise("image", "digits", "--config", "tiny", "--out", str(tmp_path / "made"), *words)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert not (tmp_path / "made").exists()


def test_a_handoff_holds_the_network_that_was_asked_for(tmp_path):
    made = write_handoff("tiny", TINY, tmp_path / "made", targets=("ecp5",), network="digits", images=4)
    assert "digits" in (made / "image" / "image.h").read_text()
    image, samples = MemoryImage.load(made / "image"), np.load(made / "image" / "samples.npz")
    assert image.images == 4 and (made / "image" / "input.bin").read_bytes() == image.pack_input(samples["pixels"])
    file = find_network("digits", TINY)[0]
    assert np.array_equal(samples["scores"], run(file.network, samples["pixels"]).scores)
