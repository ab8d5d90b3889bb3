"""Which configurations a part holds, how fast a network is on them, and what bounds it."""

import json
from pathlib import Path

import pytest

from reprise.estimate.area import measured
from reprise.estimate.network import estimate
from reprise.flow.fpga import fit
from reprise.flow.fpga.parts import PARTS, TARGETS
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise

TINY, PAPER = (HardwareConfig.load(name) for name in ("tiny", "paper"))
RECORDS = json.loads((Path(__file__).parents[2] / "docs/measured/resources.json").read_text())["records"]


def record_of(name, target, block="accelerator"):
    wanted = {"kind": "synthesis", "config": name, "block": block, "target": target}
    (found,) = [r for r in RECORDS if wanted.items() <= r.items()]
    return {key: found[key] for key in ("lut", "ff", "ram", "dsp")}


@pytest.fixture(scope="module")
def digits():
    return load(shipped("digits"))


def test_parts_have_names_for_a_command_line():
    assert {part.target for part in PARTS} == set(TARGETS) == set(fit.UNITS)
    for part in PARTS:
        assert fit.part_named(fit.short_name(part)) is fit.part_named(fit.short_name(part).upper()) is part
    with pytest.raises(RepriseError, match="part must be one of lfe5u-25, .*xc7z020, .*, not 'xc7z045'"):
        fit.part_named("xc7z045")


@pytest.mark.parametrize("name, target", [("paper", "ecp5"), ("paper", "xc7"), ("small", "xc7"), ("small", "xcup")])
def test_a_synthesis_in_the_family_comes_first(name, target):
    need = fit.need_of(HardwareConfig.load(name), target)
    assert need.source in ("synthesized", "earlier netlist") and need.resources == record_of(name, target)


@pytest.mark.parametrize("target", ["xc7", "xcup"])
def test_other_resources_are_no_smaller_than_what_any_design_took(target):
    """The scaled estimate of every design that was synthesized for both families is at least what was synthesized."""
    factors = measured.beside_ecp5(target)
    for name in ("small", "paper"):
        one, other = (record_of(name, family, "core") for family in ("ecp5", target))
        assert all(one[key] * factors[key] >= other[key] * (1 - 1e-9) for key in factors)
    need = fit.need_of(TINY, target)
    assert need.source == "scaled" and 0 < need.resources["lut"] < record_of("tiny", "ecp5")["lut"]


def test_what_a_part_lacks_is_said():
    part, need = fit.part_named("lfe5u-45"), fit.need_of(PAPER, "ecp5")
    assert need.lacking(part)[-1] == "203 of 108 block RAMs of 18 kbit" and not part.holds(need.resources)
    assert need.lacking(fit.part_named("lfe5u-85")) == []
    for each in PARTS:
        for config in (TINY, PAPER):
            wanted = fit.need_of(config, each.target)
            assert bool(wanted.lacking(each)) != each.holds(wanted.resources)


def test_speed_is_that_of_the_estimate(digits):
    part, images = fit.part_named("xc7z020"), digits.images[:1]
    found = fit.fit(digits.network, TINY, images, part, name="tiny")
    total = estimate(digits.network, TINY, images, limits=True)["total"]
    assert found.cycles == total["cycles"]["cycle_model"] and not found.lacking
    assert found.clock == {"mhz": float(part.mhz), "source": "assumed"}
    assert found.frames_per_second == pytest.approx(part.mhz * 1e6 / found.cycles)
    assert found.bounds.split(" ")[0] == fit.named(total["limits"]["steps"][0]["blocks"]).split(" ")[0]


def test_a_clock_of_another_part_does_not_count(digits, monkeypatch):
    route = {"part": "85k", "grade": 6, "fmax_mhz": 71.5, "command": "x", "earlier_netlist": False}
    monkeypatch.setattr(measured, "routed", lambda config, block="accelerator": [route])
    refused = TINY.replace(max_levels=1)  # so that nothing is estimated
    for name in ("lfe5u-85", "lfe5u-45", "xc7z020"):
        part = fit.part_named(name)
        found = fit.fit(digits.network, refused, digits.images[:1], part, name="tiny")
        mhz, source = (71.5, "routed") if name == "lfe5u-85" else (part.mhz, "assumed")
        assert (found.clock["mhz"], found.clock["source"]) == (mhz, source)


def test_what_cannot_run_the_network_is_said(digits):
    found = fit.fit(digits.network, TINY.replace(max_levels=1), digits.images[:1], PARTS[2], name="tiny")
    assert found.cycles is None and "neuron levels must be at most max_levels=1, not 4" in found.refused


def test_the_command():
    done = reprise("fit", "digits", "--part", "xc7z020", "--config", "tiny,tiny:max_levels=1")
    assert done.code == 0 and "digits" in done.out and "XC7Z020" in done.out and "assumed" in done.out
    text = " ".join(done.out.split())  # lines are cut at the terminal's width
    assert "tiny-max_levels1 cannot run it: layer 'conv1': neuron levels must be at most max_levels=1" in text
    done = reprise("fit", "digits", "--part", "lfe5u-45", "--config", "paper", "--clock-mhz", "3.459")
    text = " ".join(done.out.split())
    assert done.code == 0 and "paper does not fit: it takes " in text and "203 of 108 block RAMs of 18 kbit" in text
    cycles = estimate(load(shipped("digits")).network, PAPER, load(shipped("digits")).images[:1])["total"]["cycles"]
    assert f"{3.459e6 / cycles['cycle_model']:,.0f}" in done.out and "3.459 given" in done.out
    done = reprise("fit", "digits", "--part", "xc7")
    assert done.code == 2 and "--part must be one of lfe5u-25, lfe5u-45, lfe5u-85, xc7z010" in done.err
