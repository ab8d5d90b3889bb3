"""Replays recorded cycles in a mapped netlist: what every gate's output was in every cycle, 64 cycles in a word.

Flip-flops, memory outputs and inputs are known from the simulation of the RTL; gates follow from them. The replay
checks itself: what it computes at the input of a flip-flop must be what was recorded at its output a cycle later, if
the flip-flop gets the clock; behind a clock gate that is closed it must have kept its value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType

import numpy as np

from ..asic.library import Cell, Library
from ..asic.netlist import Netlist, topological
from .sources import Sources

CHUNK = 32
"""Words of 64 cycles that are replayed at a time, which bounds the memory that is needed."""


def compiled(function: str) -> CodeType:
    """Return a function of a cell as an expression of words of bits."""
    if not re.fullmatch(r"[\w!*+^() ]+", function):
        raise ValueError(f"a cell's function must have names, !, *, +, ^ and parentheses, not {function!r}")
    text = function.replace("!", "~").replace("*", "&").replace("+", "|")
    return compile(text, function, "eval")


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """What was counted, by window: a window is a span of cycles, such as a layer.

    Members
    -------
    toggles : int64[windows, nets], how often a net changed
    reads, used : int64[windows, read ports of all memories]: cycles in which a port is enabled, and those in which its
        address or its word changed
    opened : int64[windows, clock gates], cycles in which a gate lets the clock through
    writes : float64[windows, write ports of all memories]: words that were written; a part of a word counts as a part
    wrong : bits that were computed at flip-flops' inputs and differ from what was recorded a cycle later
    checked : how many were compared
    """

    toggles: np.ndarray
    reads: np.ndarray
    used: np.ndarray
    opened: np.ndarray
    writes: np.ndarray
    wrong: int
    checked: int


def _popcount(words: np.ndarray) -> np.ndarray:
    """Return the set bits of uint64[rows, words], int64[rows]."""
    found: np.ndarray = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return found


class Replay:
    """A netlist that is ready to be evaluated."""

    def __init__(self, netlist: Netlist, library: Library) -> None:
        self.netlist = netlist
        order, level = topological(netlist.gate_inputs, netlist.gate_output, netlist.nets)
        cuts = np.flatnonzero(np.diff(level[order])) + 1
        self._steps: list[tuple[Cell, CodeType, np.ndarray, np.ndarray]] = []
        for group in np.split(order, cuts):
            for kind in np.unique(netlist.gate_type[group]):
                cell = library.cells[netlist.types[kind]]
                (output,) = cell.outputs.values()
                gates = group[netlist.gate_type[group] == kind]
                self._steps.append(
                    (cell, compiled(output.function), netlist.gate_inputs[gates], netlist.gate_output[gates])
                )

    def evaluate(self, values: np.ndarray) -> None:
        """Fill in what gates give; ``values`` is uint64[nets, words], of which sources are there."""
        values[0], values[1] = 0, ~np.uint64(0)
        for cell, function, inputs, outputs in self._steps:
            names = {pin: values[inputs[:, n]] for n, pin in enumerate(cell.pins)}
            values[outputs] = eval(function, {"__builtins__": {}}, names)  # a function of the shipped library

    def run(self, sources: Sources, windows: Sequence[tuple[int, int]]) -> Activity:
        """Replay recorded cycles and count.

        Parameters
        ----------
        sources : Sources
        windows : (first, last + 1) of cycles, counted from the first one that was recorded
        """
        netlist = self.netlist
        reads = [port for memory in netlist.memories for port in memory.reads]
        writes = [port for memory in netlist.memories for port in memory.writes]
        count = len(windows)
        toggles = np.zeros((count, netlist.nets), np.int64)
        enabled, used = np.zeros((count, len(reads)), np.int64), np.zeros((count, len(reads)), np.int64)
        written, opened = np.zeros((count, len(writes))), np.zeros((count, len(netlist.gate_enable)), np.int64)
        wrong = checked = 0
        before: np.ndarray | None = None
        words = sources.bits.shape[1]
        for at in range(0, words, CHUNK):
            end = min(words, at + CHUNK)
            values = np.zeros((netlist.nets, end - at), np.uint64)
            values[sources.nets] = sources.bits[:, at:end]
            self.evaluate(values)
            changed = self._changed(values, before)
            masks = np.stack([_mask(window, at, end) for window in windows])
            for n, mask in enumerate(masks):
                toggles[n] += _popcount(changed & mask)
                opened[n] += _popcount(values[netlist.gate_enable] & mask)
                for p, port in enumerate(reads):
                    on = np.bitwise_and.reduce(values[port.enable], axis=0)
                    moved = np.bitwise_or.reduce(changed[port.address + port.data], axis=0)
                    enabled[n, p] += int(np.bitwise_count(on & mask).sum())
                    used[n, p] += int(np.bitwise_count(on & moved & mask).sum())
                for p, port in enumerate(writes):
                    written[n, p] += _popcount(values[port.enable] & mask).sum() / len(port.enable)
            clocked = values[netlist.flop_enable]  # the others keep what they have
            now, later = values[netlist.d] & clocked | values[netlist.q] & ~clocked, self._later(values, sources, end)
            valid = _mask((0, sources.cycles - 1), at, end)
            wrong += int(_popcount((now ^ later) & valid).sum())
            checked += int(np.bitwise_count(valid).sum()) * len(netlist.d)
            before = values[:, -1] >> np.uint64(63)
        accesses = {"reads": enabled, "used": used, "writes": written}
        return Activity(toggles=toggles, opened=opened, **accesses, wrong=wrong, checked=checked)

    @staticmethod
    def _changed(values: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        """Return the bits that differ from those of the cycle before; in the very first cycle nothing changes."""
        carry = np.empty_like(values)
        carry[:, 1:] = values[:, :-1] >> np.uint64(63)
        carry[:, 0] = values[:, 0] & np.uint64(1) if before is None else before
        found: np.ndarray = values ^ (values << np.uint64(1) | carry)
        return found

    def _later(self, values: np.ndarray, sources: Sources, end: int) -> np.ndarray:
        """Return the outputs of flip-flops a cycle later."""
        q = values[self.netlist.q]
        following = np.zeros_like(q)
        following[:, :-1] = q[:, 1:] << np.uint64(63)
        if end < sources.bits.shape[1]:
            place = np.zeros(self.netlist.nets, np.int64)
            place[sources.nets] = np.arange(len(sources.nets))
            following[:, -1] = sources.bits[place[self.netlist.q], end] << np.uint64(63)
        found: np.ndarray = q >> np.uint64(1) | following
        return found


def _mask(window: tuple[int, int], at: int, end: int) -> np.ndarray:
    """Return the words ``at`` to ``end`` of the bits of a span of cycles."""
    bits = np.zeros((1, (end - at) * 64), bool)
    first, last = (max(0, min(bits.shape[1], cycle - 64 * at)) for cycle in window)
    bits[0, first:last] = True
    found: np.ndarray = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)[0]
    return found
