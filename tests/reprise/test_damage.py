"""Random damage of every kind of file that a user hands in ends in success or in an error of Reprise.

It never ends in another exception, never takes more than a second of processor time, and never more than 200 MB.
"""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import json
import pickle
import resource
import shutil
import signal
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from reprise.cli import compare
from reprise.compiler import compile_network
from reprise.export.train.datasets import read_cifar_batch, read_idx
from reprise.export.train.recipe import preset
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.model.files.capture import load_capture
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.support.errors import RepriseError
from reprise.support.presets import HARDWARE, NETWORKS
from tests.reprise.command import reprise

COPIES, SEED = 400, 5
SECONDS, BYTES = 1.0, 200 << 20
DIGITS = Path(shipped("digits"))


class TooSlow(BaseException):
    """It passes every ``except Exception``."""


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    """Cut a file, or change, insert, remove or repeat some of its bytes, more often near its beginning and its end."""
    kind, changed = rng.integers(6), bytearray(data)
    if kind == 0:
        return data[: rng.integers(len(data))]
    for _ in range(rng.choice([1, 1, 2, 5])):
        end = [len(changed), min(len(changed), 300)][rng.integers(2)]
        at = int(rng.integers(end)) if rng.random() < 0.8 else len(changed) - 1 - int(rng.integers(min(100, end)))
        if kind == 1:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[at] = int(rng.integers(256))
        elif kind == 3:
            changed[at:at] = bytes([rng.choice(list(b"0123456789-[]{}:,'\n .eN*&!"))])
        elif kind == 4:
            del changed[at : at + int(rng.integers(1, 20))]
        else:
            changed[at:at] = changed[at : at + int(rng.integers(1, 40))]
        changed = changed or bytearray(b"x")
    return bytes(changed)


def manifest(folder: Path):
    shutil.copy(DIGITS.with_suffix(".safetensors"), folder)

    def read(data: bytes) -> None:
        (folder / "digits.yaml").write_bytes(data)
        load(folder / "digits.yaml")

    return DIGITS.read_bytes(), read


def tensors(folder: Path):
    """The digest in the manifest is made right, so that what follows is reached."""
    fields = yaml.safe_load(DIGITS.read_text())

    def read(data: bytes) -> None:
        fields["tensors"]["sha256"] = hashlib.sha256(data).hexdigest()
        (folder / "digits.yaml").write_text(json.dumps(fields))
        (folder / "digits.safetensors").write_bytes(data)
        load(folder / "digits.yaml")

    return DIGITS.with_suffix(".safetensors").read_bytes(), read


LAYERS = """
timesteps: 3
layers:
  - {name: c, kind: conv, in_channels: 2, out_channels: 5, kernel: 3, padding: 1}
  - {name: f, kind: linear, in_features: 7, out_features: 30}
"""


def capture(save):
    def of(folder: Path):
        rng = np.random.default_rng(SEED)
        save(folder / "a.npz", c=rng.random((3, 2, 6, 5)) < 0.3, f=rng.random((3, 7)) < 0.3)
        (folder / "a.yaml").write_text(LAYERS)

        def read(data: bytes) -> None:
            (folder / "a.npz").write_bytes(data)
            for layer in load_capture(folder / "a.npz"):
                layer.tiles(16, 8)

        return (folder / "a.npz").read_bytes(), read

    return of


def layers(folder: Path):
    _, read_arrays = capture(np.savez)(folder)
    good = (folder / "a.npz").read_bytes()

    def read(data: bytes) -> None:
        (folder / "a.yaml").write_bytes(data)
        read_arrays(good)

    return LAYERS.encode(), read


def written(name: str, content: bytes, reader):
    def of(folder: Path):
        def read(data: bytes) -> None:
            (folder / name).write_bytes(data)
            reader(folder / name)

        return content, read

    return of


def image(name: str):
    def of(folder: Path):
        compile_network(load(DIGITS).network, HardwareConfig.load("tiny"), 1).save(folder)

        def read(data: bytes) -> None:
            (folder / name).write_bytes(data)
            MemoryImage.load(folder)

        return (folder / name).read_bytes(), read

    return of


def report(folder: Path):
    done = reprise("estimate", "digits", "--config", "tiny", "--images", "1", "--json", folder / "a.json")
    assert done.code == 0

    def read(data: bytes) -> None:
        (folder / "a.json").write_bytes(data)
        compare.read(str(folder / "a.json"))

    return (folder / "a.json").read_bytes(), read


IDX = b"\0\0\x08\x03" + struct.pack(">3I", 5, 6, 7) + bytes(range(210))
BATCH = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2], b"filenames": [b"a", b"b"]}

FILES = {
    "network": manifest,
    "tensors": tensors,
    "capture": capture(np.savez),
    "compressed capture": capture(np.savez_compressed),
    "layers of a capture": layers,
    "IDX": written("a", IDX, read_idx),
    "compressed IDX": written("a.gz", gzip.compress(IDX, mtime=0), read_idx),
    "CIFAR, pickled by Python 2": written("a", pickle.dumps(BATCH, protocol=2), read_cifar_batch),
    "CIFAR, pickled by Python 3": written("a", pickle.dumps(BATCH, protocol=4), read_cifar_batch),
    "CIFAR, binary": written("a.bin", bytes(2 * 3073), read_cifar_batch),
    "map of a memory image": image("memory.json"),
    "bytes of a memory image": image("memory.bin"),
    "hardware": written("a.yaml", (HARDWARE / "paper.yaml").read_bytes(), HardwareConfig.load),
    "report": report,
    "recipe": written("a.yaml", (NETWORKS / "digits.yaml").read_bytes(), lambda path: preset(str(path))),
}


def trim() -> None:
    """Give back what earlier tests have freed, since it would not count."""
    ctypes.CDLL(None).malloc_trim(0)


def limited(read, data: bytes) -> str:
    """Read a file within bounds of time and memory and say how it ended; another exception passes through."""

    def stop(*_):
        raise TooSlow(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        read(data)
    except RepriseError as error:
        assert 10 < len(str(error)) < 5000
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)
    return "accepted"


@pytest.mark.parametrize("name", FILES)
def test_damage_is_told_and_never_an_internal_error(name, tmp_path):
    trim()
    good, read = FILES[name](tmp_path)
    read(good)
    rng, ends = np.random.default_rng(SEED), Counter()
    print(f"seed {SEED}")
    for number in range(COPIES):
        data = damaged(rng, good)
        try:
            ends[limited(read, data)] += 1
        except BaseException:
            print(f"copy {number}: {data[:2000]!r}")
            raise
    print(name, dict(ends))
    assert ends["refused"] > COPIES / 4 and ends["accepted"], "the damage is neither harmless nor total"


def test_the_bounds_hold():
    """The test above would notice what takes too long or too much."""

    def forever(_):
        while True:
            pass

    with pytest.raises(TooSlow):
        limited(forever, b"")
    trim()
    with pytest.raises(MemoryError):
        limited(lambda _: bytearray(BYTES + (1 << 20)), b"")
