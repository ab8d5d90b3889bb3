"""Where a preset's network file comes from: shipped, trained before, or trained now; what that imports."""

import shutil
import subprocess
import sys

import pytest

from reprise.export import cache, find, pipeline, pretrained
from reprise.export.train import recipe
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped, shipped_names
from reprise.support.cache import Store
from tests.support.export_helpers import PAPER


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """An empty store and a training that copies the shipped digits; the recipes that were trained."""
    done = []

    def produce(recipe, path, hardware, **options):
        done.append(recipe.title)
        for suffix in (".yaml", ".safetensors"):
            shutil.copy(shipped("digits").with_suffix(suffix), path.with_suffix(suffix))
        manifest = path.with_suffix(".yaml")
        manifest.write_text(manifest.read_text().replace("digits.safetensors", path.name + ".safetensors"))
        return pipeline.Product(path=manifest, accuracy=99.0, float_accuracy=99.0, spikes={}, seconds=1.0)

    monkeypatch.setattr(pipeline, "produce", produce)
    monkeypatch.setattr(cache, "NETWORKS", Store("networks", tmp_path))
    return done


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_networks(name, trainings):
    """They are what their presets say, they hold 64 samples, and every configuration takes them."""
    file, known = find.find_network(name, HardwareConfig.load("tiny"))
    assert known and not trainings and file.path == shipped(name)
    assert recipe.Recipe(**file.recipe) == recipe.preset(name)
    assert (file.network.timesteps, file.network.layers[0].neuron.levels, len(file.images)) == (1, 4, 64)
    assert file.accuracy["integer"] > 98.5 and find.available(name, PAPER) == ""


def test_what_is_shipped_is_small():
    assert shipped_names() == ["digits", "digits-sdt", "digits-spikformer", "lenet5"]
    sizes = [path.stat().st_size for name in shipped_names() for path in shipped(name).parent.glob(f"{name}.*")]
    assert len(sizes) == 8 and sum(sizes) < 300_000


@pytest.mark.parametrize("name", ["nothing", "../networks/digits", "digits.yaml", ""])
def test_other_names_are_not_shipped(name):
    assert shipped(name) is None


def test_a_changed_preset_is_trained_anew(trainings, monkeypatch):
    changed = recipe.preset("digits", epochs=7)
    monkeypatch.setattr(cache, "preset", lambda name: changed)
    path = pretrained("digits", PAPER)
    assert path != shipped("digits") and trainings == ["digits-n4-t1"]
    assert network_file.load(path).network.name == "digits-n4-t1"


def test_trained_once_for_a_recipe_and_a_configuration(trainings):
    first = cache.cached("vgg9", PAPER)
    assert cache.cached("vgg9", PAPER) == first == cache.ready("vgg9", PAPER)
    assert cache.cached("vgg9", PAPER.replace(banks=2)) != first
    assert trainings == ["vgg9-n4-t1"] * 2
    assert cache.keep(recipe.preset("vgg9"), PAPER).path == first and len(trainings) == 3
    assert find.available("vgg9", PAPER) == ""
    assert "reprise train vgg9" in find.available("vgg9", PAPER.replace(psum_bits=25))


def test_networks_in_floating_point_are_refused_before_training(trainings, tmp_path):
    (tmp_path / "plain.yaml").write_text("network: digits\ndataset: digits\nquantize: false\n")
    with pytest.raises(ValueError, match="plain.yaml: quantize must be true.*no network file"):
        cache.cached(tmp_path / "plain.yaml", PAPER)
    assert not trainings


def test_a_network_file_is_taken_as_it_is(trainings):
    assert pretrained(shipped("digits"), PAPER) == shipped("digits") and not trainings


def test_a_shipped_network_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['sklearn'] = None\n"
        "from reprise.export.find import choose_images, find_network\n"
        "from reprise.hw.arch.config import HardwareConfig\n"
        "file, known = find_network('digits', HardwareConfig.load('paper'))\n"
        "assert known and len(choose_images(file, 8, 0).images) == 8"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
