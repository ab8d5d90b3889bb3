"""What limits each layer: the exact cycle model, run again with one block after another idealized.

A block limits a layer by as many cycles as the layer would save if this block took no time and everything else were as
it is (:data:`reprise.estimate.cycles.parameters.IDEAL` says what that means for each block). Every layer begins in the
state in which the accelerator was when the layer before it had ended, so that no layer pays for what another one saves.
But the weights of a layer come while the one before it still works, and more of them if that has less to do. So if it
is more, a block limits a layer by what the layer saves when this block takes no time from the beginning of the job.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from ..hw.arch.memory_image import MemoryImage
from .cycles import Machine
from .cycles.parameters import IDEAL
from .cycles.run_data import RunData

Blocks = tuple[str, ...]

NAMES = {
    "im2col": "im2col",
    "detector": "detector",
    "pe_array": "PE array",
    "psum": "partial sums",
    "neurons": "neurons",
    "weights": "weights",
    "loads": "loads",
    "memory": "memory",
}
"""How tables and pages call the blocks of ``limits``."""

MEANINGS = {
    "im2col": "builds the rows of a tile from the feature buffer and loads them into the sorter",
    "detector": "visits the rows of a tile by their number of bits and finds the prefix of each",
    "pe_array": "adds the residual bits, one weight row in each cycle",
    "psum": "updates the partial sums, and reads those of finished rows",
    "neurons": "takes the finished rows, computes levels, pools them and packs lines",
    "weights": "loads weight rows, K tile by K tile",
    "loads": "fetches commands, and loads input lines, segments and parameters of neurons",
    "memory": "latency and bandwidth of the memory and its bus",
}
"""What each block does, for readers of a table."""

STEPS = 3
"""How many steps idealize blocks, one after the other."""

BUSIEST = 3
"""How many of the blocks with most work are also idealized together."""


def _pool() -> ThreadPoolExecutor:
    """Return threads for all cores: the compiled model runs outside Python's lock."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1)


class Explorer:
    """Follows an exact machine through the program and runs every layer again with blocks idealized.

    Parameters
    ----------
    machine : the exact one, before its first step
    image : of the program
    progress : called with the layer's name before it is run again

    Members
    -------
    machine : the exact one
    ended : one that has played the last layer of which all RUNs are known, and nothing of the next one
    runs : numbers of the RUN commands
    limits : for every layer so far, what :meth:`_explore` found
    ideal : by the name of each block, a machine in which it takes no time in the whole job
    """

    def __init__(self, machine: Machine, image: MemoryImage, progress: Callable[[str], None] | None = None) -> None:
        self.runs = [n for n, (opcode, _) in enumerate(image.commands()) if opcode == "RUN"]
        self._layer_of = {max(n for n in self.runs if one.first <= n < one.last): one.name for one in image.layers}
        self.machine, self._progress = machine, progress
        self._start = self.ended = machine.fork()
        self.ideal = {name: machine.fork((name,)) for name in IDEAL}
        self._before = dict.fromkeys(IDEAL, 0)  # what each block alone has saved in the layers before
        self._advance(None)
        self._data: list[RunData] = []
        self._work: dict[str, int] = {}
        self.limits: list[dict[str, Any]] = []

    def advance(self, command: int, data: RunData, work: dict[str, int]) -> None:
        """Take the exact machine from the beginning of a RUN to that of the next one.

        ``work`` says for how many cycles a block has work in the RUN, if it never waits.
        """
        self._data.append(data)
        self._work = {name: self._work.get(name, 0) + cycles for name, cycles in work.items()}
        if command in self._layer_of:
            if self._progress:
                self._progress(self._layer_of[command])
            self.ended = self._play(())
            self.limits.append(self._explore(command))
            self._start, self._data, self._work = self.ended, [], {}
        self.machine.advance(data)
        self._advance(data)

    def _advance(self, data: RunData | None) -> None:
        """Take the machines in which a block takes no time in the whole job to the beginning of the next RUN."""
        with _pool() as pool:
            list(pool.map(lambda machine: machine.advance(data), self.ideal.values()))

    def _saved(self, command: int) -> dict[str, int]:
        """Return what a layer saves if a block takes no time in the whole job, by the block."""

        def end(name: str) -> int:
            machine = self.ideal[name].fork((name,))
            machine.advance(self._data[-1], stops=True)
            return int(machine.ends[command])

        with _pool() as pool:
            saved = {n: int(self.ended.ends[command]) - e for n, e in zip(IDEAL, pool.map(end, IDEAL), strict=True)}
        found = {name: saved[name] - self._before[name] for name in IDEAL}
        self._before = saved
        return found

    def _play(self, ideal: Collection[str]) -> Machine:
        """Return a machine that has played the layer with some blocks idealized, and nothing of the next one."""
        machine = self._start.fork(ideal)
        machine.advance(None)
        for data in self._data[:-1]:
            machine.advance(data)
        machine.advance(self._data[-1], stops=True)
        return machine

    def _end(self, command: int, ideal: Collection[str]) -> int:
        """Return when the layer ends if some blocks are idealized."""
        return int(self._play(ideal).ends[command])

    def _ends(
        self, command: int, done: Sequence[str], sets: Sequence[Blocks], known: dict[frozenset[str], int]
    ) -> dict[Blocks, int]:
        """Return when the layer ends if a set of blocks is idealized beside those that are already, for every set.

        What was tried before is ``known``; an earlier step may have tried the same blocks together.
        """
        wanted = {blocks: frozenset((*done, *blocks)) for blocks in sets}
        missing = list(dict.fromkeys(one for one in wanted.values() if one not in known))
        with _pool() as pool:
            known |= zip(missing, pool.map(partial(self._end, command), missing), strict=True)
        return {blocks: known[one] for blocks, one in wanted.items()}

    def _sets(self, done: Sequence[str]) -> list[Blocks]:
        """Return what a step tries: each block alone, and every two or more of the busiest together.

        Blocks that work at the same time and at the same pace save nothing alone.
        """
        alone = [name for name in IDEAL if name not in done]
        busy = sorted((name for name in alone if name in self._work), key=lambda name: -self._work[name])[:BUSIEST]
        ordered = [name for name in IDEAL if name in busy]
        together = [blocks for size in range(2, len(busy) + 1) for blocks in combinations(ordered, size)]
        return [*((name,) for name in alone), *together]

    def _explore(self, command: int) -> dict[str, Any]:
        """Return what limits the layer that ends with a command.

        ``saved_cycles`` holds the cycles that each block alone would save. Rarely a faster block makes others get into
        each other's way, so that the layer takes a few cycles more; that counts as saving nothing. ``steps`` idealizes
        what saves most cycles per block: a block, or two or three that limit the layer together. Beside that, the next
        step idealizes what saves most of what is left, and so on.
        """
        left = end = int(self.ended.ends[command])
        saved: dict[str, int] = {}
        steps: list[dict[str, Any]] = []
        known: dict[frozenset[str], int] = {}
        for _ in range(STEPS):
            done = [name for one in steps for name in one["blocks"]]
            ends = self._ends(command, done, self._sets(done), known)
            if not saved:
                ends |= {(name,): min(ends[name,], end - more) for name, more in self._saved(command).items()}
                saved = {name: max(0, end - ends[name,]) for name in IDEAL}
            best = max(ends, key=lambda blocks: (left - ends[blocks]) / len(blocks))
            if ends[best] >= left:
                break
            steps.append({"blocks": list(best), "saved_cycles": left - ends[best]})
            left = ends[best]
        return {"saved_cycles": saved, "steps": steps}


