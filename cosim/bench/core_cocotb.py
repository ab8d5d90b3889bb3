"""The cocotb side of :mod:`reprise.cosim.bench.core`: sets the inputs of the bench and waits for the end."""

import os
from typing import Any

import cocotb
from cocotb.triggers import First, RisingEdge, Timer

PERIOD = 10  # ns of simulated time, in which the main program makes a cycle of the clock


def number(name: str) -> int:
    """Return a setting of the bench from the environment."""
    return int(os.environ[f"CORE_{name}"])


@cocotb.test()
async def play(dut: Any) -> None:
    """Play the streams until every expected output has come, or the time is over."""
    dut.reset.value = 1
    dut.row_items.value = number("ROWS")
    dut.weight_items.value = number("WEIGHTS")
    dut.param_items.value = number("PARAMS")
    dut.output_items.value = number("OUTPUTS")
    dut.row_idle.value = dut.weight_idle.value = number("IDLE")
    dut.output_stall.value = number("STALL")
    dut.seed.value = number("SEED")
    dut.layer_fields.value = number("LAYER")
    await Timer(5 * PERIOD, "ns")
    dut.reset.value = 0
    await First(RisingEdge(dut.finished), Timer(number("TIMEOUT") * PERIOD, "ns"))
    assert not int(dut.truncated.value), "a stream's file holds fewer items than it should"
    got = int(dut.received.value)
    assert int(dut.finished.value), f"timeout: {got} of {number('OUTPUTS')} outputs after {int(dut.cycle.value)} cycles"
    await Timer(200 * PERIOD, "ns")
    assert int(dut.received.value) == got, "outputs beyond the expected ones"
    with open(os.environ["CORE_RESULT"], "w") as file:
        file.write(str(int(dut.first_row.value)))
