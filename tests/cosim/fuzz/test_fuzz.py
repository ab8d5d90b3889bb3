"""Mutated programs: the ways to end, some of each on the RTL, and a file that goes on where it was stopped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from reprise.compiler.golden.interpreter import Interpreter
from reprise.cosim.bench.system import Traffic
from reprise.cosim.fuzz import play as fuzz
from reprise.cosim.fuzz import run
from reprise.cosim.jobs.host import Status, end_steps, read, run_job, start_steps
from reprise.hw.arch.memory_image import AddressWindow, Windows
from reprise.hw.arch.program import Error
from reprise.model.network.network import Layer, Network, Neuron, Source
from tests.support.benches import system_bench
from tests.support.cosim_jobs import (
    FILL,
    TIMEOUT,
    TINY,
    TRANSFORMERS,
    Job,
    encoded,
    place_programs,
    small_network,
    spoiled,
)  # fmt: skip


@pytest.mark.parametrize(("config", "seeds"), [(TINY, [101, 102]), (TRANSFORMERS, [103, 105])])
def test_shards_end_in_the_three_right_ways(config, seeds):
    """Two networks in one simulation, each with a memory of its own; and one that has what few configurations have."""
    for cases in fuzz.play(config, seeds).values():
        counts = Counter(case["way"] for case in cases)
        assert counts["wrong"] == 0 and counts["refused"] > 5 and counts["equal"] > 2, counts


def test_of_what_few_configurations_have_there_are_programs():
    """Masks, addends, and joins behind neurons, beside networks of other kinds; `tiny` has none of them."""
    found = Counter()
    for seed in range(1, 13):
        runs = [f for opcode, f in fuzz.base_job(TRANSFORMERS, seed)[0].commands() if opcode == "RUN"]
        found.update(name for name in ("addend_bytes", "join_planes", "readout") if any(f[name] for f in runs))
    assert min(found[name] for name in ("addend_bytes", "join_planes")) >= 2 and found["readout"] >= 2, found


def test_a_verdict_sees_what_is_wrong():
    """Another code, another byte, and a byte outside are told apart from what is right."""
    before = np.zeros(64, np.uint8)
    window = AddressWindow(base=32, size=16)
    good = Status(busy=0, done=1, refused=0, bus_hung=0, error=0, command=3)
    mutant = fuzz.Mutant(commands=[], flips=[], data={}, what=["x"])

    def way(at, value, golden, status=good):
        after = before.copy()
        after[at] = value
        return fuzz.verdict(mutant, status, after, before, golden, window).way

    equal = fuzz.Golden(memory=before)
    assert way(0, 0, equal) == "equal"
    assert way(40, 1, equal) == "wrong"
    assert way(0, 0, equal, replace(good, error=2)) == "wrong"
    assert way(0, 0, fuzz.Golden(memory=before, code=2), replace(good, error=2)) == "refused"
    assert way(0, 0, fuzz.Golden(memory=before, code=2), replace(good, error=11)) == "wrong"
    assert way(40, 1, fuzz.Golden(memory=before, rule="read")) == "order"
    for golden in (equal, fuzz.Golden(memory=before, code=2), fuzz.Golden(memory=before, rule="read")):
        assert way(0, 1, golden) == way(48, 1, golden) == "wrong"


def test_a_fuzz_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    """Shards that the file holds are not played again; a line that was cut off is."""
    played = []

    def shards(fields, seeds):
        played.extend(seeds)
        return {seed: [{"what": "x", "way": "equal", "detail": ""}] * 10 for seed in seeds}

    monkeypatch.setattr(run, "play_shards", shards)
    monkeypatch.setattr(run, "TOGETHER", 2)
    monkeypatch.setattr("reprise.cosim.bench.system.SystemBench", lambda *a, **k: None)

    def go(cases):
        return run.run_fuzz("tiny", TINY, cases=cases, processes=1, out=tmp_path, console=Console(quiet=True))

    assert go(25) == 0 and played == [1, 2, 3, 4]
    assert go(25) == 0 and played == [1, 2, 3, 4], "enough have been played"
    path = run.shard_file(tmp_path, "tiny", TINY)
    path.write_text(path.read_text()[:-5])
    assert go(45) == 0 and played == [1, 2, 3, 4, 4, 5]
    with path.open("a") as file:
        file.write("\n" + json.dumps({"seed": 9, "cases": [{"what": "x", "way": "wrong", "detail": "y"}]}) + "\n")
    assert go(45) == 1


def test_the_record_counts_each_configuration(tmp_path):
    """Another configuration is added, and the same one is counted anew."""
    path, shards = tmp_path / "fuzz.json", run.Shards(tmp_path / "shards")
    ends = [("equal", ""), ("refused", "FIELD"), ("refused", "DATA"), ("refused", "FIELD"), ("order", "read")]
    shards.add({1: [{"what": "x", "way": way, "detail": detail} for way, detail in ends]})
    for name in ("tiny", "small", "tiny"):
        run.add_record(path, name, TINY, shards)
    found = json.loads(path.read_text())["configurations"]
    assert found.keys() == {"tiny", "small"} and found["tiny"]["programs"] == 5 and found["tiny"]["networks"] == 1
    ways = {"equal": {"": 1}, "order": {"read": 1}, "refused": {"FIELD": 2, "DATA": 1}, "wrong": {}}
    assert found["tiny"]["ways"] == found["small"]["ways"] == ways


def test_a_shard_that_dies_is_a_finding_of_its_own(monkeypatch):
    """The others of its simulation are played again without it."""

    def play(config, seeds):
        if 2 in seeds:
            raise RuntimeError("no end")
        return {seed: [] for seed in seeds}

    monkeypatch.setattr(fuzz, "play", play)
    found = run.play_shards(TINY.to_dict(), (1, 2, 3))
    assert found[1] == found[3] == [] and found[2][0]["way"] == "wrong" and "no end" in found[2][0]["detail"]


@pytest.fixture(scope="module")
def job():
    return Job.make(small_network(), np.random.default_rng(1).integers(0, 8, (2, 1, 6, 6)))


def ends_of(job, programs):
    """How RTL and interpreter end programs; each is followed by the right one, which must be right."""
    bench = system_bench()
    memory, addresses = place_programs(job, programs)
    windows = Windows(read=AddressWindow(base=0, size=len(memory)), write=job.compiled.windows.write)
    steps = []
    for n, address in enumerate(addresses):
        steps += [["load"], *start_steps(address, windows), *end_steps(TIMEOUT)]
        steps += [["load"], *start_steps(job.compiled.program, windows), *end_steps(TIMEOUT)]
        steps.append(["dump", f"good{n}", 0, job.compiled.size])
    result = bench.run(steps, memory, traffic=Traffic(latency=5))
    codes = [Status.of(v) for step, v in zip(steps, result.results, strict=True) if step == read("STATUS")]
    for n, address in enumerate(addresses):
        assert not codes[2 * n + 1].error
        job.check(result.dumps[f"good{n}"])
        wanted = fuzz.golden(job.compiled, memory, address, windows)
        yield codes[2 * n].error, wanted.code


def test_what_no_load_has_brought_is_refused(job):
    """Parameters, segments and feature words that are missing, or that only the job before has loaded."""
    commands = job.commands
    programs = []
    for opcode in ("LOAD_PARAMS", "LOAD_SEGMENTS", "LOAD_FEATURES"):
        at = job.first(opcode)
        programs.append([*commands[:at], *commands[at + 1 :]])
    fields = commands[job.first("LOAD_FEATURES")][1]
    word = TINY.bus_bits // 8
    half = max(word, fields["bytes"] // 2 // word * word)
    packed = [encoded(program) for program in programs]
    packed.append(spoiled(job, job.first("LOAD_FEATURES"), bytes=half))
    packed.append(spoiled(job, job.first("LOAD_SEGMENTS"), count=1))
    packed.append(spoiled(job, job.first("RUN"), segment_first=TINY.segments - 1))
    for rtl, golden in ends_of(job, packed):
        assert rtl == golden == Error.UNLOADED


def test_words_of_many_jobs_ago_are_not_taken_for_loaded(job):
    """More jobs than there are epochs: a program without its load is refused after every one of them."""
    at = job.first("LOAD_FEATURES")
    missing = encoded([*job.commands[:at], *job.commands[at + 1 :]])
    for rtl, golden in ends_of(job, [missing] * 20):
        assert rtl == golden == Error.UNLOADED


def test_of_several_faults_of_a_run_the_same_one_is_named(job):
    """Weights outside the read window come before what is missing, and after rows that do not belong together."""
    run = job.first("RUN")
    fields = job.commands[run][1]
    outside = ("RUN", fields | {"weights": (1 << 40) - TINY.bus_bits // 8})
    bad = ("RUN", outside[1] | {"rows_last": fields["rows_last"] - 1})
    no_params, no_segments, no_features = (
        [n for n, (opcode, _) in enumerate(job.commands) if n < run and opcode == name]
        for name in ("LOAD_PARAMS", "LOAD_SEGMENTS", "LOAD_FEATURES")
    )
    programs = []
    for missing in ([], no_params, no_segments, no_features, [*no_params, *no_segments, *no_features]):
        for command in (outside, bad):
            kept = [command if n == run else one for n, one in enumerate(job.commands) if n not in missing]
            programs.append(encoded(kept))
    codes = [Error.READ_WINDOW, Error.FIELD] * (len(programs) // 2)
    assert list(ends_of(job, programs)) == [(code, code) for code in codes]


def test_surplus_rows_are_refused(job):
    """A RUN with a row too many or too few is refused before it writes, and the next jobs are right."""
    at = job.first("RUN")
    fields = job.commands[at][1]
    rows = fields["timesteps"] * fields["planes"]
    changes = [
        {"rows_last": min(TINY.tile_m, fields["rows_last"] + rows)},
        {"rows_last": fields["rows_last"] - 1} if fields["rows_last"] > 1 else {"m_tiles": fields["m_tiles"] + 1},
        {"m_tiles": fields["m_tiles"] + 1},
        {"images": fields["images"] + 1},
        {"loop1_count": fields["loop1_count"] + 1},
        {"line_bytes": 8, "out_width": 65},
    ]
    changes = [change for change in changes if any(fields[name] != value for name, value in change.items())]
    for rtl, golden in ends_of(job, [spoiled(job, at, **change) for change in changes]):
        assert rtl == golden == Error.FIELD


def test_windows_of_the_image_are_enough_for_its_program(job):
    ran = run_job(system_bench(), job.compiled, job.images, fill=FILL, timeout=TIMEOUT)
    after = Interpreter(job.compiled, job.memory()).run()
    assert np.array_equal(ran.memory, after)


def test_bad_data_of_a_last_load_is_seen(job):
    """END right behind a LOAD_PARAMS whose parameters break a rule: the job ends with that, and not well."""
    at, commands = job.first("LOAD_PARAMS"), job.commands
    opcode, fields = commands[at]
    weights = fields | {"source": job.compiled.input_address}  # levels and filling are no parameters
    for rtl, golden in ends_of(job, [encoded([(opcode, weights), ("END", {})])]):
        assert rtl == golden == Error.DATA


def test_rows_that_start_beside_the_run_before_do_not_end_it():
    """What the rows of a run lack is told after all of the run before: its writes, and their errors, come first."""
    weight = np.random.default_rng(1).integers(-9, 9, (2 * TINY.lanes, 4, 1, 1)).astype(np.int8)
    neuron = Neuron.uniform(len(weight), threshold=8, levels=7)  # whose planes keep the output busy
    layer = Layer(name="a", sources=(Source(feature="input", weight=weight),), neuron=neuron)
    network = Network(name="n", input_shape=(4, 6, 6), input_levels=1, timesteps=1, layers=(layer,))
    job = Job.make(network, np.ones((1, 4, 6, 6), int))
    commands = job.commands
    first, second = (n for n, (opcode, _) in enumerate(commands) if opcode == "RUN")
    assert all(opcode != "BARRIER" for opcode, _ in commands[first:second]), "nothing keeps the two apart"
    before, behind = commands[first][1], commands[second][1]
    lacking = ("RUN", behind | {"row_address0": behind["row_address0"] - 1})  # for the first rows
    window, size = job.compiled.windows.write, before["out_lines"] * before["out_planes"] * before["line_bytes"]
    astray = ("RUN", before | {"output": window.base + window.size - size + TINY.bus_bits // 8})  # with its last word
    programs = [{second: lacking}, {first: astray, second: lacking}]
    packed = [encoded([changed.get(n, one) for n, one in enumerate(commands)]) for changed in programs]
    assert list(ends_of(job, packed)) == [(code, code) for code in (Error.UNLOADED, Error.WRITE_WINDOW)]
