"""The compiler's layouts, placement and limits (its programs are executed in test_interpreter.py)."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.loops import Step, fold, merge
from reprise.cosim.jobs.random_configs import random_config
from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.hw.arch.program import COMMANDS, HEADER, pack, unpack
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tools.tables import memory_map

TINY = HardwareConfig.load("tiny")


def test_wrong_input_is_refused():
    network = random_network(3, TINY)
    compiled = compile_network(network, TINY, 2)
    good = random_images(3, network, 2)
    with pytest.raises(ValueError, match=r"shape \(images, T, C, H, W\)"):
        compiled.pack_input(good[:1])
    with pytest.raises(ValueError, match="must be 0..|must be -128..127"):
        compiled.pack_input(good * 0 + 300)


# Loops


def walk(loops, start):
    """Every position of nested loops, straight from their definition."""
    positions = [start]
    for count, (step,) in loops:
        positions = [p + step.times(n) for n in range(count) for p in positions]
    return positions


@pytest.mark.parametrize("seed", range(20))
def test_folded_loops_visit_the_same_positions(seed):
    r = np.random.default_rng(seed)
    loops = [(int(r.integers(1, 4)), (Step(*(int(v) for v in r.integers(-5, 6, 3))),)) for _ in range(5)]
    if seed % 2:  # a loop that goes on where the one inside it ends
        count, (step,) = loops[0]
        loops[1] = (3, (step.times(count),))
    short = merge(loops)
    assert len(short) <= len(loops) and all(count > 1 for count, _ in short)
    at, found, counters = Step(), [Step()], [0] * len(short)
    for _ in range(int(np.prod([count for count, _ in loops])) - 1):
        n = next(n for n, (count, _) in enumerate(short) if counters[n] < count - 1)
        counters[:n], counters[n] = [0] * n, counters[n] + 1
        at = at + fold(short)[n][1][0]
        found.append(at)
    assert found == walk(loops, Step())


# Placement


@pytest.mark.parametrize("seed", range(0, 30, 3))
@pytest.mark.parametrize("keep", [False, True])
def test_live_maps_and_constants_never_overlap(seed, keep):
    config = random_config(seed).replace(feature_words=8192, segments=4096, addend_groups=0)  # no maps inside of layers
    network = random_network(seed, config, layers=5)
    compiled = compile_network(network, config, 2, base=1 << 20, keep_features=keep)
    order = ["input", *[layer.name for layer in network.layers]]
    reads = {n: [i for i, m in enumerate(network.layers, 1) if n in [s.feature for s in m.sources]] for n in order}
    end = compiled.base + len(compiled.data)
    for key, f in compiled.features.items():
        assert f.address % 64 == 0 and end <= f.address and f.address + f.bytes <= compiled.base + compiled.size
        for other_key, other in compiled.features.items():
            if key == other_key or f.address + f.bytes <= other.address or other.address + other.bytes <= f.address:
                continue
            assert not keep, "kept maps share nothing"
            first, second = sorted((f.name, other.name), key=order.index)
            if any(name.startswith(f"{first}/") for name in compiled.features):
                continue  # of variants, one may die before the other
            assert first != second and reads[first], f"results live to the end: {key}, {other_key}"
            assert max(reads[first]) < order.index(second), f"{first} is read after {second} is written"
    constants = [r for r in compiled.regions if r.kind not in ("feature", "input")]
    for a, b in zip(constants, constants[1:], strict=False):
        assert a.end <= b.address and a.address % 64 == 0


def test_memory_is_used_again():
    sizes = [compile_network(deep_network(), TINY, 1, keep_features=keep).size for keep in (False, True)]
    assert sizes[0] < sizes[1]


def deep_network(layers=6):
    r = np.random.default_rng(0)
    made = []
    for n in range(layers):
        weight = r.integers(-9, 10, (8, 8, 3, 3)).astype(np.int8)
        source = Source(feature=f"c{n - 1}" if n else "input", weight=weight, padding=1)
        made.append(Layer(name=f"c{n}", sources=(source,), neuron=Neuron.uniform(8, threshold=9)))
    return Network(name="deep", input_shape=(8, 6, 6), input_levels=1, timesteps=1, layers=tuple(made))


def test_save_and_load(tmp_path):
    compiled = compile_network(deep_network(), TINY, 2)
    compiled.save(tmp_path)
    again = MemoryImage.load(tmp_path)
    for name in MemoryImage.__dataclass_fields__:
        assert getattr(again, name) == getattr(compiled, name), name
    fields = json.loads((tmp_path / "memory.json").read_text())
    (tmp_path / "memory.json").write_text(json.dumps(fields | {"format": 0}))
    known = "3, 4 with a gathered input, 5 with maps in an order of their own, or 2 of an earlier version"
    with pytest.raises(ValueError, match=f"format must be {known}, not 0"):
        MemoryImage.load(tmp_path)


def test_commands_of_an_image_are_what_was_packed():
    compiled = compile_network(deep_network(), TINY, 1)
    at = compiled.program - compiled.base
    for n, (opcode, fields) in enumerate(compiled.commands()):
        assert unpack(pack(opcode, **fields)) == (opcode, fields)
        assert compiled.data[at + 256 * n :][:256] == pack(opcode, **fields)
    assert compiled.commands()[-1][0] == "END"
    assert [e.first for e in compiled.layers[1:]] == [e.last for e in compiled.layers[:-1]]


def test_fields_of_commands_do_not_overlap():
    for opcode, fields in COMMANDS.items():
        taken = set()
        for f in [*HEADER, *fields]:
            bits = set(range(32 * f.word + f.offset, 32 * f.word + f.offset + f.bits))
            assert not bits & taken, f"{opcode}.{f.name}"
            taken |= bits


# Limits


def one_layer(*, outputs=4, shape=(3, 5, 5), levels=1, encoding="bitplane", timesteps=1, kernel=3, weight=1, **neuron):
    array = np.full((outputs, shape[0], kernel, kernel), weight, np.int8)
    source = Source(feature="input", weight=array)
    fields = {"threshold": 5} | neuron
    layer = Layer(name="one", sources=(source,), neuron=Neuron.uniform(outputs, **fields), encoding=encoding)
    modes = {"input_levels": levels, "timesteps": timesteps, "input_mode": "once"}
    return Network(name="one", input_shape=shape, layers=(layer,), **modes)


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        ({"timesteps": 9}, {}, "timesteps must be at most max_timesteps=8, not 9: use"),
        ({"timesteps": 4, "levels": 31}, {}, "timesteps x planes must be at most tile_m=16, not 20: .*larger tile_m"),
        (
            {"levels": 9, "encoding": "thermometer"},
            {},
            "planes of its input must be at most max_planes=8, not 9: .*bit planes",
        ),
        ({"neuron_levels": 16}, {}, "neuron levels must be at most max_levels=15, not 16: .* with more max_levels"),
        ({"weight": 100}, {"weight_bits": 5}, "weights must be -16..15 .*not 100..100"),
        ({"weight": 127, "levels": 255, "shape": (99, 3, 3)}, {}, "psum must fit 24 bits|membrane must fit 24 bits"),
        ({"weight": 127, "shape": (99, 5, 5)}, {"psum_bits": 11}, "row_psum must fit 11 bits"),
        ({"threshold": 1 << 24}, {}, "threshold must be at most 8388607, not 16777216: use more membrane_bits"),
        ({"shape": (200, 9, 9), "timesteps": 8}, {}, "feature_words=512 on-chip words .* not 2400, .*: use a config"),
        ({"shape": (64, 11, 11), "kernel": 11}, {"feature_words": 4096}, "segments must be at most 128, not 968"),
    ],
)
def test_limits_name_layer_value_and_remedy(network, changes, message):
    levels = network.pop("neuron_levels", 1)
    made = one_layer(**network)
    if levels > 1:
        neuron = Neuron.uniform(4, levels=levels, threshold=5)
        made = replace(made, layers=(replace(made.layers[0], neuron=neuron),))
    with pytest.raises(CompileError, match=message) as error:
        compile_network(made, TINY.replace(**changes), 1)
    assert "'one'" in str(error.value) or "RUN." in str(error.value)


@pytest.mark.parametrize(("images", "base"), [(0, 0), (1.0, 0), (1, 8), (1, -4096)])
def test_wrong_arguments(images, base):
    with pytest.raises(ValueError, match="images must be|base must be"):
        compile_network(one_layer(), TINY, images, base=base)


def test_lines_beyond_the_range_of_x_are_cut():
    network = one_layer(shape=(1, 3, 40000), outputs=8)
    compiled = compile_network(network, TINY.replace(feature_words=1 << 15), 1)
    widths = [f["out_width"] for opcode, f in compiled.commands() if opcode == "RUN"]
    assert sum(widths) == 39998 and max(widths) < 1 << 15


def test_documented_commands_have_every_field():
    assert all(f"`{f.name}`" in memory_map.table() for fields in COMMANDS.values() for f in fields)
