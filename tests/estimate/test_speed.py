"""Times and resources of reports say what they assume, and take records of the very configuration only."""

import numpy as np
import pytest

from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.estimate.area import measured, model
from reprise.estimate.area.netlist import NETLIST
from reprise.estimate.area.parts import LARGEST_ECP5, PARTS
from reprise.estimate.network import SystemTiming, estimate
from reprise.estimate.report import speed
from reprise.hw.arch.config import HardwareConfig

TINY, PAPER = (HardwareConfig.load(name) for name in ("tiny", "paper"))


def test_a_synthesis_is_taken_for_its_own_configuration_only():
    area = speed.area_of(PAPER)
    assert area["source"] == "synthesized" and "fpga synth --config paper --block accelerator" in area["command"]
    assert area["fits"] == {"LFE5U-25k": False, "LFE5U-45k": False, "LFE5U-85k": True}
    assert speed.area_line(area).endswith("; fits LFE5U-85k")
    twice = speed.area_of(PAPER.replace(queries=2, banks=2))
    assert not any(twice["fits"].values()) and twice["source"] == "estimated"
    assert speed.area_line(twice).endswith("does not fit: LFE5U-85k has only 208 block RAMs")
    other = TINY.replace(max_levels=TINY.max_levels + 1)
    guess = speed.area_of(other)
    assert guess["source"] == "estimated" and "command" not in guess and guess["extrapolated_fields"] == ["max_levels"]
    found = model.predict(other, model.load()).resources
    assert [guess[name] for name in speed.UNITS] == [found[key] for key in ("lut", "ff", "ram", "dsp")]
    assert "(estimated, extrapolated in max_levels)" in speed.area_line(guess)


def test_where_the_clock_comes_from(monkeypatch):
    assert speed.clock_of(TINY, 31) == {"mhz": 31.0, "source": "given"}
    assert speed.clock_of(PAPER) == {"mhz": float(LARGEST_ECP5.mhz), "source": "assumed"}, "only its core was routed"
    for part in PARTS:
        assert speed.clock_of(PAPER, part=part) == {"mhz": float(part.mhz), "source": "assumed"}
    route = {"kind": "route", "block": "accelerator", "target": "ecp5", "command": "x", "part": "45k", "grade": 6}
    route |= {"netlist": NETLIST}
    routes = [route | {"configuration_sha256": TINY.digest(), "fmax_mhz": clock} for clock in (50.25, 61.5, 55.0)]
    monkeypatch.setattr(measured, "load", lambda: routes)
    found = {"mhz": 61.5, "source": "routed", "part": "45k", "grade": 6, "command": "x", "earlier_netlist": False}
    assert speed.clock_of(TINY) == found
    assert speed.clock_of(TINY, 31)["source"] == "given"
    assert speed.clock_of(TINY.replace(lanes=16))["source"] == "assumed"


@pytest.mark.parametrize("netlist", ["0123456789ab", None])
def test_figures_of_an_earlier_netlist_are_told_as_such(netlist, monkeypatch):
    """What was synthesized or routed before the sources changed is shown, but not as what they are now."""
    record = {"configuration_sha256": TINY.digest(), "block": "accelerator", "target": "ecp5", "command": "x"}
    record |= {"netlist": netlist}
    size = {"lut": 10, "ff": 10, "ram": 1, "dsp": 1}
    route = {"kind": "route", "part": "45k", "grade": 6, "fmax_mhz": 61.5}
    records = [record | {"kind": "synthesis"} | size, record | route, record | route | {"block": "core"}]

    def lines() -> list[str]:
        found = speed.speed_of(TINY, 1, 100, 100)
        cores = speed.clock_line(found | {"clock": speed.clock_of(TINY.replace(lanes=16))})
        return [speed.area_line(speed.area_of(TINY)), speed.clock_line(found), cores]

    monkeypatch.setattr(measured, "load", lambda: records)
    assert all("earlier netlist" in line for line in lines()), lines()
    monkeypatch.setattr(measured, "load", lambda: [one | {"netlist": NETLIST} for one in records])
    assert not any("earlier netlist" in line for line in lines()), lines()


def test_the_fastest_core_of_each_part_and_grade():
    cores = speed.speed_of(PAPER, 1, 100, 100)["core_routes"]
    fastest = {}
    for one in measured.load():
        if (one["kind"], one["block"], one["configuration_sha256"]) == ("route", "core", PAPER.digest()):
            place = (one["part"], one["grade"])
            fastest[place] = max(one["fmax_mhz"], fastest.get(place, 0))
    assert len(fastest) == 2 and {(one["part"], one["grade"]): one["fmax_mhz"] for one in cores} == fastest
    assert [one["fmax_mhz"] for one in cores] == sorted(fastest.values(), reverse=True)


@pytest.mark.parametrize("seed", [2, 5])
def test_latency_of_one_image_and_of_the_batch(seed):
    network = random_network(seed, TINY)
    images = random_images(seed, network, 3)
    timing = SystemTiming(latency=33)
    alone = estimate(network, TINY, images[:1], timing=timing)["total"]["cycles"]["cycle_model"]
    assert speed.one_image_cycles(network, TINY, images, timing) == alone
    report = estimate(network, TINY, images, timing=timing)
    found = speed.whole_estimate(report, network, TINY, images, name="tiny", clock_mhz=40)["speed"]
    cycles = report["total"]["cycles"]["cycle_model"]
    assert (found["image_cycles"], found["batch_cycles"]) == (alone, cycles) and alone < cycles
    assert found["image_microseconds"] * 40 == pytest.approx(alone)
    assert found["batch_microseconds"] * 40 == pytest.approx(cycles) and found["interval_cycles"] * 3 == cycles
    assert found["frames_per_second"] == pytest.approx(3 / (cycles / 40e6))
    one = speed.whole_estimate(
        estimate(network, TINY, images[:1]), network, TINY, np.asarray(images[:1]), name="tiny", clock_mhz=40
    )["speed"]
    assert one["image_cycles"] == one["batch_cycles"] == one["interval_cycles"]
