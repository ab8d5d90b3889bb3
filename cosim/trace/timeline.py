"""Finds out of a job's log when each block worked on which tile: the tracks of a trace.

The events in a log carry no numbers of tiles, but every block takes the tiles in their order, and the rows of a RUN say
how often an event happens for each of them. So the n-th event of a kind belongs to a known tile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...estimate.cycles.state import EVENTS
from ...estimate.network import Recording
from ...hw.arch.memory_image import MemoryImage
from ..report.tables import CAUSES
from .log import Log, joined, stretches, times
from .tiles import Figures, m_tiles, spans, tiles

PAUSE = 16
"""Bus words that are at most so many cycles apart are shown as one slice."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer, from the end of the layer before it to the end of its last RUN; or the end of the job."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """What one block did: slices that do not overlap, in the order of time.

    Members
    -------
    name : of the block
    about : what a slice is
    begin, end : int64[n], the first cycle of each slice, and that after its last one
    label : the name of a slice, by its number
    args : further figures of every slice, by their names
    kind : tiles, m tiles, causes, or other
    """

    name: str
    about: str
    begin: np.ndarray
    end: np.ndarray
    label: Callable[[int], str]
    args: Figures = field(default_factory=dict)
    kind: str = "other"


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """A job and its log.

    Members
    -------
    name : of the network, or of the layer of a capture
    source : rtl, or cycle model
    log : what happened in every cycle
    end : cycles of the job
    commands : the opcodes of the program
    runs : what :class:`reprise.estimate.network.Estimator` keeps of each RUN; ``start`` and ``end`` are of the source
    layers : the layers and the end of the job, which together last as long as the job
    """

    name: str
    source: str
    log: Log
    end: int
    commands: list[str]
    runs: list[dict[str, Any]]
    layers: list[Layer]

    @cached_property
    def tracks(self) -> list[Track]:
        """The tracks, of which some are missing if the log lacks their events."""
        found = [self._layers(), self._commands(), self._runs(), self._loads(), *self._tiles(), *self._causes()]
        return [*found, *self._m_tiles(), *(self._words(*one) for one in WORDS)]

    def layer_of(self, cycles: np.ndarray) -> np.ndarray:
        """Return the number of the layer in which each of some cycles lies."""
        ends = np.array([one.end for one in self.layers])
        return np.minimum(np.searchsorted(ends, cycles, "right"), len(ends) - 1)

    def named(self, cycles: np.ndarray) -> np.ndarray:
        """Return the name of the layer in which each of some cycles lies."""
        return np.array([one.name for one in self.layers], object)[self.layer_of(cycles)]

    def times(self, event: str) -> np.ndarray:
        """Return the cycles of the job in which an event happens."""
        return times(self.log, event, self.end)

    def _layers(self) -> Track:
        begin, end = (np.array([getattr(one, key) for one in self.layers], np.int64) for key in ("begin", "end"))
        about = "a layer, from the end of the layer before it to the end of its last RUN"
        return Track(name="layers", about=about, begin=begin, end=end, label=lambda n: self.layers[n].name)

    def _commands(self) -> Track:
        taken = self.times("command")
        end = np.append(taken + 1, self.end)[: len(self.commands)]
        begin = np.concatenate([[0], end[:-1]])
        return Track(
            name="sequencer: commands", about="a command, from the issue of the command before it to its own issue",
            begin=begin, end=end, label=lambda n: self.commands[n], args={"command": np.arange(len(end))},
        )  # fmt: skip

    def _runs(self) -> Track:
        begin, end = (np.array([one[key] for one in self.runs], np.int64) for key in ("start", "end"))
        args = {key: np.array([one[key] for one in self.runs]) for key in ("command", "m_tiles", "tiles")}
        args["layer"] = np.array([one["layer"] for one in self.runs], object)
        return Track(
            name="sequencer: RUNs", about="a RUN, which computes some lines of a block of output channels",
            begin=begin, end=end, label=lambda n: f"RUN of {args['layer'][n]}", args=args,
        )  # fmt: skip

    def _loads(self) -> Track:
        begin, end = stretches(self.log, "load_busy", self.end)
        return Track(
            name="loads", about="input lines, segments or parameters of neurons are being loaded", begin=begin, end=end,
            label=lambda n: "loads", args={"layer": self.named(begin)},
        )  # fmt: skip

    def _tiles(self) -> list[Track]:
        """Return the tracks whose slices are K tiles."""
        tile = tiles(self.runs)
        rows = self.times("rows_word"), tile["beats"], "the rows of a K tile are handed to the sorter"
        weights = self.times("weights_row"), tile["weight_rows"], "the weights of a K tile come in"
        bits = self.times("residual_bit"), tile["add_steps"]
        adds = (*bits, "from the first residual bit of a K tile that is added to the last")
        found = [self._spans("weights loader", weights, tile), self._spans("im2col", rows, tile)]
        found += [self._detector(tile), *self._inside(tile, bits), self._spans("PE array: tiles", adds, tile)]
        return [one for one in found if one is not None]

    def _spans(self, name: str, what: tuple[np.ndarray, np.ndarray, str], tile: Figures) -> Track | None:
        found = spans(*what[:2])
        if found is None:
            return None
        which, begin, end = found
        args = {key: values[which] for key, values in tile.items()}
        return _track(name, what[2], begin, end, args, "m tiles" if "k" not in tile else "tiles")

    def _detector(self, tile: Figures) -> Track | None:
        groups, last = self.times("detector_group"), self.times("detector_last")
        if len(last) != len(tile["m"]):
            return None
        first = groups[np.searchsorted(groups, np.concatenate([[-1], last[:-1]]), "right")]
        about = "the rows of a K tile go through detector and dispatcher"
        return _track("detector and dispatcher", about, first, last + 1, tile, "tiles")

    def _inside(self, tile: Figures, bits: tuple[np.ndarray, np.ndarray]) -> list[Track]:
        """Return when tiles are in the processor, which holds two: from their entry to their last addition."""
        end = self.times("tile_enter") + 1
        counted = [bits, *((self.times(f"reuse{b}"), tile[f"reuse{b}"]) for b in range(2))]
        if len(end) != len(tile["m"]):
            return []
        begin = end - 1
        for found in (spans(*one) for one in counted):
            if found is None:
                return []
            end[found[0]] = np.maximum(end[found[0]], found[2])
        about = "a K tile is in the processor, from its entry to its last addition or exact match"
        sides = [(n, np.flatnonzero(tile["tile"] % 2 == n)) for n in range(2)]
        return [
            _track(f"processor, place {n}", about, begin[at], end[at], {key: v[at] for key, v in tile.items()}, "tiles")
            for n, at in sides
        ]

    def _causes(self) -> list[Track]:
        """Return what the adders did, cut where it changes and where a layer ends: every cycle has one cause."""
        cycles, events = self.log
        names = [*CAUSES]
        cause = np.full(len(cycles), names.index("outside"))
        for n, name in enumerate(names):
            event = "residual_bit" if name == "adding" else f"stall_{name}"
            if event in EVENTS:
                cause[(events >> EVENTS.index(event) & 1) > 0] = n
        at = np.union1d(cycles[cycles < self.end], [0, *(one.begin for one in self.layers if one.begin < self.end)])
        place = np.searchsorted(cycles, at, "right") - 1
        found = np.where(place >= 0, cause[np.maximum(place, 0)], names.index("outside"))
        layer = self.layer_of(at)
        cut = np.flatnonzero((np.diff(found, prepend=-1) != 0) | (np.diff(layer, prepend=-1) != 0))
        begin, found = at[cut], found[cut]
        end = np.append(begin[1:], self.end)
        args = {"layer": self.named(begin)}
        about = "what the adders did in these cycles; every cycle has one cause"
        name = "PE array: causes"
        return [
            Track(
                name=name, about=about, begin=begin, end=end, label=lambda n: names[found[n]], args=args, kind="causes"
            )
        ]

    def _m_tiles(self) -> list[Track]:
        tile = m_tiles(self.runs)
        sums = self.times("psum_row"), tile["drained"], "the finished partial sums of an m tile are drained"
        items = self.times("neurons_item"), tile["items"], "the levels or potentials of an m tile leave the neurons"
        found = [self._spans("drain", sums, tile), self._spans("neurons", items, tile)]
        return [one for one in found if one is not None]

    def _words(self, event: str, name: str, about: str) -> Track:
        found = self.times(event)
        cut = np.flatnonzero(np.diff(found, prepend=-PAUSE - 1) > PAUSE)
        begin, last = found[cut], found[np.append(cut[1:], len(found)) - 1] if len(found) else found
        words = np.diff(np.append(cut, len(found)))
        args = {"words": words, "layer": self.named(begin)}
        return Track(name=name, about=about, begin=begin, end=last + 1, label=lambda n: f"{words[n]} words", args=args)


