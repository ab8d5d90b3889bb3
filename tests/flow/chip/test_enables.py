"""What an enable saves is seen in the reported energy: without it, the same accesses of partial sums take more.

The bank is mapped, and its netlist is simulated. It does the same updates and reads every time, with one of two groups
of channels idle. Each case drops enables in the description of the hardware.
"""

import numpy as np
import pytest
from amaranth import C, Cat, Mux
from amaranth.back import verilog

from reprise.flow.asic.memories import build
from reprise.flow.asic.synth import map_verilog
from reprise.flow.energy.account import PARTS, Account
from reprise.flow.energy.replay import Replay
from reprise.hw.lib import wide_memory
from reprise.hw.lib.fanout import fan_out
from reprise.hw.psum import bank
from tests.flow.chip.design import simulate, sources
from tests.hw.processor.bench import TINY
from tools.energy.enables import without_enables

CYCLES = 100
BANK = TINY.replace(tile_m=8, load_rows=4)
FIRST_GROUP = 0b0101  # in either buffer


def accesses(inputs):
    """Inputs of every cycle: a third of the cycles updates a row of buffer 0, or reads one of buffer 1."""
    rng, found = np.random.default_rng(3), []
    slots = [int(rng.random() < 0.3) | int(rng.integers(BANK.tile_m)) << 2 for _ in range(CYCLES + 1)]
    for cycle in range(CYCLES):
        given = dict.fromkeys(inputs, 0) | {"rst": int(cycle < 2), "groups": FIRST_GROUP}
        given |= {"slot": slots[cycle], "next_slot": slots[cycle + 1]}
        given["operand"] = int.from_bytes(rng.bytes(BANK.lanes * BANK.result_bits // 8), "little")
        given["drain"] = int(rng.random() < 0.3) | 0b10 | int(rng.integers(BANK.tile_m)) << 2 | 1 << 5
        found.append(given)
    return found


def energies():
    """Energy of a bank by part, as it is described now; that of every enabled read; and that of the chip."""
    text = verilog.convert(bank.PsumBank(BANK), name="bank", strip_internal_attrs=True)
    mapped = map_verilog(text, top="bank", name="bank")
    states = simulate(mapped, accesses(mapped.netlist.inputs))
    found = Replay(mapped.netlist, mapped.library).run(sources(mapped, states), [(0, CYCLES)])
    built = [build(memory, mapped.library) for memory in mapped.netlist.memories]
    account = Account(mapped.netlist, mapped.library, built, 4.0).energies(found, [CYCLES], 10.0)
    parts = {name: float(account.by_window(name)[0]) for name in PARTS}
    return parts | {"every_read_pj": float(account.every_read_pj[0]), "chip_pj": sum(parts.values())}


def every_group(self, valid, buffer):
    """Return groups without the question which ones the RUN has."""
    return valid.replicate(self.config.groups)


def every_cycle(self, valid, buffer):
    """Return groups without the question whether anything is read or written."""
    return Mux(buffer, self.groups[1], self.groups[0])


def always(m, flags, lanes, *, name):
    """Let registers load in every cycle; clearing them goes on as before."""
    return fan_out(m, Cat(C(-1, BANK.groups), flags[BANK.groups :]), lanes, name=name)


@pytest.fixture(scope="module")
def usual():
    return energies()


DROPPED = {
    "which groups the RUN has": (bank.PsumBank, "_groups", every_group, ("reads_pj", "writes_pj", "every_read_pj")),
    "whether anything comes": (bank.PsumBank, "_groups", every_cycle, ("writes_pj", "every_read_pj")),
    "whether registers load": (bank, "fan_out", always, ("clock_pj",)),
}


@pytest.mark.parametrize("what", DROPPED)
def test_energy_rises_without_an_enable(usual, monkeypatch, what):
    where, name, instead, parts = DROPPED[what]
    monkeypatch.setattr(where, name, instead)
    found = energies()
    for part in (*parts, "chip_pj"):
        assert found[part] > 1.02 * usual[part], (what, part, found, usual)


def test_energy_rises_in_the_core_without_enables(usual):
    """What ``tools.energy.enables`` measures on an FPGA is the core in which all of these are dropped."""
    with without_enables(BANK):
        found = energies()
    for part in ("reads_pj", "writes_pj", "every_read_pj", "clock_pj", "chip_pj"):
        assert found[part] > 1.02 * usual[part], (part, found, usual)
    assert bank.wide_memory is wide_memory.wide_memory, "the description is as it was"
