"""Networks with membrane shortcuts: compiled, interpreted, and refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.errors import OrderBroken, ProgramError
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak.shortcuts import random_shortcuts
from reprise.hw.arch.memory_image import MemoryImage
from reprise.hw.arch.program import Error, pack
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.compiler.networks import TINY as PLAIN
from tests.compiler.networks import patched

TINY = PLAIN.replace(addend_groups=8)
CONFIGS = {
    "tiny": TINY,
    "wide words": TINY.replace(bus_bits=256, lanes=32, neuron_lanes=8),
    "one lane": TINY.replace(neuron_lanes=1),
    "small buffer": TINY.replace(feature_words=128),
}


def equal(network, config, images):
    compiled = compile_network(network, config, len(images), keep_features=True)
    checks = compare(compiled, interpret(compiled, images), run(network, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks
    return compiled


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_shortcuts(name, seed, batch):
    network = random_shortcuts(seed, CONFIGS[name])
    compiled = equal(network, CONFIGS[name], random_images(seed, network, batch))
    adds = [f for opcode, f in compiled.commands() if opcode == "RUN" and f["addend_bytes"]]
    assert {f["addend_bytes"] for f in adds} <= {1, 2, 4} and adds


def stream(channels=5, size=(3, 4), timesteps=2, **layers):
    """x = conv(input) as int16, s = neurons on it, y = x + conv(s); ``layers`` replace these by name or come behind."""
    r = np.random.default_rng(2)

    def source(feature, inputs):
        weight = r.integers(-5, 9, (channels, inputs, 1, 1)).astype(np.int8)
        return (Source(feature=feature, weight=weight),)

    made = {
        "x": Layer(name="x", sources=source("input", 2), neuron=Neuron.sum(channels, bits=16)),
        "s": Layer(name="s", sources=(), neuron=Neuron.uniform(channels, levels=2, threshold=3), addend="x"),
        "y": Layer(name="y", sources=source("s", channels), neuron=Neuron.sum(channels), addend="x"),
    }
    layers = tuple((made | layers).values())
    return Network(name="n", input_shape=(2, *size), input_levels=3, timesteps=timesteps, layers=layers)


def images_of(network, batch=2):
    return random_images(1, network, batch)


def test_a_large_map_of_neurons_alone():
    """More rows than a loop counts, and no features to load."""
    network = stream(channels=1, size=(256, 257), timesteps=1)
    network = replace(network, layers=network.layers[:2])
    compiled = equal(network, TINY, images_of(network, 1))
    entry = compiled.layers[-1]
    opcodes = [opcode for opcode, _ in compiled.commands()[entry.first : entry.last]]
    assert "LOAD_FEATURES" not in opcodes and opcodes.count("RUN") == 1


def test_what_an_addend_reads_is_whole_strings():
    """Bytes are counted, and the addend of a RUN may lie on either side of what it writes."""
    network = stream(channels=9)
    compiled = compile_network(network, TINY, 1, keep_features=True)
    interpreter = Interpreter(compiled, compiled.initial_memory(images_of(network, 1)))
    interpreter.run()
    for index, (opcode, f) in enumerate(compiled.commands()):
        if opcode == "RUN" and f["addend_bytes"]:
            assert f["addend"] < 0
            strings = 3 * 4 * 2 * -(-f["channels"] * 2 // 8) * 8
            assert interpreter.memory.read_by[index] >= strings


@pytest.fixture(scope="module")
def compiled():
    network = stream()
    return compile_network(network, TINY, 2), images_of(network)


def adding_run(image: MemoryImage) -> int:
    return next(n for n, (op, f) in enumerate(image.commands()) if op == "RUN" and f["addend_bytes"])


def test_an_addend_is_read_behind_a_barrier():
    """The RUN of a second block of channels would add what that of the first one writes."""
    network = stream(channels=9)
    image = compile_network(network, TINY, 1, keep_features=True)
    commands = image.commands()
    first = adding_run(image)
    second = next(n for n in range(first + 1, len(commands)) if commands[n][0] == "RUN")
    assert "BARRIER" not in {opcode for opcode, _ in commands[first:second]}
    fields = dict(commands[second][1])
    fields["addend"] = (commands[first][1]["output"] - fields["output"]) // 8
    with pytest.raises(OrderBroken, match="must have been waited for"):
        interpret(patched(image, second, pack("RUN", **fields)), images_of(network, 1))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"addend_bytes": 3}, Error.FIELD, "RUN.addend_bytes must be 0 or 1 or 2 or 4, not 3"),
        ({"addend_x": 4}, Error.FIELD, "RUN.addend_x must be a multiple of 8"),
        ({"pool": 2}, Error.FIELD, "RUN.pool must be 1 with addend_bytes, not 2"),
        ({"addend": -(1 << 31)}, Error.READ_WINDOW, "a read must stay in the read window, not 16 bytes at"),
        ({"addend": (1 << 31) - 1}, Error.READ_WINDOW, "a read must stay in the read window"),
        ({"addend_image": 1 << 31}, Error.READ_WINDOW, "a read must stay in the read window"),
    ],
)
def test_wrong_addends_are_refused(compiled, change, code, message):
    image, images = compiled
    run_at = adding_run(image)
    wrong = pack("RUN", **image.commands()[run_at][1] | change)
    with pytest.raises(ProgramError, match=message) as error:
        interpret(patched(image, run_at, wrong), images)
    assert error.value.code == code


def test_without_addends_their_bits_are_reserved(compiled):
    image, images = compiled
    with pytest.raises(ProgramError, match="reserved bits of RUN must be 0, not 1 at bit") as error:
        interpret(replace(image, config=PLAIN), images)
    assert error.value.code == Error.COMMAND


def test_a_configuration_without_addends_refuses_the_network_by_name():
    remedy = "use a configuration that has them, such as the preset small-t"
    message = f"layer 's': its addend 'x' needs addend_groups of at least 8, not 0: {remedy}"
    with pytest.raises(CompileError, match=message):
        compile_network(stream(), PLAIN, 1)


def test_programs_of_other_networks_are_the_same_with_addends_built():
    network = Network(
        name="n", input_shape=(2, 3, 3), input_levels=3, timesteps=1, layers=(replace(stream().layers[0], name="x"),)
    )
    assert compile_network(network, TINY, 1).data == compile_network(network, PLAIN, 1).data


def attention_on_a_stream(channels=4, addend=None):
    """v = conv, maybe with an addend, as int8, is what a product of two heads reads as weights, and is added, too."""
    net = stream(channels=channels, size=(2, 2))
    source = net.layers[2].sources
    v = Layer(name="v", sources=source, neuron=Neuron.sum(channels, bits=8), addend=addend)
    k = Layer(name="k", sources=source, neuron=Neuron.uniform(channels, threshold=9))
    product = Product(feature="k", operand="v", over="tokens", heads=2)
    g = Layer(name="g", sources=(product,), neuron=Neuron.sum(channels // 2, bits=8))
    z = Layer(name="z", sources=(), neuron=Neuron.sum(channels), addend="v")
    return replace(net, layers=(*net.layers, v, k, g, z))


@pytest.mark.parametrize(("channels", "addend"), [(4, None), (8, "y")])
def test_a_map_that_a_product_reads_is_written_once_more_to_be_added(channels, addend):
    """It may have an addend itself, if the heads are computed together."""
    network = attention_on_a_stream(channels, addend)
    compiled = equal(network, TINY, images_of(network))
    assert [key for key, f in compiled.features.items() if f.name == "v"] == ["v", "v/addends"]


def test_blocks_that_do_not_fit_are_refused_by_name():
    """Heads of half a group of lanes are computed one after the other."""
    message = "layer 'v': its addend must have blocks of 2 channels, not 4, because products read what it writes"
    with pytest.raises(CompileError, match=message):
        compile_network(attention_on_a_stream(4, "y"), TINY, 1)
