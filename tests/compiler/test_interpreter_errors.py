"""Programs that the golden interpreter refuses: malformed, out of range, out of order."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.errors import OrderBroken, ProgramError
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.cosim.jobs.random_networks import random_images
from reprise.hw.arch.program import COMMAND_BYTES, MAX_POOL, Error, Wait, pack
from reprise.hw.csr.start import OPEN
from reprise.model.network.pool import POOL_KERNELS, MaxPool
from tests.compiler.networks import TINY, conv_network
from tests.support.cosim_jobs import Job, place_programs, pooled, small_network


def patched(compiled, index, command):
    """The image with another command at ``index``."""
    at = compiled.program - compiled.base + index * COMMAND_BYTES
    return replace(compiled, data=compiled.data[:at] + command + compiled.data[at + COMMAND_BYTES :])


@pytest.fixture(scope="module")
def job():
    network = conv_network(7, (8, 150, 60), 8, layers=2)
    images = random_images(7, network, 1)
    return compile_network(network, TINY, 1), images


def test_words_that_no_load_brings_are_refused(job):
    """The last RUN has no load behind it that might still bring them."""
    compiled, images = job
    index = max(n for n, (opcode, _) in enumerate(compiled.commands()) if opcode == "RUN")
    fields = compiled.commands()[index][1] | {"row_address0": 16 * 15}
    with pytest.raises(ProgramError, match=f"command {index}: the features that a RUN reads must") as error:
        interpret(patched(compiled, index, pack("RUN", **fields)), images)
    assert error.value.code == Error.UNLOADED


def first(compiled, opcode, after=0):
    return next(n for n, (op, _) in enumerate(compiled.commands()) if op == opcode and n >= after)


@pytest.mark.parametrize(
    ("opcode", "change", "message"),
    [
        ("RUN", {"rows_last": 1}, "must be .* rows_last = 593, not 600"),
        ("RUN", {"loop0_count": 7}, "loop5_count must be .* = 600, not 70"),
        ("RUN", {"weights_keep": 1, "weights_ready": 1, "k_tiles": 2}, "RUN.weights_ready must be weights_hold of the"),
        ("RUN", {"weights_ready": 1}, "RUN.weights_ready and weights_hold must be 0 without weights_keep, not 1"),
        ("RUN", {"weights_keep": 1}, r"RUN.k_tiles must be at most 2 \(weight_tiles\) with weights_keep, not 9"),
        ("RUN", {"rows": 17}, r"RUN.rows must be 1..16 \(tile_m\), not 17"),
        ("RUN", {"levels": 0}, "RUN.levels must be at least 1 without readout, not 0"),
        ("RUN", {"weights": 1 << 40}, r"RUN.weights must be below 2\*\*40, not"),
        ("RUN", {"row_address0": 16 * 15}, "must not be in use by the RUN before"),  # the load behind it brings them
        ("RUN", {"output": 0}, "a write must stay in the write window"),
        ("RUN", {"segment_first": 100}, "the segments that a RUN reads must"),
        ("LOAD_FEATURES", {"target": 510}, "bytes must be at most 2048"),
        ("LOAD_FEATURES", {"source": 1 << 30}, "a read must stay in the read window"),
        ("LOAD_FEATURES", {"bytes": 12}, "whole bus words"),
        ("LOAD_SEGMENTS", {"target": 127}, r"LOAD_SEGMENTS.target must be 0 or 64 \(segments / 2\), not 127"),
        ("LOAD_PARAMS", {"groups": 3}, "groups must be 1..2"),
    ],
)
def test_broken_commands_are_refused(job, opcode, change, message):
    compiled, images = job
    index = first(compiled, opcode)
    fields = compiled.commands()[index][1] | change
    with pytest.raises(ProgramError, match=f"command {index}: .*{message}"):
        interpret(patched(compiled, index, pack(opcode, **fields)), images)


def test_held_weights_must_be_used():
    """A RUN after one that holds its weights must be weights_ready: else their slots are never given back."""
    network = conv_network(3, (1, 80, 40), 8)  # kept weights: every RUN but the first finds them
    compiled = compile_network(network, TINY.replace(feature_words=64), 1)
    second = first(compiled, "RUN", first(compiled, "RUN") + 1)
    fields = compiled.commands()[second][1]
    assert fields["weights_ready"] == 1
    fields |= {"weights_ready": 0, "weights_hold": 0}
    with pytest.raises(ProgramError, match=f"command {second}: RUN.weights_ready must be weights_hold of the RUN"):
        interpret(patched(compiled, second, pack("RUN", **fields)), random_images(3, network, 1))


@pytest.mark.parametrize(
    ("at", "message"), [(0, "opcode must be"), (2, "magic must be"), (1, "reserved bits"), (255, "reserved bits")]
)
def test_malformed_commands_are_refused(job, at, message):
    compiled, images = job
    command = bytearray(pack("BARRIER"))
    command[at] ^= 0x40
    with pytest.raises(ProgramError, match=f"command 0: {message}") as refused:
        interpret(patched(compiled, 0, bytes(command)), images)
    assert refused.value.code == Error.COMMAND


def test_pools_that_hardware_has_not_are_refused():
    """A RUN whose rows fit its pool is executed for pools of 1 to 4; from 5 on the sequencer refuses it."""
    job = Job.make(small_network(), np.random.default_rng(1).integers(0, 8, (1, 1, 6, 6)))
    for pool in range(1, 16):
        memory, (address,) = place_programs(job, [pooled(job, pool)])
        interpreter = Interpreter(replace(job.compiled, program=address), memory, windows=OPEN)
        if pool <= 4:
            interpreter.run()
            continue
        with pytest.raises(ProgramError, match=f"RUN.pool must be 1..4, not {pool}") as refused:
            interpreter.run()
        assert refused.value.code == Error.FIELD
    assert MaxPool(kernel=MAX_POOL).kernel == POOL_KERNELS[1] == MAX_POOL


@pytest.mark.parametrize(("shape", "wait"), [((8, 150, 60), Wait.OLDER), ((8, 6, 6), Wait.ALL)])
def test_a_load_that_waits_for_too_little_is_found(shape, wait):
    """A layer in stripes waits only for those of the layer before that it reads, of which the last is not one."""
    network = conv_network(7, shape, 8, layers=2)
    compiled, images = compile_network(network, TINY, 1), random_images(7, network, 1)
    waits = [(n, fields) for n, (_, fields) in enumerate(compiled.commands()) if fields.get("wait")]
    index, fields = waits[0]
    assert fields["wait"] == wait
    interpret(compiled, images)
    for less in range(wait):
        command = pack("LOAD_FEATURES", **(fields | {"wait": less}))
        with pytest.raises(OrderBroken, match="must have been waited for"):
            interpret(patched(compiled, index, command), images)


def test_weights_are_fetched_before_the_loads_of_their_run():
    """What these wait for may be read by the RUN behind it as weights, for it begins when they have ended."""
    network = conv_network(7, (8, 28, 28), 8, layers=3)
    compiled, images = compile_network(network, TINY, 1, keep_features=True), random_images(7, network, 1)
    runs = [n for n, (opcode, _) in enumerate(compiled.commands()) if opcode == "RUN"]
    for number in (1, 2):
        fields = compiled.commands()[runs[number]][1] | {"weights": compiled.features["c0"].address}
        image = patched(compiled, runs[number], pack("RUN", **fields))
        interpreter = Interpreter(image, image.initial_memory(images), strict=False)
        if number == 2:
            interpreter.run()
            continue
        with pytest.raises(OrderBroken, match="must have been waited for"):
            interpreter.run()


def test_a_load_into_the_region_of_the_run_before_is_found(job):
    compiled, images = job
    second = first(compiled, "LOAD_FEATURES", first(compiled, "RUN"))
    fields = compiled.commands()[second][1]
    with pytest.raises(ProgramError, match="in use by the RUN"):
        interpret(patched(compiled, second, pack("LOAD_FEATURES", **(fields | {"target": 0}))), images)
