"""Spike-driven attention in RTL: random networks equal the models in every byte and cycle."""

from __future__ import annotations

from reprise.cosim.soak import draw, play
from tests.support.cosim_jobs import TRANSFORMERS


def test_random_networks_equal_the_models_in_every_byte_and_cycle(monkeypatch):
    """Those of a shard of the soak, most of which have masks, with a memory that is slow, stalls or is neither."""
    monkeypatch.setattr(draw, "ATTENTIONS", 1.0)
    monkeypatch.setattr(draw, "SHORTCUTS", 0.0)
    on = draw.Hardware(number=8, name="masks", config=TRANSFORMERS)
    networks = [one.network for one in draw.cases(on, 0) if isinstance(one, draw.Case)]
    masked = [any(s.mask for layer in n.layers for s in layer.convolutions) for n in networks]
    assert sum(masked) >= 10
    verdicts = play.play(on, 0, "rtl")
    assert [one for one in verdicts if one["status"] != "equal"] == []
    assert len(verdicts) == draw.CASES and sum(one["exact"] for one in verdicts) >= 5
