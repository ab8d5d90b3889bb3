"""Both drivers move, pack and unpack memory as the compiler's own classes do, for networks of every kind of input."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.flow.handoff.drivers import program_format, write_drivers
from reprise.flow.handoff.image_files import scores_of, write_image
from reprise.flow.handoff.vectors import sample_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from tests.compiler.networks import grouped_network
from tests.flow.host.compilers import C99, compile_c
from tests.support.random_models import random_images, random_network

SMALL = HardwareConfig.load("small")
BASE = 0x123456000
IMAGES = 3
NETWORKS = {
    **{f"random{seed}": random_network(seed) for seed in range(8)},
    "signed": random_network(20, input_signed=True),
    "blocks": sample_network(channels=70, outputs=67, side=6),
    "order of an output": grouped_network(channels=48, groups=4)[0],
    "order of the input": grouped_network(channels=48, groups=8)[0],
}


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drivers")
    write_drivers(folder, SMALL)
    sys.path.insert(0, str(folder / "python"))
    try:
        yield folder, importlib.import_module("reprise_driver")
    finally:
        sys.path.remove(str(folder / "python"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "reprise_driver"]:
            del sys.modules[name]


@pytest.fixture(params=NETWORKS)
def compiled(request, tmp_path):
    """A network, its images, its memory image in a folder, and the memory after a job."""
    network = NETWORKS[request.param]
    images = random_images(network, IMAGES, seed=5)
    image = compile_network(network, SMALL, IMAGES, base=0x7000)
    memory = interpret(image, images)
    write_image(tmp_path, image, images, memory)
    return network, images, image, memory, tmp_path


def test_networks_are_of_every_kind():
    """Input modes, timesteps, ends that fire and that do not, maps in thermometer planes."""
    assert {network.input_mode for network in NETWORKS.values()} == {"repeat", "once", "given"}
    assert {network.timesteps > 1 for network in NETWORKS.values()} == {True, False}
    assert {network.layers[-1].neuron.kind == "readout" for network in NETWORKS.values()} == {True, False}
    images = [compile_network(network, SMALL, 1) for network in NETWORKS.values()]
    maps = [f for image in images for f in image.features.values()]
    for kind in ("bitplane", "thermometer"):
        assert any(f.name == "input" and f.encoding == kind for f in maps), kind
        assert any(f.name != "input" and f.encoding == kind for f in maps), kind
    assert any(f.name == "input" and f.repeat and f.timesteps > 1 for f in maps)
    outputs = [f for image in images for f in image.outputs().values()]
    assert any(f.order for f in outputs) and any(f.order and f.name == "input" for f in maps)
    assert any(f.blocks > 1 for f in maps if f.kind == "planes") and any(f.signed for f in maps)


def test_python(drivers, compiled):
    network, images, image, memory, folder = compiled
    found = drivers[1].Image(folder)
    described = {**program_format(), "address_words": {str(k): v for k, v in program_format()["address_words"].items()}}
    assert found.constants(BASE, described).tobytes() == image.at(BASE).data
    moved = image.at(BASE).windows
    for name, window in (("read", moved.read), ("write", moved.write)):
        assert found.windows(BASE)[name] == (window.base, window.size)
    before = np.zeros(image.size, np.uint8)
    before[: len(image.data)] = found.constants(image.base, described)
    for offset, data in found.pack(found.frames(images)).items():
        before[offset : offset + len(data)] = data
    assert np.array_equal(before, image.initial_memory(images))
    for name in found.outputs:
        assert np.array_equal(found.unpack(memory, name), image.read_feature_map(memory, name)), name
    scores = found.scores(found.unpack(memory, found.outputs[-1]))
    assert np.array_equal(scores, run(network, images).scores) and np.array_equal(scores, scores_of(image, memory))


def test_c(drivers, compiled):
    """The same by the C program ``layouts.c`` with the image.h of the network."""
    network, images, image, memory, folder = compiled
    host = Path(__file__).resolve().parent / "host"
    c = drivers[0] / "c"
    parts = [host / "layouts.c", *sorted(c.glob("*.c"))]
    compile_c(["gcc"], [*C99, f"-I{c}", f"-I{folder}", "-o", folder / "layouts", *parts], folder)
    (folder / "pixels").write_bytes(images.astype(np.uint8).tobytes())
    (folder / "after").write_bytes(memory.tobytes())
    names = ("memory.bin", "pixels", "before", "after", "values", "scores")
    subprocess.run([folder / "layouts", *(folder / name for name in names)], check=True, timeout=60)
    expected = image.at(BASE).initial_memory(images)
    assert (folder / "before").read_bytes() == expected.tobytes()
    values = np.fromfile(folder / "values", np.int32)
    maps = [image.read_feature_map(memory, name).astype(np.int32).reshape(-1) for name in image.outputs()]
    assert np.array_equal(values, np.concatenate(maps))
    assert np.array_equal(np.fromfile(folder / "scores", np.int64).reshape(IMAGES, -1), run(network, images).scores)
