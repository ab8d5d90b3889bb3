"""What the issue stage finds out a cycle ahead: comparisons of rows.

Because they are made a cycle early, a decision begins with registers and not with comparators. What holds in the next
cycle depends on this cycle's decisions (a row stays, or another one comes). So both outcomes are precomputed, and the
decisions, which come late in the cycle, only select. Every function returns what holds in the next cycle;
:class:`reprise.hw.processor.issue.Issue` registers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, stream

from ..arch.config import HardwareConfig
from ..lib.logic import late_mux, precompute


class IssueState(Protocol):
    """The part of :class:`reprise.hw.processor.issue.Issue` that these functions read; it calls them."""

    config: HardwareConfig
    i_compute: stream.Interface
    i_reuse: Any
    stage: data.View
    stage_valid: Signal
    stage_buffer: Signal
    loading: Signal
    active: data.View
    active_valid: Signal
    active_buffer: Signal
    reuse: list[data.View]
    reuse_valid: Signal
    held: data.View
    slot: Any
    claim: Any
    claiming: Signal
    take: Any

    def buffer(self, tag: Value) -> Value: ...

    def given_anew(self, b: int) -> Value: ...


def next_staged(m: Module, issue: IssueState, stays: ValueLike, comes: ValueLike) -> Value:
    """Return what holds for the compute row that is staged in the next cycle.

    It is ``stays`` if this cycle's row stays, and ``comes`` if one comes from the stream. Which of them it is depends
    on ``loading``, which is known last.
    """
    comes = precompute(m, comes)
    return late_mux(issue.loading, comes, precompute(m, late_mux(issue.stage_valid, stays, comes)))


def next_reuse(m: Module, issue: IssueState, b: int, stays: ValueLike, comes: ValueLike) -> Value:
    """Return what holds for the reuse row of bank ``b`` in the next cycle.

    It is ``stays`` if this cycle's row stays, and ``comes`` if one comes from the stream. Which of them it is depends
    on ``take``, which is known last.
    """
    comes = precompute(m, comes)
    return late_mux(issue.take[b].valid, comes, precompute(m, late_mux(issue.reuse_valid[b], stays, comes)))


def _reuse_rows(issue: IssueState, b: int) -> tuple[data.View, data.View]:
    """Return the two rows that may be bank ``b``'s reuse row in the next cycle: the one that stays, and that comes."""
    return issue.reuse[b], issue.i_reuse[b].payload


def _flies(slot: data.View, buffer: Value, row: Value) -> Value:
    """Return one bit: the update in ``slot`` is of this ``row`` in this ``buffer``."""
    return slot.valid & (slot.buffer == buffer) & (slot.row == row)


def eligible_reuse(m: Module, issue: IssueState, b: int, known: Sequence[Value]) -> Value:
    """Return one bit: bank ``b`` has a reuse row, its prefix is finished, and its partial sum is not in flight.

    In flight are the partial sums of the active row and of the last two slots. The next slot belongs to the active
    row, if that claims one, or else to a reuse row that is taken now. While a row's tile is not in the processor, its
    buffer means nothing; but then its prefix isn't finished either.

    Parameters
    ----------
    known : whether the prefix is finished, for the row that stays and for the row that comes (one bit each)
    """
    now, new = rows = _reuse_rows(issue, b)
    staged, active = issue.stage, issue.active
    quiet, loaded = [], []  # eligible if no compute row is loaded now, and if the staged one is
    for row, there, finished in zip(rows, (issue.reuse_valid[b], issue.i_reuse[b].valid), known, strict=True):
        buffer = issue.buffer(row.tag)
        flies = _flies(issue.slot[b], buffer, row.row) | (
            issue.active_valid & (active.row == row.row) & (issue.active_buffer == buffer)
        )
        same = (staged.row == row.row) & (issue.stage_buffer == buffer)
        quiet.append(precompute(m, there & finished & ~flies))
        loaded.append(precompute(m, quiet[-1] & ~same))
    apart = precompute(m, (new.row != now.row) | (issue.buffer(new.tag) != issue.buffer(now.tag)))
    waits = [precompute(m, late_mux(issue.reuse_valid[b], *pair)) for pair in (quiet, loaded)]
    follows = [precompute(m, pair[1] & apart) for pair in (quiet, loaded)]
    return late_mux(
        issue.take[b].valid,
        late_mux(issue.loading, follows[1], follows[0]),
        late_mux(issue.loading, waits[1], waits[0]),
    )


