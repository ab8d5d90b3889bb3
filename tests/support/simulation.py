"""Designs in Amaranth's simulator, each made once in a test process: that takes longer than most tests run."""

from collections.abc import Callable
from functools import lru_cache

from amaranth.sim import Simulator


@lru_cache(maxsize=32)
def design(component: Callable, *arguments: object, **parameters: object):
    """``component(*arguments, **parameters)``, the same object for the same parameters.

    Nothing may be kept in it from one simulation to the next: signals and memories start at their initial values.
    """
    return component(*arguments, **parameters)


def simulate(dut, *benches, background=(), limit: int | None = None):
    """Run testbenches on ``dut`` with a clock, from reset, until all ``benches`` have ended.

    In each cycle those of ``background`` come first, in their order. More than ``limit`` cycles are a failure.
    A ``dut`` that was here before has its simulator still; one that failed in the middle gets another.
    """

    async def limiter(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"not finished after {limit} cycles")

    programs = [*background, *([limiter] if limit else []), *benches]
    kind = len(programs), len(benches)
    simulator, slots, before = dut.__dict__.pop("_simulation", (None, None, None))
    if before == kind:
        simulator.reset()
    else:
        simulator, slots = Simulator(dut), list(programs)
        simulator.add_clock(1e-6)
        for n in range(len(programs)):
            simulator.add_testbench(_player(slots, n), background=n < len(programs) - len(benches))
    slots[:] = programs
    simulator.run()
    dut._simulation = simulator, slots, kind


def _player(slots: list, n: int):
    """A testbench that runs what stands in a slot when the simulation starts."""

    async def play(ctx):
        await slots[n](ctx)

    return play