WORDS = (
    ("output_word", "output writer", "bus words of the output are packed"),
    ("read_beat", "memory: reads", "bus words come from the memory"),
    ("write_beat", "memory: writes", "bus words go to the memory"),
)
"""The events whose slices are stretches of bus words, with the names of their tracks and what a slice is."""


def _track(name: str, about: str, begin: np.ndarray, end: np.ndarray, args: Figures, kind: str) -> Track:
    """Return a track of tiles, whose slices are called by their numbers."""
    m, k = args["m"], args.get("k")

    def label(n: int) -> str:
        return f"m tile {m[n]}" if k is None else f"m tile {m[n]}, K tile {k[n]}"

    return Track(name=name, about=about, begin=begin, end=end, label=label, args=args, kind=kind)


def timeline_of(
    compiled: MemoryImage,
    name: str,
    layers: list[dict[str, Any]],
    recording: Recording,
    rtl: tuple[Log, dict[int, tuple[int, int]]] | None,
) -> Timeline:
    """Return the timeline of a job.

    Parameters
    ----------
    compiled, name : the job, and its name
    layers : the figures of its layers and of its end, as the report has them
    recording : of the cycle model
    rtl : the log of the RTL, and the start and end of each RUN in it by the index of its command; None if no RTL was
        simulated, and then the model's are taken
    """
    log, runs = joined(recording.log), recording.runs
    if rtl is not None:
        log = rtl[0]
        runs = [one | dict(zip(("start", "end"), rtl[1][one["command"]], strict=True)) for one in runs]
    key, at, found = "cycle_model" if rtl is None else "rtl", 0, []
    for one in layers:
        found.append(Layer(name=one["name"], begin=at, end=at + one["cycles"][key]))
        at = found[-1].end
    return Timeline(
        name=name, source="cycle model" if rtl is None else "rtl", log=log, end=at,
        commands=[opcode for opcode, _ in compiled.commands()], runs=runs, layers=found,
    )  # fmt: skip
