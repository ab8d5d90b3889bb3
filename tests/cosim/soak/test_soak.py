"""The soak: what is drawn, what a verdict sees, and a further call that goes on where one stopped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from io import StringIO

import fastjsonschema
import numpy as np
import pytest
from rich.console import Console

from reprise.cosim.jobs.host import Status
from reprise.cosim.jobs.random_configs import in_turn, legal_buses, random_config
from reprise.cosim.jobs.shards import Shards
from reprise.cosim.report import fields
from reprise.cosim.soak import draw, play, run
from reprise.cosim.soak.traits import CONFIGURATION, NAMED, grouped, traits
from reprise.support.errors import SimulationError

GOOD = Status(busy=0, done=1, refused=0, bus_hung=0, error=0, command=3)


@pytest.fixture(scope="module")
def case():
    """The first job without random stalls."""
    return next(one for one in draw.cases(draw.hardware(1)[0], 0) if not one.traffic.stall)


@pytest.fixture(scope="module")
def golden(case):
    return play.golden(case)


def ran(case, golden, **changes) -> play.Ran:
    """What RTL that does all as it should would give, with some changes."""
    memory = np.full(case.end - case.compiled.base, play.FILL, np.uint8)
    memory[: len(golden.memory)] = golden.memory
    right = play.Ran(status=GOOD, memory=memory, moved=golden.moved, ends=golden.ends, cycles=golden.cycles)
    return replace(right, **changes)


def test_everything_that_is_named_is_drawn():
    """On the first eight configurations, of which each of the named lanes and tiles is one."""
    counts = Counter()
    for on in draw.hardware(8):
        drawn = [one for shard in range(2) for one in draw.cases(on, shard)]
        jobs = [one for one in drawn if isinstance(one, draw.Case)]
        assert len(jobs) >= 0.9 * len(drawn), f"{on.name}: the compiler refuses most networks"
        counts.update(trait for one in jobs for trait in traits(one))
    assert [name for name in NAMED if counts[name] < 4] == []


@pytest.mark.parametrize("group", range(4))
def test_configurations_are_legal_and_have_every_value_in_turn(group):
    """HardwareConfig checks all rules when it is made."""
    made = [random_config(seed) for seed in range(12 * group, 12 * group + 12)]
    for field in ("lanes", "tile_m"):
        assert set(CONFIGURATION[field]) <= {getattr(config, field) for config in made}
    assert {config.one_bit_matches for config in made} == {0, 1}
    assert len({config.tile_k for config in made}) >= 4
    assert {in_turn(seed, 5, "abc") for seed in range(3 * group, 3 * group + 3)} == set("abc")
    assert legal_buses(24) == [64] and legal_buses(1) == [64, 128, 256, 512]


def test_jobs_of_a_shard_lie_behind_each_other_and_are_small(case):
    jobs = list(draw.cases(draw.hardware(1)[0], 3))
    for one, following in zip(jobs, jobs[1:], strict=False):
        assert one.end == following.compiled.base >= one.compiled.base + one.compiled.size
    assert jobs[-1].end < 1 << 23
    again = draw.cases(draw.hardware(1)[0], 3)
    assert all(one.compiled.data == other.compiled.data for one, other in zip(jobs, again, strict=True))


def test_grouped_weights_are_seen():
    weight = np.zeros((4, 6, 1, 1), np.int8)
    assert not grouped(weight)
    weight[:2, :3] = weight[2:, 3:] = 1
    assert grouped(weight)
    weight[0, 5] = 1
    assert not grouped(weight)


def test_a_verdict_sees_what_is_wrong(case, golden):
    """A byte of a map, of a constant and behind the image, a beat, the cycle of a RUN and of the job, and an error."""
    assert play.judge(case, golden, ran(case, golden)) == ("equal", "")
    image = case.compiled
    result = image.features[image.layers[-1].feature].address - image.base
    for at, told in ((result, image.layers[-1].feature), (0, "1 bytes of memory"), (-1, "1 bytes of memory")):
        wrong = ran(case, golden)
        wrong.memory[at] ^= 1
        status, detail = play.judge(case, golden, wrong)
        assert status == "mismatch" and told in detail
    index = max(golden.ends)
    for change in (
        {"moved": (golden.moved[0] + 8, golden.moved[1])},
        {"cycles": golden.cycles + 1},
        {"ends": golden.ends | {index: golden.ends[index] + 1}},
        {"ends": {}},
    ):
        assert play.judge(case, golden, ran(case, golden, **change))[0] == "mismatch"
    failed = ran(case, golden, status=replace(GOOD, error=2))
    assert play.judge(case, golden, failed)[0] == "failed"
    stalls = replace(case, traffic=replace(case.traffic, stall=0.1))
    assert play.judge(stalls, play.golden(stalls), ran(case, golden, cycles=0, ends={})) == ("equal", "")


def test_a_shard_in_rtl(monkeypatch):
    """All jobs of a shard in one simulation; and where that dies, each alone, so that one verdict names the culprit."""
    on = draw.hardware(1)[0]
    monkeypatch.setattr(draw, "CASES", 4)
    verdicts = play.play(on, 1, "rtl")
    assert [one["status"] for one in verdicts] == ["equal"] * 4
    assert 0 < sum(one["exact"] for one in verdicts) < 4 and all(one["cycles"] > 0 for one in verdicts)
    right, culprit = play.simulate, verdicts[1]["seed"]

    def dies(bench, jobs):
        if culprit in [case.seed for case in jobs]:
            raise SimulationError("on purpose")
        return right(bench, jobs)

    monkeypatch.setattr(play, "simulate", dies)
    again = play.play(on, 1, "rtl")
    assert [one["status"] for one in again] == ["equal", "failed", "equal", "equal"]
    assert "on purpose" in again[1]["detail"]
    both = [(one, two) for one, two in zip(verdicts, again, strict=True) if one["exact"] and two["status"] == "equal"]
    assert both and all(one["cycles"] == two["cycles"] for one, two in both), "alone, and behind another job"


def test_a_soak_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    """Shards that the files hold are not played again, and those of another generator do not count."""
    check, played = fastjsonschema.compile(json.loads(fields.SCHEMA.read_text())), []

    def shard(on, number, engine):
        played.append((on.name, number))
        bad = on.name == "small" and number == 7
        status = "mismatch" if bad else "equal"
        one = {"seed": number, "detail": "d" * bad, "refusals": 1, "cycles": 10, "exact": True, "traits": ["T 2"]}
        return [one | {"status": status}] * draw.CASES

    monkeypatch.setattr(play, "play", shard)
    console = Console(file=StringIO(), width=120)

    def go(networks, configs=2):
        code = run.run_soak(
            networks=networks, configs=configs, processes=1, real=False, data=None, engine="interpreter",
            out=tmp_path / "soak", json_file=tmp_path / "record.json", console=console,
        )  # fmt: skip
        report = json.loads((tmp_path / "record.json").read_text())
        check(report)
        assert report == json.loads((tmp_path / "soak" / "soak.json").read_text())
        return code, report

    code, report = go(100)
    assert code == 0 and played == [("tiny", 0), ("tiny", 1), ("small", 0), ("small", 1)]
    assert report["networks"] == report["total"]["equal"] == report["traits"]["T 2"] == 100
    assert go(100)[1]["networks"] == 100 and len(played) == 4
    go(150)
    assert played[4:] == [("tiny", 2), ("small", 2)]
    monkeypatch.setattr(run, "generator", lambda: ["another"])
    assert go(50)[1]["networks"] == 50 and len(played) == 8
    assert "6 shards of other RTL, or of other random networks" in console.file.getvalue()
    code, report = go(400)
    assert code == 1 and report["total"]["mismatch"] == draw.CASES == len(report["bad"])
    assert report["bad"][0] == {"name": "small", "seed": 7, "status": "mismatch", "detail": "d"}


def test_a_line_that_was_cut_off_is_no_shard(tmp_path):
    path = tmp_path / "folder" / "x.jsonl"
    shards = Shards(path)
    shards.add({1: [{"a": 1}], 2: [{"a": 2}, {"a": 3}]})
    path.write_text(path.read_text()[:-5])
    again = Shards(path)
    assert again.found == {1: [{"a": 1}]} and list(again.missing(range(1, 4))) == [2, 3] and len(again) == 1
    again.add({3: [{"a": 4}]})
    assert Shards(path).cases == again.cases == [{"a": 1}, {"a": 4}]
