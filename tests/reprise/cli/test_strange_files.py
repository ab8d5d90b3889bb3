"""Network files and captures may come from strangers: whatever they hold is shown, or refused in lines that say why."""

from __future__ import annotations

import copy
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from reprise.model.files.capture import SAMPLE
from reprise.model.files.shipped import shipped
from tests.reprise.command import reprise
from tests.support.files.nested import GONE, changed_at

DIGITS = Path(shipped("digits"))
MANIFEST = yaml.safe_load(DIGITS.read_text())
STRANGE = (None, -1, "x", [], float("nan"), True, 2**70, {"a": [1]})


def judged(*words: object) -> int:
    """Run a command on a strange file: an exception is a bug and passes through; anything else it explains."""
    done = reprise(*words)
    assert done.code in (0, 2), done.text
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert bool(errors) == (done.code == 2) and "Traceback" not in done.text
    return done.code


def shown(folder: Path, manifest: object, tensors: bytes = DIGITS.with_suffix(".safetensors").read_bytes()) -> int:
    """Show a network file of this manifest and these tensors."""
    (folder / "digits.yaml").write_text(manifest if isinstance(manifest, str) else yaml.safe_dump(manifest))
    (folder / "digits.safetensors").write_bytes(tensors)
    return judged("show", folder / "digits.yaml")


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Where something stands in a manifest, at most three levels deep, and of each list its first element alone."""
    found = [path] if path else []
    if isinstance(value, dict) and len(path) < 3:
        found += [place for key, part in value.items() for place in places(part, (*path, key))]
    elif isinstance(value, list) and value and len(path) < 3:
        found += places(value[0], (*path, 0))
    return found


ONE_OF = {"recipe": "network", "hardware": "tile_m", "widths": "conv1", "statistics": "conv1"}
"""Of what these hold, one is as good as another."""

PLACES = [path for path in places(MANIFEST) if len(path) < 2 or ONE_OF.get(path[0], path[1]) == path[1]]


def test_the_places_are_those_of_the_whole_manifest(tmp_path):
    assert {path[0] for path in PLACES} == set(MANIFEST) and len(PLACES) > 25
    assert shown(tmp_path, MANIFEST) == 0


@pytest.mark.parametrize("place", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_field_that_is_gone_or_strange(place, tmp_path):
    for value in (GONE, *STRANGE):
        shown(tmp_path, changed_at(MANIFEST, place, value))


def test_a_text_in_which_bytes_are_changed(tmp_path):
    rng, text = np.random.default_rng(0), DIGITS.read_text()
    print("seed 0")
    for _ in range(40):
        changed = list(text)
        for at in rng.integers(0, len(text), 3):
            changed[at] = chr(rng.choice([0, 9, 10, 32, 34, 38, 42, 58, 91, 123, 45, 48, 255]))
        shown(tmp_path, "".join(changed))


def test_tensors_that_are_damaged(tmp_path):
    good = DIGITS.with_suffix(".safetensors").read_bytes()
    flipped = good[:-100] + bytes([good[-100] ^ 255]) + good[-99:]
    for tensors in (b"", good[:7], good[:1000], good[:-4], b"\xff" * 8 + good[8:], bytes(500), flipped, good + b"\0"):
        assert shown(tmp_path, MANIFEST, tensors) == 2


def capture(folder: Path, content: bytes, layers: str = SAMPLE.with_suffix(".yaml").read_text()) -> int:
    """Show the densities of a capture of this content."""
    (folder / "a.npz").write_bytes(content)
    (folder / "a.yaml").write_text(layers)
    return judged("density", folder / "a.npz", "--config", "tiny")


def zipped(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_arrays_of_a_capture_that_are_strange(tmp_path):
    arrays = dict(np.load(SAMPLE))
    name, spikes = next(iter(arrays.items()))
    assert capture(tmp_path, zipped(arrays)) == 0
    half, whole = spikes * 0.5, spikes.astype(np.int64)
    strange = [spikes[0], spikes[:0], half, half * np.nan, -whole, whole * 1000, spikes.astype(complex)]
    strange += [np.array([{}], object), np.array(["a"]), np.array(3), np.zeros((0, 0, 0, 0), bool)]
    for array in strange:
        assert capture(tmp_path, zipped({**arrays, name: array})) == 2
    assert capture(tmp_path, zipped({one: array for one, array in arrays.items() if one != name})) == 2


def test_files_of_a_capture_that_are_damaged(tmp_path):
    good = SAMPLE.read_bytes()
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as file:
        for name in np.load(SAMPLE).files:
            file.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': broken")
    for content in (b"", good[:2000], good[:2000] + good[-1000:], bytes(300), broken.getvalue()):
        assert capture(tmp_path, content) == 2


def test_layers_of_a_capture_that_are_strange(tmp_path):
    good, layers = SAMPLE.read_bytes(), yaml.safe_load(SAMPLE.with_suffix(".yaml").read_text())
    for place in places(layers):
        for value in STRANGE:
            changed = copy.deepcopy(layers)
            inner = changed
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = value
            capture(tmp_path, good, yaml.safe_dump(changed))
