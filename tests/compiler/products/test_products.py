"""Products of two feature maps: compiled programs give what the model says, and what no program can do is refused."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.errors import OrderBroken
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak.attention import random_attention
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import COMMAND_BYTES, pack
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

TINY = HardwareConfig.load("tiny")
CONFIGS = {
    "tiny": TINY,
    "wide words": TINY.replace(bus_bits=256, lanes=32, neuron_lanes=8),
    "one lane": TINY.replace(neuron_lanes=1),
    "deep tiles": TINY.replace(tile_k=16, feature_words=256),
}


def equal(network, config, images, batch):
    compiled = compile_network(network, config, batch, keep_features=True)
    checks = compare(compiled, interpret(compiled, images), run(network, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks
    return compiled


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_attention(name, seed, batch):
    """One to three heads of sizes that are and are not multiples of the neuron lanes, one to four timesteps."""
    config = CONFIGS[name]
    network = random_attention(seed, config)
    equal(network, config, random_images(seed, network, batch), batch)


def attention(d=4, dv=4, heads=2, size=(2, 3), timesteps=1, g=None, fires=None, **changes):
    """q, k and v of an input of ones, and the two products; ``changes`` replace layers by name."""
    r = np.random.default_rng(1)

    def linear(name, channels, neuron=None):
        weight = r.integers(-3, 9, (channels, 2, 1, 1)).astype(np.int8)
        neuron = neuron or Neuron.uniform(channels, levels=1, threshold=4)
        return Layer(name=name, sources=(Source(feature="input", weight=weight),), neuron=neuron)

    layers = {
        "q": linear("q", heads * d),
        "k": linear("k", heads * d),
        "v": linear("v", heads * dv),
        "g": Layer(
            name="g",
            sources=(Product(feature="k", operand="v", over="tokens", heads=heads),),
            neuron=g or Neuron.sum(dv, bits=8),
        ),
        "a": Layer(
            name="a",
            sources=(Product(feature="q", operand="g", over="channels", heads=heads),),
            neuron=fires or Neuron.uniform(heads * dv, levels=3, threshold=2),
        ),
    }
    return Network(
        name="attention",
        input_shape=(2, *size),
        input_levels=3,
        timesteps=timesteps,
        input_mode="given",
        layers=tuple((layers | changes).values()),
    )


@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 3), (4, 4)])
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_corners(size, timesteps, levels):
    """One token, a K tile that is not full, no spikes, a spike everywhere, and others."""
    network = attention(size=size, timesteps=timesteps)
    shape = (2, timesteps, *network.input_shape)
    for images in (np.full(shape, levels), np.random.default_rng(levels).integers(0, levels + 1, shape)):
        equal(network, TINY, images, 2)


def test_sums_clip_at_both_ends():
    """127 and -128 stand for more than int8 holds, as in the model."""
    weight = np.array([[40, 40], [-40, -40]], np.int8)[:, :, None, None]
    v = Layer(name="v", sources=(Source(feature="input", weight=weight),), neuron=Neuron.sum(2, bits=8))
    network = attention(d=1, dv=1, v=v)
    images = np.random.default_rng(0).integers(0, 4, (1, 1, *network.input_shape))
    values = run(network, images, record=("features",)).features["v"]
    assert values.min() == -128 and values.max() == 127
    equal(network, TINY, images, 1)


def test_values_that_are_read_as_rows_too_are_written_twice():
    more = Layer(
        name="more",
        sources=(Source(feature="v", weight=np.ones((3, 8, 1, 1), np.int8)),),
        neuron=Neuron.readout(3),
    )
    network = attention(more=more)
    compiled = equal(network, TINY, np.ones((1, 1, *network.input_shape), int), 1)
    assert {"v", "v/integers", "v/bitplane"} & set(compiled.features) >= {"v"}
    assert sorted(f.kind for f in compiled.features.values() if f.name == "v") == ["integers", "planes"]


@pytest.mark.parametrize(("feature", "mask"), [("q", "k"), ("k", "q")])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_mask_may_have_other_blocks_than_what_it_masks(feature, mask, kernel):
    """Blocks of K hold whole heads, because a product reads it; those of the other map do not."""
    r = np.random.default_rng(3)
    weight = r.integers(-9, 10, (5, 12, kernel, kernel)).astype(np.int8)
    source = Source(feature=feature, weight=weight, padding=kernel // 2, mask=mask)
    end = Layer(name="end", sources=(source,), neuron=Neuron.readout(5))
    network = attention(d=4, heads=3, size=(3, 4), timesteps=2, end=end)
    network = replace(network, layers=tuple(layer for layer in network.layers if layer.name != "a"))
    images = r.integers(0, 4, (2, 2, *network.input_shape))
    compiled = equal(network, TINY.replace(masks=1), images, 2)
    assert compiled.features["k"].block_channels != compiled.features["q"].block_channels


def test_several_heads_leave_in_one_run():
    """The values of all heads are computed side by side, as far as there are lanes, and lie in blocks of their own."""
    network = attention(d=2, dv=4, heads=3)
    compiled = compile_network(network, TINY, 1)
    feature = compiled.features["v"]
    assert (feature.blocks, feature.block_channels) == (3, 4)
    entry = next(entry for entry in compiled.layers if entry.name == "v")
    runs = [f for op, f in compiled.commands()[entry.first : entry.last] if op == "RUN"]
    assert [(f["channels"], f["int_groups"], f["int_block"]) for f in runs] == [
        (8, 1, feature.block_bytes),
        (4, 1, feature.block_bytes),
    ]


def with_command(compiled, number, opcode, fields):
    """The same program with another command in one place."""
    data, at = bytearray(compiled.data), compiled.program - compiled.base + COMMAND_BYTES * number
    data[at : at + COMMAND_BYTES] = pack(opcode, **fields)
    return replace(compiled, data=bytes(data))


def test_a_barrier_stands_before_what_a_run_wrote():
    """Without it the program is refused; hardware would load features, or fetch weights, that are not there yet."""
    network = attention()
    images = np.ones((1, 1, *network.input_shape), int)
    compiled = compile_network(network, TINY, 1)
    commands = compiled.commands()
    entry = next(entry for entry in compiled.layers if entry.name == "a")
    here = range(entry.first, entry.last)
    (barrier,) = [n for n in here if commands[n][0] == "BARRIER"]
    broken = with_command(compiled, barrier, *commands[entry.first])  # a load is harmless, and is there already
    with pytest.raises(OrderBroken):
        Interpreter(broken, broken.initial_memory(images)).run()
    _, second = (n for n in here if commands[n][0] == "RUN")
    fields = commands[second][1] | {"weights": compiled.features["a"].address}
    broken = with_command(compiled, second, "RUN", fields)
    with pytest.raises(OrderBroken, match="what is read from memory must have been waited for"):
        Interpreter(broken, broken.initial_memory(images)).run()


REFUSED = {
    "shifted": (
        dict(g=Neuron.sum(4, bits=8, shift=1)),
        "layer 'g': shift of a sum must be at most 0, not 1: let the sum clip",
    ),
    "a neuron over tokens and time": (
        dict(g=Neuron.uniform(4, levels=2, threshold=3), timesteps=2),
        "layer 'g': timesteps of a product over tokens that is no sum must be at most 1, not 2",
    ),
    "a head wider than the lanes": (
        dict(d=9, dv=4),
        "layer 'g': channels of a head must be at most lanes=8, not 9: use more heads",
    ),
    "values wider than the lanes": (dict(dv=9), "layer 'g': channels of a head of the operand must be at most lanes=8"),
    "too many tokens": (dict(size=(13, 10)), "layer 'g': im2col segments must be at most segments=128, not 130"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    how, message = REFUSED[name]
    with pytest.raises(CompileError) as error:
        compile_network(attention(**how), TINY, 1)
    assert message in str(error.value)


def test_narrow_weights_are_refused():
    with pytest.raises(
        CompileError, match="layer 'g': weight_bits must be 8, not 7: the operand's integers have 8 bits"
    ):
        compile_network(attention(), TINY.replace(weight_bits=7), 1)


def test_an_operand_of_two_products_that_want_it_in_different_ways_is_refused():
    again = Layer(
        name="again",
        sources=(Product(feature="k", operand="v", over="tokens", heads=4),),
        neuron=Neuron.sum(2, bits=8),
    )
    with pytest.raises(CompileError, match="feature 'v': the products that read it as weights must have equally many"):
        compile_network(attention(again=again), TINY, 1)


def test_depths_of_a_product_are_not_chosen():
    with pytest.raises(ValueError, match=r"tile_depths\['g'\] must be of a layer that is no product, not 4"):
        compile_network(attention(), TINY, 1, tile_depths={"g": 4})


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_the_shipped_transformer(preset):
    """Every map of digits-spikformer, of two of its samples, G and the values among them."""
    file = load(shipped("digits-spikformer"))
    compiled = equal(file.network, HardwareConfig.load(preset), file.images[:2], 2)
    kinds = [f.kind for f in compiled.features.values()]
    assert kinds.count("integers") == 2 and kinds.count("potentials") == 1
