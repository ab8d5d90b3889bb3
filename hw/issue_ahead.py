"""What the issue stage knows a cycle ahead: comparisons of rows, so that a decision begins with registers.

Each outcome of this cycle's decisions (a row stays or another comes) is compared beforehand; the decisions, which come
late, only select. Every function gives what holds in the next cycle; :class:`hw.issue.Issue` registers it.
"""

from amaranth import Cat, Module, Mux, Signal


def collisions(m: Module, issue, b: int):
    """Whether a reuse row of bank ``b`` finds its partial sum in flight; whether the row staged then has its index.

    In flight are the rows of the active row and of the last two slots; the next slot is the active row's, if that
    claims one, or a reuse row's that is taken now. While a row's tile is not known its half means nothing, but then
    it isn't finished either.

    Returns
    -------
    in flight, same index : of either two bits, the row that stays and the row that comes
    """
    now, new = issue.reuse[b], issue.i_reuse[b].payload
    took = issue.take[b].valid
    coming, staged, active = issue.i_compute, issue.stage, issue.active
    blocked, meets = [], []  # of the row that stays, of the row that comes
    for name, row in (("stays", now), ("comes", new)):
        half = issue.half(row.tag)
        flies, loaded = Signal(name=f"{name}{b}_flies"), Signal(name=f"{name}{b}_loaded")
        m.d.comb += [
            flies.eq(
                issue.flies(issue.slot[b], half, row.row)
                | (issue.active_valid & (active.row == row.row) & (issue.active_half == half))
            ),
            loaded.eq(issue.loading & (staged.row == row.row) & (issue.half(staged.tag) == half)),
        ]
        blocked.append(flies | loaded)
        meets.append(Mux(coming.ready, coming.payload.row == row.row, staged.row == row.row))
    again = took & (new.row == now.row) & (issue.half(new.tag) == issue.half(now.tag))
    return Cat(blocked[0], blocked[1] | again), Cat(meets)


def _finishes(issue, row):
    """The active row is the prefix of ``row``: one bit."""
    return (issue.active.slot == row.prefix) & (issue.active.tag == row.tag)


def _shared(reuse, row):
    """The reuse row has the prefix of ``row``: one bit."""
    return (reuse.prefix == row.prefix) & (reuse.tag == row.tag)


def _stays_held(issue, b: int, row):
    """Bank ``b``'s operand register holds the prefix of ``row``, and its tile is not over: one bit."""
    return issue.holds(b, row) & ~issue.given_anew(b)


def held_prefix(m: Module, issue, b: int):
    """Whether the prefix of a reuse row of bank ``b`` is in the operand register then: it is that of the row which
    finishes or is taken now, or was there before.

    Returns
    -------
    two bits : of the row that stays, of the row that comes
    """
    now, new = issue.reuse[b], issue.i_reuse[b].payload
    same = []
    for name, row in (("stays", now), ("comes", new)):
        finished, held = Signal(name=f"{name}{b}_finished"), Signal(name=f"{name}{b}_held")
        m.d.comb += [finished.eq(_finishes(issue, row)), held.eq(_stays_held(issue, b, row))]
        same.append(Mux(issue.claiming[b], finished, Mux(issue.take[b].valid, _shared(now, row), held)))
    return Cat(same)


def staged_rows(m: Module, issue):
    """Whether the row staged in the next cycle has the index of the row that is active then, or in a slot.

    Only the index: whose half it is belongs to the tile, which may enter the processor in that very cycle.

    Returns
    -------
    active, slots : one bit; one bit a bank
    """
    slots, actives = [[] for _ in issue.reuse], []
    for name, row in (("stays", issue.stage), ("comes", issue.i_compute.payload)):
        active = Signal(name=f"{name}_active")
        m.d.comb += active.eq(issue.active.row == row.row)
        actives.append(Mux(issue.loading, issue.stage.row == row.row, active))
        for b, reuse in enumerate(issue.reuse):
            slots[b].append(Mux(issue.claiming[b], active, reuse.row == row.row))
    new = issue.i_compute.ready
    return Mux(new, actives[1], actives[0]), Cat(Mux(new, comes, stays) for stays, comes in slots)


def recent_prefix(m: Module, issue):
    """Whether the prefix of the row staged in the next cycle was finished in this one or, with one bank, is held."""
    recent = []  # of the row that stays, of the row that comes
    finished = issue.claim.valid
    for name, row in (("stays", issue.stage), ("comes", issue.i_compute.payload)):
        claimed = finished & _finishes(issue, row)
        if issue.config.banks == 1:
            reuse, held = issue.reuse[0], Signal(name=f"{name}_held")
            m.d.comb += held.eq(_stays_held(issue, 0, row))
            claimed |= ~finished & Mux(issue.take[0].valid, _shared(reuse, row), held)
        recent.append(claimed)
    return Mux(issue.i_compute.ready, recent[1], recent[0])