def reuse_same_row(m: Module, issue: IssueState, b: int) -> Value:
    """Return one bit: bank ``b``'s reuse row has the same index as the row that is staged in the next cycle."""
    staged = issue.stage, issue.i_compute.payload
    now, new = ([one.row == row.row for one in staged] for row in _reuse_rows(issue, b))
    waits = [Mux(issue.reuse_valid[b], *pair) for pair in zip(now, new, strict=True)]
    return late_mux(issue.take[b].valid, next_staged(m, issue, *new), next_staged(m, issue, *waits))


def _finishes(issue: IssueState, row: data.View) -> Value:
    """Return one bit: the active row is the prefix of ``row``."""
    return (issue.active.result == row.prefix) & (issue.active.tag == row.tag)


def _shared(reuse: data.View, row: data.View) -> Value:
    """Return one bit: the reuse row has the same prefix as ``row``."""
    return (reuse.prefix == row.prefix) & (reuse.tag == row.tag)


def _stays_held(issue: IssueState, b: int, row: data.View) -> Value:
    """Return one bit: bank ``b``'s operand register holds the result of ``row``'s prefix, and its tile isn't over."""
    held = issue.held[b]
    return held.valid & (held.result == row.prefix) & (held.tag == row.tag) & ~issue.given_anew(b)


def held_prefix(m: Module, issue: IssueState, b: int) -> Value:
    """Return one bit: in the next cycle the operand register holds the result of the prefix of bank ``b``'s reuse row.

    The register takes the result of the row which finishes now, or else that of the prefix of the reuse row which is
    taken now, or else it keeps what it had.
    """
    now, new = rows = _reuse_rows(issue, b)
    stays = [Mux(issue.claiming[b], _finishes(issue, row), _stays_held(issue, b, row)) for row in rows]
    taken = precompute(m, _shared(now, new))
    return late_mux(issue.take[b].valid, taken, precompute(m, late_mux(issue.reuse_valid[b], *stays)))


def staged_rows(m: Module, issue: IssueState) -> tuple[Value, Value]:
    """Return whether the row staged in the next cycle has the index of the row that is active then, or in a slot.

    Only the index is compared here. The buffer depends on the row's tile, which may enter the processor in that very
    cycle, so it is compared when the row is to be loaded.

    Returns
    -------
    active, slots : one bit for the active row; one bit for the slot of each bank
    """
    rows, slots = (issue.stage, issue.i_compute.payload), []
    for b, reuse in enumerate(issue.reuse):
        stays, comes = (Mux(issue.claiming[b], issue.active.row == row.row, reuse.row == row.row) for row in rows)
        slots.append(next_staged(m, issue, stays, comes))
    stays, comes = (issue.active.row == row.row for row in rows)
    # If the row that is staged now becomes active, its index is the one to compare with.
    loaded = precompute(m, rows[0].row == rows[1].row)
    idle = precompute(m, late_mux(issue.stage_valid, stays, comes))
    return late_mux(issue.loading, loaded, idle), Cat(slots)


def recent_prefix(m: Module, issue: IssueState) -> Value:
    """Return one bit: the row that is staged in the next cycle has a prefix whose result need not be read.

    With two banks that is so if the prefix is finished in this cycle, and with one bank also if the operand register
    holds its result.
    """
    rows = issue.stage, issue.i_compute.payload
    finished = next_staged(m, issue, *(_finishes(issue, row) for row in rows))
    if issue.config.banks == 2:
        return issue.claim.valid & finished
    shared = next_staged(m, issue, *(_shared(issue.reuse[0], row) for row in rows))
    held = next_staged(m, issue, *(_stays_held(issue, 0, row) for row in rows))
    return late_mux(issue.claim.valid, finished, late_mux(issue.take[0].valid, shared, held))
