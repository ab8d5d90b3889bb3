"""What the issue stage knows a cycle ahead: comparisons of rows, so that a decision begins with registers.

Each outcome of this cycle's decisions (a row stays or another comes) is precomputed; the decisions, which come
late, only select. Every function gives what holds in the next cycle; :class:`reprise.hw.processor.issue.Issue`
registers it.
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
    """What these functions read of :class:`reprise.hw.processor.issue.Issue`, which calls them."""

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
    """What holds of the row staged in the next cycle: it stays or comes, which is decided last by ``loading``."""
    comes = precompute(m, comes)
    return late_mux(issue.loading, comes, precompute(m, late_mux(issue.stage_valid, stays, comes)))


def next_reuse(m: Module, issue: IssueState, b: int, stays: ValueLike, comes: ValueLike) -> Value:
    """What holds of bank ``b``'s reuse row in the next cycle: it stays or comes, which is decided last by ``take``."""
    comes = precompute(m, comes)
    return late_mux(issue.take[b].valid, comes, precompute(m, late_mux(issue.reuse_valid[b], stays, comes)))


def _reuse_rows(issue: IssueState, b: int) -> tuple[data.View, data.View]:
    """The row that stays, the row that comes."""
    return issue.reuse[b], issue.i_reuse[b].payload


def _flies(slot: data.View, buffer: Value, row: Value) -> Value:
    """This slot updates the row of this buffer: one bit."""
    return slot.valid & (slot.buffer == buffer) & (slot.row == row)


def eligible_reuse(m: Module, issue: IssueState, b: int, known: Sequence[Value]) -> Value:
    """There is a reuse row, its prefix is finished (``known``), and its partial sum is not in flight.

    In flight are the rows of the active row and of the last two slots; the next slot is the active row's, if that
    claims one, or a reuse row's that is taken now. While a row's tile is not known its buffer means nothing, but then
    it isn't finished either.

    Parameters
    ----------
    known : of the row that stays, of the row that comes
    """
    now, new = rows = _reuse_rows(issue, b)
    staged, active = issue.stage, issue.active
    quiet, loaded = [], []  # eligible where no row is loaded now, and where the staged one is
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
    """Bank ``b``'s reuse row has the index of the row staged then."""
    staged = issue.stage, issue.i_compute.payload
    now, new = ([one.row == row.row for one in staged] for row in _reuse_rows(issue, b))
    waits = [Mux(issue.reuse_valid[b], *pair) for pair in zip(now, new, strict=True)]
    return late_mux(issue.take[b].valid, next_staged(m, issue, *new), next_staged(m, issue, *waits))


def _finishes(issue: IssueState, row: data.View) -> Value:
    """The active row is the prefix of ``row``: one bit."""
    return (issue.active.result == row.prefix) & (issue.active.tag == row.tag)


def _shared(reuse: data.View, row: data.View) -> Value:
    """The reuse row has the prefix of ``row``: one bit."""
    return (reuse.prefix == row.prefix) & (reuse.tag == row.tag)


def _stays_held(issue: IssueState, b: int, row: data.View) -> Value:
    """Bank ``b``'s operand register holds the prefix of ``row``, and its tile is not over: one bit."""
    held = issue.held[b]
    return held.valid & (held.result == row.prefix) & (held.tag == row.tag) & ~issue.given_anew(b)


def held_prefix(m: Module, issue: IssueState, b: int) -> Value:
    """Whether the prefix of a reuse row of bank ``b`` is in the operand register then: it is that of the row which
    finishes or is taken now (the latter only if none finishes), or was there before.
    """
    now, new = rows = _reuse_rows(issue, b)
    stays = [Mux(issue.claiming[b], _finishes(issue, row), _stays_held(issue, b, row)) for row in rows]
    taken = precompute(m, _shared(now, new))
    return late_mux(issue.take[b].valid, taken, precompute(m, late_mux(issue.reuse_valid[b], *stays)))


def staged_rows(m: Module, issue: IssueState) -> tuple[Value, Value]:
    """Whether the row staged in the next cycle has the index of the row that is active then, or in a slot.

    Only the index: whose buffer it is belongs to the tile, which may enter the processor in that very cycle.

    Returns
    -------
    active, slots : one bit; one bit a bank
    """
    rows, slots = (issue.stage, issue.i_compute.payload), []
    for b, reuse in enumerate(issue.reuse):
        stays, comes = (Mux(issue.claiming[b], issue.active.row == row.row, reuse.row == row.row) for row in rows)
        slots.append(next_staged(m, issue, stays, comes))
    stays, comes = (issue.active.row == row.row for row in rows)
    # Where the row before becomes active it is that one's index which counts.
    loaded = precompute(m, rows[0].row == rows[1].row)
    idle = precompute(m, late_mux(issue.stage_valid, stays, comes))
    return late_mux(issue.loading, loaded, idle), Cat(slots)


def recent_prefix(m: Module, issue: IssueState) -> Value:
    """Whether the prefix of the row staged in the next cycle was finished in this one or, with one bank, is held."""
    rows = issue.stage, issue.i_compute.payload
    finished = next_staged(m, issue, *(_finishes(issue, row) for row in rows))
    if issue.config.banks == 2:
        return issue.claim.valid & finished
    shared = next_staged(m, issue, *(_shared(issue.reuse[0], row) for row in rows))
    held = next_staged(m, issue, *(_stays_held(issue, 0, row) for row in rows))
    return late_mux(issue.claim.valid, finished, late_mux(issue.take[0].valid, shared, held))
