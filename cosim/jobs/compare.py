"""Compares the feature maps in the accelerator's memory with those of the model, element by element."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...model.inference.runner import Result

AXES = ("image", "timestep", "channel", "y", "x")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first element that differs, in the order of image, timestep, channel, y and x."""

    feature: str
    image: int
    timestep: int
    channel: int
    y: int
    x: int
    got: int
    expected: int

    def __str__(self) -> str:
        place = ", ".join(f"{axis} {getattr(self, axis)}" for axis in AXES)
        return f"{self.feature}: {place}: got {self.got}, expected {self.expected}"

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class FeatureCheck:
    """The check of one feature map: how many elements it has, how many of them differ, and the first that does.

    ``error`` says why the map cannot be read, and then all its elements count as different.
    """

    feature: str
    layer: str
    elements: int
    mismatches: int
    first: Difference | None = None
    error: str = ""


def expected_map(compiled: MemoryImage, key: str, expected: Result) -> np.ndarray:
    """Return what the model says that a feature of the memory image must be, (images, T, C, H, W)."""
    f = compiled.features[key]
    return expected.potentials[f.name] if f.kind == "potentials" else expected.features[f.name]


def compare_map(key: str, layer: str, got: np.ndarray, want: np.ndarray) -> FeatureCheck:
    """Compare two arrays (images, T, C, H, W), whose elements must be equal."""
    if got.shape != want.shape:
        error = f"shape {got.shape} instead of {want.shape}"
        return FeatureCheck(feature=key, layer=layer, elements=want.size, mismatches=want.size, error=error)
    wrong = np.argwhere(got.astype(np.int64) != want.astype(np.int64))
    first = None
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        values = {"got": int(got[place]), "expected": int(want[place])}
        first = Difference(feature=key, **dict(zip(AXES, place, strict=True)), **values)
    return FeatureCheck(feature=key, layer=layer, elements=want.size, mismatches=len(wrong), first=first)


def compare(compiled: MemoryImage, memory: np.ndarray, expected: Result) -> list[FeatureCheck]:
    """Check every feature map that the program writes, in all of its variants and in the order of the program.

    Parameters
    ----------
    compiled : MemoryImage, compiled with ``keep_features``
    memory : uint8[size], the memory after the job
    expected : the model's run, with features and potentials recorded
    """
    checks = []
    for entry in compiled.layers:
        want = expected_map(compiled, entry.feature, expected)
        try:
            got = compiled.read_feature_map(memory, entry.feature)
        except ValueError as error:  # bits are set that no feature map has
            checks.append(
                FeatureCheck(
                    feature=entry.feature,
                    layer=entry.name,
                    elements=want.size,
                    mismatches=want.size,
                    error=str(error),
                )
            )
            continue
        checks.append(compare_map(entry.feature, entry.name, got, want))
    return checks


def predictions(compiled: MemoryImage, memory: np.ndarray) -> np.ndarray | None:
    """Return int64[images], the class of the largest score by the last layer's map in memory.

    If the map cannot be read, the result is None.
    """
    entry = compiled.layers[-1]
    try:
        got = compiled.read_feature_map(memory, entry.feature).astype(np.int64)
    except ValueError:
        return None
    potentials = compiled.features[entry.feature].kind == "potentials"
    last = got[:, -1] if potentials else got.sum(axis=1)
    return last.sum(axis=(2, 3)).argmax(axis=1)
