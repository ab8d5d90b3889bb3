"""Network files of layers whose pools have a stride of their own."""

import numpy as np
import pytest
import yaml

from reprise.model.files import network_file
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network, equal
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool


def overlapping(pool: MaxPool) -> Network:
    source = Source(feature="input", weight=np.ones((3, 2, 1, 1), np.int8))
    layer = Layer(name="a", sources=(source,), neuron=Neuron.uniform(3, levels=2), pool=pool)
    return Network(name="pool", input_shape=(2, 5, 4), input_levels=3, timesteps=1, layers=(layer,))


def test_round_trip_of_a_pool_whose_windows_overlap(tmp_path):
    network = overlapping(MaxPool(kernel=3, stride=2, padding=1))
    path = network_file.save(network, tmp_path / "net")
    assert yaml.safe_load(path.read_text())["version"] == 2
    assert equal(network_file.load(path).network, network)


@pytest.mark.parametrize(
    ("pool", "keys", "value", "message"),
    [
        (
            MaxPool(kernel=3, stride=2, padding=1),
            ["version"],
            1,
            "must be 2, not 1: layer 'a' has a pool with a stride",
        ),
        (MaxPool(kernel=3, stride=2, padding=1), ["layers", 0, "pool_padding"], 0, "pool.stride must be the kernel"),
        (MaxPool(kernel=3, stride=2, padding=1), ["layers", 0, "pool_stride"], 3, "pool.padding must be 0, or 1 of"),
        (MaxPool(kernel=3, stride=2, padding=1), ["layers", 0, "pool_stride"], 5, "pool_stride: .*less than or equal"),
        (MaxPool(kernel=3, stride=2, padding=1), ["layers", 0, "pool"], None, "layer 'a' must have no pool_stride"),
        (MaxPool(kernel=2), ["layers", 0, "pool_stride"], 2, "version must be 2, not 1"),
    ],
)
def test_manifest_rules_of_pools(tmp_path, pool, keys, value, message):
    saved = network_file.save(overlapping(pool), tmp_path / "net")
    manifest = yaml.safe_load(saved.read_text())
    at = manifest
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    saved.write_text(yaml.safe_dump(manifest))
    with pytest.raises(ValueError, match=message):
        network_file.load(saved)
