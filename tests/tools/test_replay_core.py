"""tools.replay_core: a capture through the core's RTL, and the table of what was counted."""

import pytest

from reprise.model.files.capture import SAMPLE, load_capture
from tests.support.benches import TINY, core_bench
from tools import replay_core

LONG = TINY.replace(max_timesteps=16)
"""A configuration for the sample's 16 timesteps."""


@pytest.mark.parametrize("config", [LONG, LONG.replace(banks=2, queries=2, narrow_buffers=1)], ids=["one", "two"])
def test_layers_wider_than_the_lanes_are_played_in_blocks(config, monkeypatch):
    """Every output was compared (a difference raises); cycles and bounds are those of all blocks of a layer."""
    layers = [layer for layer in load_capture(SAMPLE) if layer.name in ("conv2", "fc2")]
    monkeypatch.setattr(replay_core, "load_capture", lambda path: layers)
    report = replay_core.replay(SAMPLE, config, bench=core_bench(config))
    assert [(layer["name"], layer["blocks"]) for layer in report["layers"]] == [("conv2", 2), ("fc2", 2)]
    for layer in report["layers"]:
        assert layer["tiles"] % layer["blocks"] == 0 and layer["cycles"] > 0
    assert report["unit"]["tiles"] == sum(layer["tiles"] // layer["blocks"] for layer in report["layers"])
