"""One block in Amaranth's simulator: the front-end finds the prefix and the residual of each row of a tile."""

from amaranth.sim import Simulator

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.frontend import FrontEnd

dut = FrontEnd(HardwareConfig.load("tiny"))  # 4 rows of 8 bits enter at once


async def bench(ctx):
    for port in (dut.o_begin, dut.o_end, add := dut.o_compute, reuse := dut.o_reuse[0]):
        ctx.set(port.ready, 1)
    rows = [0b0011, 0b1011, 0b0000, 0b0011]  # row 1 contains row 0, row 3 equals it, row 2 is silent
    ctx.set(dut.i_rows.payload, {"rows": rows, "last": 1, "tile": {"rows": 4, "last_k": 1}})
    ctx.set(dut.i_rows.valid, 1)
    await ctx.tick().until(dut.i_rows.ready)
    ctx.set(dut.i_rows.valid, 0)
    async for _, _, one, row, two, same in ctx.tick().sample(add.valid, add.payload, reuse.valid, reuse.payload):
        if one:
            prefix = f"result {row.prefix} + " if row.has_prefix else ""
            print(f"row {row.row}: result {row.result} = {prefix}the weights of bits {row.residual:08b}")
        if two:
            print(f"row {same.row}: result {same.prefix}, no addition at all")


simulator = Simulator(dut)
simulator.add_clock(1e-6)
simulator.add_process(bench)
simulator.run_until(50e-6)
