"""Mapped netlists in Verilator, against the replay: of a small design, and of `tiny`, whose energies agree."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from reprise.cosim.command import simulate
from reprise.cosim.options import Options
from reprise.export.find import choose_images, open_network
from reprise.flow.asic.memories import build
from reprise.flow.asic.synth import synthesize
from reprise.flow.asic.timing import WIRE_FF
from reprise.flow.energy.account import Account
from reprise.flow.energy.gate_level import agreement
from reprise.flow.energy.gate_level import simulate as simulate_gates
from reprise.flow.energy.measure import spans
from reprise.hw.arch.config import HardwareConfig
from reprise.support.progress import Stages
from tests.flow.chip import design

CYCLES = 1024


def test_a_small_netlist_in_verilator(tmp_path):
    """Its nets toggle as in a simulation in plain Python, from the reset on, memories among them."""
    mapped, given = design.small(), design.stimulus(200, seed=8)
    states = design.simulate(mapped, given)
    widths = {name: len(nets) for name, nets in mapped.netlist.inputs.items() if name != "clk"}
    inputs = {
        name: np.array([[one[name] >> bit & 1 for one in given] for bit in range(width)], bool)
        for name, width in widths.items()
    }
    first = 20
    found = simulate_gates(mapped.netlist, mapped.library, inputs, first, tmp_path, design.TOP)
    wanted = (states[first + 1 :] != states[first:-1]).sum(axis=0)
    outputs = np.concatenate([mapped.netlist.gate_output, mapped.netlist.q])
    assert np.array_equal(found[outputs], wanted[outputs]) and wanted[outputs].sum() > 1000


@pytest.mark.slow
def test_energy_of_tiny_agrees_with_a_gate_level_simulation(tmp_path):
    config = HardwareConfig.load("tiny")
    file = open_network("digits", config)
    options = Options(config=config, config_name="tiny", images=1, waves=True, limits=False, out=tmp_path)
    with Stages(Console(quiet=True)) as stages:
        outcome, _ = simulate(file, choose_images(file, 1, 0), options, stages)
    assert outcome.mismatches == 0
    start, layers = spans(outcome)
    first = start + layers[1][1]  # the second layer, in which all blocks work
    mapped = synthesize(config, name="tiny")
    netlist, library = mapped.netlist, mapped.library
    found = agreement(netlist, library, tmp_path / "run.fst", (first, first + CYCLES), tmp_path)
    assert found.replayed.wrong == 0 and found.outputs == len(netlist.gate_output) + len(netlist.q)
    assert found.differing == 0
    account = Account(netlist, library, [build(memory, library) for memory in netlist.memories], WIRE_FF)
    gates = found.replayed.toggles[0].copy()
    outputs = np.concatenate([netlist.gate_output, netlist.q])
    gates[outputs] = found.toggles[outputs]
    ours, theirs = (
        account.energies(activity, [CYCLES], 10.0)
        for activity in (found.replayed, replace(found.replayed, toggles=gates[None]))
    )
    for part in ("nets_pj", "cells_pj", "clock_pj"):
        assert ours.by_window(part)[0] == pytest.approx(theirs.by_window(part)[0], rel=0.02)
