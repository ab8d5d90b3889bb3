"""Feature maps in the accelerator's memory against the model's, element by element."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...model.inference.runner import Result

AXES = ("image", "t", "channel", "y", "x")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first element that differs, in the order image, timestep, channel, y, x."""

    feature: str
    image: int
    t: int
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
    """One feature map: elements compared, how many differ, the first that does, and what makes it unreadable."""

    feature: str
    layer: str
    elements: int
    mismatches: int
    first: Difference | None = None
    error: str = ""


def expected_map(compiled: MemoryImage, key: str, expected: Result) -> np.ndarray:
    """What the model says of a feature of the image, (images, T, C, H, W)."""
    f = compiled.features[key]
    return expected.potentials[f.name] if f.kind == "potentials" else expected.features[f.name]


def compare_map(key: str, layer: str, got: np.ndarray, want: np.ndarray) -> FeatureCheck:
    """Compare two arrays (images, T, C, H, W) with ==."""
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
    """Every feature map that the program writes (all of its variants), in the program's order.

    Parameters
    ----------
    compiled : MemoryImage, compiled with ``keep_features``
    memory : uint8[size], after the job
    expected : the model's run, with features and potentials recorded
    """
    checks = []
    for entry in compiled.layers:
        want = expected_map(compiled, entry.feature, expected)
        try:
            got = compiled.read_feature_map(memory, entry.feature)
        except ValueError as error:  # bits that no feature map has
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
    """int64[images]: the class of largest score by the last layer's map in memory; None if it can't be read."""
    entry = compiled.layers[-1]
    try:
        got = compiled.read_feature_map(memory, entry.feature).astype(np.int64)
    except ValueError:
        return None
    potentials = compiled.features[entry.feature].kind == "potentials"
    last = got[:, -1] if potentials else got.sum(axis=1)
    return last.sum(axis=(2, 3)).argmax(axis=1)
