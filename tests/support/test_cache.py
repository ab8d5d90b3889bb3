"""The cache: two processes at once, one killed in the middle, damaged entries, keys that follow their content."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reprise.support import cache
from reprise.support.cache import FAILED, SEAL, Store, digest, sources
from reprise.support.errors import RepriseError

MAKER = """
import os, sys, time
from pathlib import Path
from reprise.support.cache import Store

def make(folder):
    with open(Path(sys.argv[1]) / "log", "a") as log:
        log.write("made\\n")
    (folder / "half").write_text("half")
    for _ in range(int(sys.argv[2])):
        time.sleep(0.05)
    (folder / "whole").write_text("whole " * 1000)

entry = Store("things", Path(sys.argv[1])).get("one", make)
print((entry.folder / "whole").read_text() == "whole " * 1000, entry.made)
"""


def start(base: Path, ticks: int) -> subprocess.Popen:
    """A process that makes an entry in ``ticks`` twentieths of a second."""
    command = [sys.executable, "-c", MAKER, str(base), str(ticks)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def write(text: str):
    return lambda folder: (folder / "file").write_text(text)


def test_made_once_by_many_processes(tmp_path):
    runs = [start(tmp_path, 10) for _ in range(4)]
    answers = [run.communicate(timeout=60)[0].strip() for run in runs]
    assert sorted(answers) == ["True False"] * 3 + ["True True"]
    assert (tmp_path / "log").read_text() == "made\n"
    assert sorted(p.name for p in (tmp_path / "cache/things").iterdir()) == [".locks", "one"]


def test_killed_in_the_middle(tmp_path):
    """Nothing of a killed maker is taken; the one that waited makes it, and removes what was left."""
    things = tmp_path / "cache" / "things"
    killed = start(tmp_path, 100_000)
    wait_for(lambda: list(things.glob("one.*.part/half")))
    waiting = start(tmp_path, 0)
    time.sleep(0.2)
    assert waiting.poll() is None and not (things / "one").exists(), "it must wait for the first one's lock"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert waiting.communicate(timeout=60)[0].strip() == "True True"
    assert (tmp_path / "log").read_text() == "made\n" * 2
    assert sorted(p.name for p in things.iterdir()) == [".locks", "one"]


def test_the_next_build_of_anything_removes_what_a_killed_one_left(tmp_path):
    things = tmp_path / "cache" / "things"
    killed = start(tmp_path, 100_000)
    wait_for(lambda: list(things.glob("one.*.part/half")))
    store = Store("things", tmp_path)
    store.get("other", write("x"))
    assert list(things.glob("one.*.part/half")), "its maker is at work"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    store.get("another", write("x"))
    assert sorted(p.name for p in things.iterdir()) == [".locks", "another", "other"]


def test_a_failed_maker_leaves_its_log_until_the_next(tmp_path):
    store = Store("things", tmp_path)

    def fail(folder):
        (folder / "log").write_text("why")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.get("one", fail)
    assert [p.read_text() for p in store.folder.glob("one.*.part/log")] == ["why"]
    assert store.find("one") is None
    assert store.get("one", write("x")).made
    assert not list(store.folder.glob("*.part"))


def test_other_keys_leftovers_go_when_they_are_old(tmp_path):
    store = Store("things", tmp_path)
    old, new = store.folder / "other.a.part", store.folder / "other.b.part"
    old.mkdir(parents=True)
    new.mkdir()
    for part in (old, new):
        (part / FAILED).touch()
    os.utime(old, (0, time.time() - cache.ABANDONED - 60))
    store.get("one", write("x"))
    assert not old.exists() and new.exists()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "file").write_text("conten"), "file"),
        (lambda folder: (folder / "file").write_text("contenT"), "file"),
        (lambda folder: (folder / "file").unlink(), "file"),
        (lambda folder: (folder / SEAL).unlink(), None),
        (lambda folder: (folder / SEAL).write_text(""), SEAL),
        (lambda folder: (folder / SEAL).write_text("[]"), SEAL),
    ],
    ids=["truncated", "changed", "missing", "no seal", "empty seal", "wrong seal"],
)
def test_damaged_entries_are_named_and_made_anew(tmp_path, damage, named, caplog):
    entry = Store("things", tmp_path).get("one", write("content"))
    damage(entry.folder)
    assert Store("things", tmp_path).find("one") is None
    again = Store("things", tmp_path).get("one", write("content"))
    said = [record.getMessage() for record in caplog.records]
    assert said == ([] if named is None else [f"{entry.folder / named} is damaged: it is made anew"])
    assert again.made and (again.folder / "file").read_text() == "content"
    assert not Store("things", tmp_path).get("one", write("other")).made


def test_made_anew_when_asked(tmp_path):
    store = Store("things", tmp_path)
    store.get("one", write("a"))
    assert store.get("one", write("b"), anew=True).made
    assert (store.get("one", write("c")).folder / "file").read_text() == "b"


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(RepriseError, match="the cache must be a folder that can be written.*set REPRISE_CACHE"):
        Store("things", tmp_path).get("one", write("x"))


def test_digests_follow_content_and_its_borders():
    contents = [("ab", "c"), ("a", "bc"), ("abc",), (b"abc",), (["a"], "bc"), (1,), ("1",), ({"a": 1},), ({"a": 2},)]
    assert len({digest(*one) for one in contents}) == len(contents)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_sources_follow_every_file(tmp_path):
    def now():
        sources.cache_clear()
        return sources(tmp_path / "room")

    def put(name, text):
        path = tmp_path / "room" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (0, 0))  # older than this process

    put("a.py", "x = 1")
    put("deep/b.py", "y = 1")
    seen = [now()]
    assert now() == seen[0]
    for name, text in (("a.py", "x = 2"), ("deep/b.py", "y = 2"), ("deep/c.py", "")):
        put(name, text)
        seen.append(now())
    (tmp_path / "room/a.py").rename(tmp_path / "room/d.py")
    seen.append(now())
    assert len(set(seen)) == len(seen), "a change that the digest does not see"


def test_a_source_newer_than_the_process_matches_nothing(tmp_path):
    """The code that runs may be older than the file: what it makes must not be taken for the file's."""
    (tmp_path / "a.py").write_text("x = 1")
    os.utime(tmp_path / "a.py", (0, time.time() + 60))
    assert cache.source(tmp_path / "a.py") != cache.source(tmp_path / "a.py")


