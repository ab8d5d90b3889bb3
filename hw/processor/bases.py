"""Where the base of a compute row comes from, and what is read of the tile results for it and for reuse rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth import Cat, Module, Mux, Signal

if TYPE_CHECKING:
    from .issue import Issue


def read_result(m: Module, issue: Issue, b: int) -> None:
    """Read the result of a prefix in bank ``b``: that of the staged row, or else that of the reuse row.

    Whether the staged row is loaded, or the reuse row issued, is known late in the cycle. So the read is made if that
    may be: the reuse row needs the port wherever it has it, and the staged row is loaded when the active row ends.
    """
    stage, reuse, read = issue.stage, issue.reuse[b], issue.read[b]
    staged = issue.claiming[b] | issue.steal_port[b]
    loads = Signal(name=f"loads{b}")
    m.d.comb += [
        loads.eq(issue.stage_usable & stage.has_prefix & ~issue.recent & (~issue.active_valid | issue.active_last)),
        read.valid.eq(~staged | (issue.stage_valid & loads)),
        read.address.eq(Mux(staged, Cat(stage.prefix, stage.tag[0]), Cat(reuse.prefix, reuse.tag[0]))),
        read.buffer.eq(Mux(staged, issue.stage_buffer, issue.reuse_buffer[b])),
    ]


def take_base(m: Module, issue: Issue) -> None:
    """Decide where the loaded row's base comes from, by its distance to its prefix (see docs/processor.md)."""
    stage, active = issue.stage, issue.active
    in_place = Signal()
    # A row with a prefix follows it, so the active row is of the same tile; the row before that may not be.
    m.d.comb += in_place.eq(issue.active_valid & (active.result == stage.prefix))
    memory = (issue.loading & stage.has_prefix & ~in_place & ~issue.recent).replicate(issue.config.banks)
    m.d.sync += [
        issue.load.loads.eq(issue.active_valid | issue.loading),
        issue.load.buffer.eq(Mux(issue.loading, issue.stage_buffer, issue.active_buffer)),
        issue.load.zero.eq(issue.loading & ~stage.has_prefix),
        issue.load.forward.eq(issue.loading & stage.has_prefix & issue.recent),
        issue.load.memory.eq(memory & (issue.claiming | issue.steal_idle)),
        issue.finish.valid.eq(issue.claim.valid),
        issue.finish.parity.eq(active.tag[0]),
        issue.finish.result.eq(active.result),
        issue.finish.buffer.eq(issue.active_buffer),
        issue.finish.bank.eq(issue.claiming),
    ]
