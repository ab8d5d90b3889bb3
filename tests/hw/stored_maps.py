"""Plays stored maps through a block that asks for their bus words and makes groups of channels of them.

A map has ``fields`` of the RUN that reads it, the ``requests`` that are expected, the ``words`` that these bring, and
the ``groups`` that are made of them.
"""

from tests.support.streams import Sink, Source, run_streams


def bring(dut, start, one, *, idle=0.0, stall=0.0, late=0.0, seed=0):
    """Play one map; ``start`` is the strobe. Returns the sink of requests, the source of words, the sink of groups."""
    asked = Sink(dut.o_request, stall=late, expect=len(one.requests))
    words = Source(dut.i, one.words, idle=idle, gate=lambda cycle: cycle > 1)
    groups = Sink(dut.o, stall=stall, expect=len(one.groups))

    def begin(ctx, cycle):
        ctx.set(start, cycle == 0)

    run_streams(dut, [words], [asked, groups], seed=seed, setup=lambda ctx: ctx.set(dut.run, one.fields), each=begin)
    assert asked.items == one.requests
    return asked, words, groups


def bring_in_turn(dut, start, maps, none):
    """Play maps, each when the one before it is there, behind a RUN with the fields ``none``, which reads no map.

    Returns the groups of all of them.
    """
    asked = Sink(dut.o_request, expect=sum(len(one.requests) for one in maps))
    words = Source(dut.i, [word for one in maps for word in one.words])
    groups = Sink(dut.o, expect=sum(len(one.groups) for one in maps))
    begun = []

    def play(ctx, cycle):
        done = [sum(len(getattr(one, what)) for one in begun) for what in ("requests", "groups")]
        begins = len(begun) < len(maps) and [len(asked.items), len(groups.items)] == done and cycle > 20
        ctx.set(start, begins or cycle == 3)
        if begins:
            ctx.set(dut.run, maps[len(begun)].fields)
            begun.append(maps[len(begun)])
        elif cycle == 3:
            ctx.set(dut.run, none)

    words.gate = lambda cycle: len(words.cycles) < sum(len(one.words) for one in begun)
    run_streams(dut, [words], [asked, groups], each=play)
    assert asked.items == [request for one in maps for request in one.requests]
    return groups.items
