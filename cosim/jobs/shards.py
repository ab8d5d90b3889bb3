"""Keeps the results of a long job that is made of shards, so that a further call goes on where one was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Case = dict[str, Any]
"""The result of one case, as JSON can write it."""


class Shards:
    """The cases of the shards that have been played, by the shard's seed, in a file with a line of JSON for each.

    A line that was cut off, because the call that wrote it was killed, is left out: its shard has not been played.

    Parameters
    ----------
    path : of the file. Its name has to tell apart whatever the results depend on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[int, list[Case]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                shard = json.loads(line)
            except json.JSONDecodeError:
                continue
            self.found[int(shard["seed"])] = shard["cases"]

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))

    @property
    def cases(self) -> list[Case]:
        """The cases of all shards, in the order of their seeds."""
        return [case for _, cases in sorted(self.found.items()) for case in cases]

    def missing(self, seeds: Iterable[int]) -> Iterator[int]:
        """Yield those of ``seeds`` whose shards have not been played."""
        return (seed for seed in seeds if seed not in self.found)

    def add(self, played: Mapping[int, list[Case]]) -> None:
        """Keep the cases of shards, by their seeds, and write them to the file at once."""
        self.found |= played
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell() and not self.path.read_bytes().endswith(b"\n"):
                file.write(b"\n")  # behind a line that was cut off
            lines = (json.dumps({"seed": seed, "cases": cases}) + "\n" for seed, cases in played.items())
            file.write("".join(lines).encode())
