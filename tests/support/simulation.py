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


def simulate(dut, bench):
    """Run one testbench on ``dut`` with a clock, from reset.

    A ``dut`` that was here before has its simulator still. One that failed in the middle is not used again.
    """
    simulator, program = dut.__dict__.pop("_simulation", (None, []))
    if simulator is None:
        simulator = Simulator(dut)
        simulator.add_clock(1e-6)

        async def play(ctx):
            await program[0](ctx)

        simulator.add_testbench(play)
    else:
        simulator.reset()
    program[:] = [bench]
    simulator.run()
    dut._simulation = simulator, program
