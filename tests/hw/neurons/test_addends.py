"""NeuronArray with addends: their values, the wait for them, and what a layer without one has of them: nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.neurons.array import NeuronArray
from tests.hw.neurons.bench import ADDENDS, CONFIGS, RANDOM, layer_fields, make_neuron, random_psums, run_layer
from tests.support.simulation import design
from tests.support.streams import Source, run_streams

TINY = ADDENDS["tiny"]


def random_case(c, seed, *, kind="if", levels=3, timesteps=2, planes=2, groups=None, positions=4, **fields):
    """(neuron, partial sums, addend), of which some are the largest and the least that an int16 holds."""
    rng = np.random.default_rng(seed)
    channels = c.neuron_lanes * (groups or int(rng.integers(1, c.groups + 1)))
    neuron = make_neuron(rng, channels, kind=kind, levels=min(levels, c.max_levels), **fields)
    addend = rng.integers(-300, 300, (positions, timesteps, channels))
    addend.flat[rng.integers(0, addend.size, 3)] = (-(1 << 15), (1 << 15) - 1, 0)
    return neuron, random_psums(rng, c, positions, timesteps, planes, channels), addend


PACES = [(0, 0, 0), (0.6, 0, 0), (0, 0.6, 0), (0, 0, 0.7), (0.4, 0.4, 0.4)]


@pytest.mark.parametrize("case", range(len(RANDOM)))
@pytest.mark.parametrize("name", ADDENDS)
def test_random_layers(name, case):
    """Firing layers of several timesteps as well, whose positions do not take turns; at a pace of each kind."""
    c, options = ADDENDS[name], dict(RANDOM[case])
    idle, stall, late = PACES[(case + list(ADDENDS).index(name)) % len(PACES)]
    encoding, signed = options.pop("encoding", "bitplane"), options.pop("signed", False)
    neuron, psums, addend = random_case(c, case, **options)
    run_layer(
        c, neuron, psums, encoding=encoding, signed=signed, idle=idle, stall=stall, seed=case, addend=addend, late=late
    )


@pytest.mark.parametrize("name", ["tiny", "three groups"])
@pytest.mark.parametrize(
    ("planes", "encoding", "signed", "shift"),
    [(1, "bitplane", False, 7), (3, "bitplane", False, 5), (4, "thermometer", False, 4), (2, "bitplane", False, 1)],
)
def test_sums_of_products_are_shifted_and_addends_are_not(name, planes, encoding, signed, shift):
    """Up to the highest weight that a plane can have, and together with planes that all weigh the same."""
    c = ADDENDS[name]
    neuron, psums, addend = random_case(c, shift, timesteps=2, planes=planes)
    run_layer(c, neuron, psums, encoding=encoding, signed=signed, addend=addend, shift=shift)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_hypothesis_layers(data):
    c = ADDENDS[data.draw(st.sampled_from(["tiny", "three groups", "binary"]))]
    kind, seed = data.draw(st.sampled_from(["if", "lif", "readout"])), data.draw(st.integers(0, 999))
    reset = data.draw(st.sampled_from(["soft", "hard", "none"]))
    sizes = dict(timesteps=data.draw(st.integers(1, 4)), planes=data.draw(st.integers(1, 4)))
    neuron, psums, addend = random_case(c, seed, kind=kind, reset=reset, **sizes)
    idle, stall, late = (data.draw(st.sampled_from([0, 0.5])) for _ in range(3))
    run_layer(c, neuron, psums, idle=idle, stall=stall, seed=seed, addend=addend, late=late)


@pytest.mark.parametrize("name", ADDENDS)
def test_no_latency_is_added_where_addends_are_there(name):
    """Rows are rare, and addends wait already: an item is as late as without."""
    c = ADDENDS[name]
    neuron, psums, addend = random_case(c, 1, timesteps=1, planes=1, groups=1, positions=9)
    dut, rows, sink = run_layer(c, neuron, psums, addend=addend, idle=0.95)
    late = np.array(sink.offered) - np.array(rows.cycles)
    assert dut.latency == 6 + c.level_bits and set(late[1:].tolist()) == {dut.latency}


@pytest.mark.parametrize("planes, groups", [(1, 1), (3, 1), (1, 2), (4, 2)])
def test_one_group_per_cycle(planes, groups):
    """T = 1: a position takes planes * groups cycles, as without addends."""
    c = TINY
    neuron, psums, addend = random_case(c, 2, timesteps=1, planes=planes, groups=groups, positions=20)
    psums = np.where(psums.any(axis=-1, keepdims=True), psums, 1)  # a clean row would be left out
    _, rows, sink = run_layer(c, neuron, psums, addend=addend)
    assert set(np.diff(sink.cycles[groups - 1 :: groups])[2:].tolist()) == {planes * groups}
    assert set(np.diff(rows.cycles[4:]).tolist()) == {groups}, "behind the first ones, which wait for the first addend"


@pytest.mark.parametrize("every", [2, 5, 9])
def test_neurons_keep_pace_with_their_addends(every):
    """An addend every few cycles: so does an item leave; and none leaves before its own has come."""
    neuron, psums, addend = random_case(TINY, 3, timesteps=1, planes=1, groups=2, positions=9)
    first = 40
    _, _, sink = run_layer(
        TINY, neuron, psums, addend=addend, gate=lambda cycle: cycle >= first and (cycle - first) % every == 0
    )
    came = first + every * np.arange(len(sink.cycles))
    waits = sink.cycles - came
    assert set(np.diff(sink.cycles).tolist()) == {every} and len(set(waits.tolist())) == 1
    assert waits[0] == 6 + TINY.level_bits + 1, "two cycles in which it is counted, less one for the row's buffer"


def test_as_many_wait_as_the_configuration_says():
    """Addends come before all rows: ``addend_groups`` of them wait inside, and no more."""
    neuron, psums, addend = random_case(TINY, 4, timesteps=1, planes=1, groups=1, positions=20)
    dut, c = design(NeuronArray, TINY), TINY
    items = Source(dut.i_addend, addend.reshape(-1, c.neuron_lanes).tolist()[: c.addend_groups + 3])
    layer = layer_fields(neuron, 1, 1, 1, True) | {"addend_bytes": 2}
    with pytest.raises(
        AssertionError, match=rf"not finished after 60 cycles: {c.addend_groups}/{c.addend_groups + 3} sent"
    ):
        run_streams(dut, [items], [], setup=lambda ctx: ctx.set(dut.i_layer, layer), limit=60)


def test_a_layer_without_an_addend_is_as_before():
    """What waits is of the layer behind; cycles and results are those of a design without addends."""
    neuron, psums, addend = random_case(TINY, 5, kind="lif", timesteps=3)
    _, _, plain = run_layer(CONFIGS["tiny"], neuron, psums)
    _, _, built = run_layer(TINY, neuron, psums, addend=addend, adds=False)
    assert plain.cycles == built.cycles and plain.items == built.items
