"""What RUNs have written, part by part, and what a reader of it has to wait for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...hw.arch.feature_map import FeatureMap
from ...hw.arch.program import Wait


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some image rows of some images of a feature map."""

    feature: FeatureMap
    images: range
    lines: range

    @classmethod
    def whole(cls, feature: FeatureMap) -> Part:
        """Return all of a map."""
        return cls(feature=feature, images=range(feature.images), lines=range(feature.height))

    def meets(self, other: Part) -> bool:
        """Return whether two parts have something in common."""
        same = (self.feature.address, self.feature.name) == (other.feature.address, other.feature.name)
        return same and meet(self.images, other.images) and meet(self.lines, other.lines)


def meet(a: range, b: range) -> bool:
    """Return whether two ranges have a number in common."""
    return max(a.start, b.start) < min(a.stop, b.stop)


@dataclass
class Writes:
    """Knows of every RUN so far what it wrote, and of which RUNs all writes have been answered.

    A load begins only when all loads before it have begun, so that it need not wait again for what one of them has
    waited for. The weights of a RUN may be fetched before the loads in front of it have begun. Behind that RUN this is
    no longer so, because a RUN starts when its loads are complete.

    Members
    -------
    runs : RUNs so far
    """

    runs: int = 0
    _parts: list[tuple[int, Part]] = field(default_factory=list)  # with the number of the RUN that wrote it
    _answered: int = 0  # the RUNs of which a load may read everything
    _before_run: int = 0  # those of which the weights of the next RUN may be read

    def run(self, part: Part) -> None:
        """Note a RUN, and what it writes."""
        self._before_run = self._answered
        self.runs += 1
        self.wrote(part)

    def wrote(self, part: Part) -> None:
        """Note that the last RUN writes a part."""
        self._parts.append((self.runs, part))

    def barrier(self) -> None:
        """Note that all writes have been answered."""
        self._answered = self._before_run = self.runs
        self._parts.clear()

    def waited(self, wait: Wait) -> None:
        """Note a load that waits."""
        if wait is not Wait.NOTHING:
            self._answered = max(self._answered, self.runs - (wait is Wait.OLDER))

    def wait(self, parts: Iterable[Part]) -> Wait:
        """Return for which writes a load of these parts must wait, if the loads before it are as they are."""
        last = max((self._last(part) for part in parts), default=0)
        if last <= self._answered:
            return Wait.NOTHING
        return Wait.ALL if last == self.runs else Wait.OLDER

    def unanswered(self, part: Part) -> bool:
        """Return whether a part may not be read as weights of the next RUN."""
        return self._last(part) > self._before_run

    def _last(self, part: Part) -> int:
        return max((run for run, one in self._parts if one.meets(part)), default=0)
