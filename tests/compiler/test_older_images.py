"""A memory image of format 2 is read, and runs as it did; ``format2`` was written by the last version that had it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reprise.compiler.golden.interpreter import interpret
from reprise.hw.arch.memory_image import FORMAT, MemoryImage
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

FOLDER = Path(__file__).with_name("format2")


def network():
    """What the image was compiled from: a readout of two blocks at every pixel, cut into eight jobs, twice T = 2."""
    r = np.random.default_rng(3)

    def weights(*shape):
        return r.integers(-9, 10, shape).astype(np.int8)

    layers = (
        Layer(
            name="conv",
            sources=(Source(feature="input", weight=weights(5, 2, 3, 3), padding=1),),
            neuron=Neuron.uniform(5, levels=2, threshold=20),
        ),
        Layer(
            name="map",
            sources=(Source(feature="conv", weight=weights(11, 5, 1, 1)),),
            neuron=Neuron.readout(11, bias=r.integers(-9, 9, 11)),
        ),
    )
    made = Network(name="old", input_shape=(2, 9, 8), input_levels=3, timesteps=2, input_mode="given", layers=layers)
    return made, r.integers(0, 4, (2, 2, 2, 9, 8))


def test_an_image_of_format_2_gives_what_the_model_gives():
    made, images = network()
    image = MemoryImage.load(FOLDER)
    assert image.to_dict()["format"] == FORMAT == 3
    assert sum(f["readout"] for op, f in image.commands() if op == "RUN") > 4, "the map is cut into jobs"
    memory = interpret(image, images, fill=0x5A)
    want = run(made, images, record=("features", "potentials"))
    assert np.array_equal(image.read_feature_map(memory, "map"), want.potentials["map"])
    assert np.array_equal(image.read_feature_map(memory, "conv"), want.features["conv"])


def test_what_was_read_is_written_in_the_present_format(tmp_path):
    image = MemoryImage.load(FOLDER)
    image.save(tmp_path)
    again = MemoryImage.load(tmp_path)
    assert (again.to_dict(), again.data) == (image.to_dict(), image.data)


@pytest.mark.parametrize("name", ["features", "regions", "size", "program_bytes", "program"])
def test_a_damaged_one_is_refused(tmp_path, name):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    fields = json.loads((tmp_path / "memory.json").read_text())
    for value in (None, "x", -1, [], {}, 7):
        (tmp_path / "memory.json").write_text(json.dumps(fields | {name: value}))
        with pytest.raises(ValueError, match="memory.json"):
            MemoryImage.load(tmp_path)
    del fields[name]
    (tmp_path / "memory.json").write_text(json.dumps(fields))
    with pytest.raises(ValueError, match="memory.json"):
        MemoryImage.load(tmp_path)
