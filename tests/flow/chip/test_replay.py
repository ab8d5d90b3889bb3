"""The replay equals a simulation of every gate in every cycle, and finds out when it does not; energies add up."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.flow.asic.memories import build
from reprise.flow.energy import replay as replaying
from reprise.flow.energy.account import PARTS, Account
from reprise.flow.energy.replay import Replay, compiled
from tests.flow.chip.design import simulate, small, sources, stimulus

CYCLES = 300


@pytest.fixture(scope="module")
def states():
    return simulate(small(), stimulus(CYCLES, seed=5))


@pytest.fixture(scope="module")
def account():
    mapped = small()
    built = [build(memory, mapped.library) for memory in mapped.netlist.memories]
    return Account(mapped.netlist, mapped.library, built, 4.0)


def toggles(states, first, last):
    """Changes of every net in a span of cycles; nothing changes in the very first cycle."""
    changed = np.concatenate([np.zeros((1, states.shape[1]), bool), states[1:] != states[:-1]])
    return changed[first:last].sum(axis=0)


def test_replay_equals_a_simulation_of_the_gates(states, monkeypatch):
    mapped = small()
    windows = [(0, 100), (100, 217), (217, CYCLES)]
    for chunk in (1, 32):
        monkeypatch.setattr(replaying, "CHUNK", chunk)
        found = Replay(mapped.netlist, mapped.library).run(sources(mapped, states), windows)
        assert (found.wrong, found.checked) == (0, (CYCLES - 1) * len(mapped.netlist.d))
        for n, window in enumerate(windows):
            assert np.array_equal(found.toggles[n], toggles(states, *window))
        assert found.toggles.sum() > 10_000


def test_accesses_of_memories_are_counted(states):
    mapped = small()
    found = Replay(mapped.netlist, mapped.library).run(sources(mapped, states), [(0, CYCLES)])
    port = 0
    for memory in mapped.netlist.memories:
        for one in memory.reads:
            on = states[:, one.enable].all(axis=1)
            pins = states[:, one.address + one.data]
            moved = np.concatenate([[False], (pins[1:] != pins[:-1]).any(axis=1)])
            assert (found.reads[0, port], found.used[0, port]) == (on.sum(), (on & moved).sum())
            port += 1
    writes = [states[:, one.enable].mean(axis=1).sum() for m in mapped.netlist.memories for one in m.writes]
    assert found.writes[0] == pytest.approx(writes) and min(writes) > 0


def test_a_wrong_bit_is_found(states):
    mapped = small()
    wrong = states.copy()
    flop = int(mapped.netlist.q[7])
    wrong[150, flop] = not wrong[150, flop]
    found = Replay(mapped.netlist, mapped.library).run(sources(mapped, wrong), [(0, CYCLES)])
    assert found.wrong >= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_gate_that_is_another_one_is_found(states, seed):
    """The check is not idle: a netlist with another gate in front of a flip-flop does not give what was recorded."""
    mapped = small()
    rng = np.random.default_rng(seed)
    netlist = mapped.netlist
    driven = np.flatnonzero(np.isin(netlist.gate_output, netlist.d))
    gate = int(rng.choice(driven))
    cell = netlist.types[netlist.gate_type[gate]]
    other = {"sg13g2_nor2_1": "sg13g2_nand2_1", "sg13g2_nand2_1": "sg13g2_nor2_1"}.get(cell, "sg13g2_inv_1")
    types = [*netlist.types, other]
    kinds = netlist.gate_type.copy()
    kinds[gate] = len(types) - 1
    found = Replay(replace(netlist, types=types, gate_type=kinds), mapped.library).run(
        sources(mapped, states), [(0, CYCLES)]
    )
    assert found.wrong > 0, (seed, cell, other)


def test_functions_are_those_of_the_library():
    names = {"A": np.array([0b0011], np.uint64), "B": np.array([0b0101], np.uint64)}
    assert int(eval(compiled("!(A*B)"), names)[0] & np.uint64(15)) == 0b1110
    assert int(eval(compiled("(A^B)+!B"), names)[0] & np.uint64(15)) == 0b1110
    with pytest.raises(ValueError, match="must have names"):
        compiled("__import__('os').system('true')")


def test_energies_add_up_over_windows_blocks_and_wires(states, account):
    mapped = small()
    replay = Replay(mapped.netlist, mapped.library)
    whole = account.energies(replay.run(sources(mapped, states), [(0, CYCLES)]), [CYCLES], 10.0)
    cut = replay.run(sources(mapped, states), [(0, 123), (123, CYCLES)])
    parts = account.energies(cut, [123, CYCLES - 123], 10.0)
    for name in PARTS:
        assert parts.parts[name].sum(axis=0) == pytest.approx(whole.parts[name][0]), name
        assert whole.by_window(name).sum() > 0, name
    twice = Account(mapped.netlist, mapped.library, account.built, 8.0)
    more = twice.energies(replay.run(sources(mapped, states), [(0, CYCLES)]), [CYCLES], 10.0)
    grown = sum(more.by_window(name)[0] - whole.by_window(name)[0] for name in PARTS)
    assert grown == pytest.approx(whole.wires_pj[0])
    assert whole.every_read_pj[0] >= whole.by_window("reads_pj")[0]


def test_energy_of_one_net_by_hand(account):
    """A net that toggles once takes half of C V^2, and its gate what the library says."""
    mapped, netlist = small(), small().netlist
    gate = 0
    cell = mapped.library.cells[netlist.types[netlist.gate_type[gate]]]
    net = int(netlist.gate_output[gate])
    farad = pins = 0
    for kind, inputs in zip(netlist.gate_type, netlist.gate_inputs.tolist(), strict=True):
        sink = mapped.library.cells[netlist.types[kind]]
        for pin, source in zip(sink.pins.values(), inputs, strict=False):
            if source == net:
                farad, pins = farad + pin, pins + 1
    flop = mapped.library.cells[mapped.library.flip_flop]
    memory = [n for m in netlist.memories for p in m.reads + m.writes for n in (*p.address, *sorted(set(p.enable)))]
    memory += [n for m in netlist.memories for p in m.writes for n in p.data]
    sequential = netlist.d.tolist().count(net) + memory.count(net)
    farad, pins = farad + sequential * flop.pins["D"], pins + sequential
    assert account.net_pj[net] == pytest.approx((farad + 4.0 * pins) * 1.2**2 / 2 / 1000)
    (output,) = cell.outputs.values()
    assert account.inside_pj[netlist.gate_type[gate]] == pytest.approx(sum(output.energy_fj) / 2000)