def of_layer(found: dict[str, Any], cycles: int) -> dict[str, Any]:
    """Return the ``limits`` of a layer or of the whole network (:class:`reprise.estimate.report.fields.Limits`)."""
    steps = found["steps"]
    rest = cycles - sum(one["saved_cycles"] for one in steps)
    return {"blocks": steps[0]["blocks"] if steps else [], **found, "rest_cycles": rest}


def of_network(layers: Sequence[dict[str, Any]], cycles: int) -> dict[str, Any]:
    """Return the ``limits`` of a network: the sums of those of its layers, the largest step first."""
    saved = {name: sum(one["saved_cycles"][name] for one in layers) for name in IDEAL}
    summed: dict[Blocks, int] = {}
    for one in layers:
        for step in one["steps"]:
            blocks = tuple(step["blocks"])
            summed[blocks] = summed.get(blocks, 0) + step["saved_cycles"]
    ordered = sorted(summed, key=lambda blocks: -summed[blocks])
    steps = [{"blocks": list(blocks), "saved_cycles": summed[blocks]} for blocks in ordered]
    ramps = [one["start_and_end_cycles"] for one in layers]
    ramp = {key: sum(one[key] for one in ramps) for key in ramps[0]}
    return of_layer({"saved_cycles": saved, "steps": steps}, cycles) | {"start_and_end_cycles": ramp}


def named(blocks: Sequence[str]) -> str:
    """Return how tables call the blocks of a step."""
    return " + ".join(NAMES[name] for name in blocks)


def start_and_end(machine: Machine, commands: Sequence[int], before: int) -> dict[str, int]:
    """Return the cycles of RUNs in which no partial sum is computed: none of the RUN in progress, nor of the next one.

    Parameters
    ----------
    machine : after these RUNs
    commands : of the RUNs of a layer
    before : when the layer before it ended

    Returns
    -------
    ``wait`` (nothing runs: commands and loads of the next RUN are awaited), ``fill`` (from the RUN's start to its first
    update of a partial sum) and ``empty`` (from the last one to the RUN's end). The rows of a RUN may have started
    while the one before was in progress. Then its first update ends all of these.
    """
    starts, ends = machine.starts[commands], machine.ends[commands]
    first, last = machine.work[0][commands], machine.work[1][commands]
    first = np.where(first == 0, ends, first)  # a RUN without a single bit has no update
    last = np.where(last == 0, ends, last)
    previous = np.concatenate(([before], ends[:-1]))
    waited = np.clip(np.minimum(starts, first) - previous, 0, None)
    filled = np.clip(first - np.maximum(starts, previous), 0, None)
    emptied = np.clip(np.minimum(ends, np.concatenate((first[1:], ends[-1:]))) - last, 0, None)
    return {"wait": int(waited.sum()), "fill": int(filled.sum()), "empty": int(emptied.sum())}
