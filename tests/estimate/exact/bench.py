"""Whether the RTL takes as many cycles as the cycle model says, and leaves the memory that the interpreter does."""

import numpy as np

from reprise.compiler import CompileError, compile_network
from reprise.cosim.bench.system import Traffic
from reprise.cosim.jobs.figures import rtl_layers, rtl_total
from reprise.cosim.jobs.host import check_traffic, run_job
from reprise.estimate.network import Part, SystemTiming, estimate_image
from reprise.hw.arch.program import COMMAND_BYTES
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.support.benches import system_bench
from tests.support.cosim_jobs import FILL, TIMEOUT, TINY

TWICE = TINY.replace(queries=2, banks=2, bus_bits=128, neuron_lanes=8, weight_tiles=3, one_bit_matches=1, modes=1)
"""The other arrangement of front end, partial sums and loads: two rows at a time, one-bit rows that match, wide bus
words, one group, RUNs with modes."""


def check(config, network, images, *, keep=True, cuts=None, **memory):
    try:
        compiled = compile_network(network, config, len(images), keep_features=keep, **(cuts or {}))
    except CompileError:  # so short K tiles have too many segments
        compiled = compile_network(network, config, len(images), keep_features=keep)
    check_program(compiled, [Part.run(network, images)], memory)


def check_program(compiled, parts, memory):
    """Every layer and the whole job take as many cycles as the model says, and all bytes are the interpreter's."""
    config, images = compiled.config, tuple(part.images for part in parts)
    ran = run_job(system_bench(config), compiled, images, traffic=Traffic(**memory), fill=FILL, timeout=TIMEOUT)
    estimate, left = estimate_image(compiled, parts, timing=SystemTiming(**memory), fill=FILL)
    np.testing.assert_array_equal(ran.memory, left)
    layers = rtl_layers(compiled, ran.marks, ran.start)
    rtl = [one["cycles"] for one in layers]
    model = [one["cycles"]["cycle_model"] for one in estimate["layers"]]
    assert (model, estimate["total"]["cycles"]["cycle_model"]) == (rtl, ran.cycles)
    everything_adds_up(estimate, *rtl_total(layers, ran.cycles, ran.last), layers)
    check_traffic(estimate["total"], ran.last, config.bus_bits // 8)
    maps = {entry.name: compiled.features[entry.feature].bytes for entry in compiled.layers}
    assert {one["name"]: one["bytes_written"] for one in estimate["layers"]} == maps


def everything_adds_up(estimate, total, rest, layers):
    """What layers leave of a total is named, counts nothing twice, and is small: the end of the job."""
    for key in ("cycles", "bytes_read", "bytes_written"):
        lines = (*estimate["layers"], estimate["rest"], estimate["total"])
        *parts, whole = (one["cycles"]["cycle_model"] if key == "cycles" else one[key] for one in lines)
        assert sum(parts) == whole and min(parts) >= 0
    assert estimate["rest"]["bytes_written"] == 0 and estimate["rest"]["bytes_read"] == COMMAND_BYTES
    left = total["cycles"] - sum(one["cycles"] for one in layers)
    assert 0 < rest["cycles"] == estimate["rest"]["cycles"]["cycle_model"] == left
    for kind in ("events", "stall_cycles", "cause_cycles"):
        for name, whole in total[kind].items():
            assert sum(one[kind].get(name, 0) for one in (*layers, rest)) == whole, (kind, name)
    assert sum(total["cause_cycles"].values()) == total["cycles"] and min(rest["cause_cycles"].values()) >= 0
    assert total["events"]["residual_bit"] == estimate["total"]["counts"]["residual_bits"]


def long_network(seed: int, outputs: int = 8, size: int = 12) -> Network:
    """Two convolutions of some thousand cycles each."""
    r = np.random.default_rng(seed)
    made = []
    for n, channels in enumerate((3, outputs)):
        weight = r.integers(-9, 10, (outputs, channels, 3, 3)).astype(np.int8)
        source = Source(feature=f"c{n - 1}" if n else "input", weight=weight, padding=1)
        neuron = Neuron.uniform(outputs, threshold=20, levels=3)
        made.append(Layer(name=f"c{n}", sources=(source,), neuron=neuron))
    return Network(name="long", input_shape=(3, size, size), input_levels=7, timesteps=1, layers=tuple(made))