KERNELS = {
    "low.py": "import numba as nb\nSTEP = {step}\n@nb.njit\ndef add(x):\n    return x + STEP + {inner}\n",
    "rules.py": "LIMIT = {limit}\n",
    "high.py": (
        "from reprise.support.kernels import kernel\nfrom .low import add\nfrom . import rules\n"
        "@kernel()\ndef run(x):\n    return min(add(x), rules.LIMIT)\n"
    ),
}


def run_kernel(folder: Path, base: Path, **values) -> tuple[int, int]:
    """What a kernel gives when other files hold ``values``, and how many compiled functions the cache then holds."""
    package = folder / "kernels_under_test"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    for name, text in KERNELS.items():
        (package / name).write_text(text.format(**{"step": 1, "inner": 0, "limit": 1000} | values))
        os.utime(package / name, (0, 1e9))  # Numba's own cache and Python's go by times
    code = "from kernels_under_test.high import run; print(run(10))"
    env = {**os.environ, "PYTHONPATH": str(folder), "REPRISE_CACHE": str(base), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return int(done.stdout), len(list((base / "cache/kernels").glob("high.run-*")))


def test_kernels_are_compiled_anew_when_anything_they_reach_changes(tmp_path):
    """A function and a constant of other files, which Numba's own cache does not look at."""
    steps = [({}, (11, 1)), ({"inner": 5}, (16, 2)), ({"step": 3}, (13, 3)), ({"limit": 7}, (7, 4)), ({}, (11, 4))]
    for values, expected in steps:
        assert run_kernel(tmp_path, tmp_path / "base", **values) == expected, values


def test_the_cycle_model_follows_every_block_of_its_own():
    from reprise.estimate.cycles import machine
    from reprise.support.kernels import reached

    found = {name.removeprefix("reprise.estimate.cycles.") for name in reached(machine)}
    folder = Path(machine.__file__).parent
    blocks = {".".join(p.relative_to(folder).with_suffix("").parts) for p in folder.rglob("*.py")}
    # These are not compiled into the loop.
    python = {"__init__", "blocks.__init__", "parameters", "commands", "run_data", "in_flight", "walks"}
    assert blocks - found <= python, "a block whose changes the loop would not notice"
    constants = "\n".join(part for parts in reached(machine).values() for part in parts)
    assert "RING=64" in constants and f"STEAL_AFTER={machine.STEAL_AFTER}" in constants


def test_a_kernels_arrays_count_by_value():
    import types

    from reprise.support.kernels import reached

    def module(**values):
        one = types.ModuleType("reprise_test_module")
        one.__file__ = None
        vars(one).update(values)
        return reached(one)

    assert module(a=np.arange(3)) == module(a=np.arange(3))
    assert module(a=np.arange(3)) != module(a=np.arange(3, dtype=np.int32))
    big = np.zeros(100_000, np.int64)
    changed = big.copy()
    changed[50_000] = 1
    assert module(a=big) != module(a=changed), "an array's repr leaves its middle out"
