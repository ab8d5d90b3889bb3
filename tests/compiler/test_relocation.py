"""An image that is moved to a base address is, byte by byte, the one that is compiled for that base."""

import pytest

from reprise.compiler import compile_network
from reprise.export.find import find_network
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import unpack
from reprise.hw.arch.relocation import ADDRESS_WORDS, moved_program
from reprise.support.errors import RepriseError
from tests.compiler.networks import TINY, conv_network
from tests.support.random_models import random_network

SMALL = HardwareConfig.load("small")
BASES = (0x1000, 0x10000000, (1 << 32) + 0x7000, (1 << 40) - (1 << 20))


def same(one, other):
    return one.data == other.data and one.to_dict() == other.to_dict()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_moved_is_compiled_there(seed, keep):
    """Random networks, from any base to any other one, and back."""
    network = random_network(seed)
    image = compile_network(network, SMALL, 1 + seed % 3, keep_features=keep)
    assert any(opcode == "RUN" and fields["weights"] for opcode, fields in image.commands())
    for base in BASES:
        moved = image.at(base)
        assert same(moved, compile_network(network, SMALL, 1 + seed % 3, base=base, keep_features=keep))
        assert same(moved.at(0), image) and same(moved.at(BASES[0]), image.at(BASES[0]))


@pytest.mark.parametrize("config", ["tiny", "small"])
def test_the_digits_move(config):
    config = HardwareConfig.load(config)
    network = find_network("digits", config)[0].network
    image = compile_network(network, config, 2)
    assert same(image.at(BASES[1]), compile_network(network, config, 2, base=BASES[1]))


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (64, "base must be a multiple of 4096, not 64: bursts keep to pages"),
        (-4096, "base must be a multiple of 4096, not -4096"),
        ((1 << 40) - 4096, r"the memory's end must be at most 2\*\*40, not 10995116"),
        (1 << 40, r"the memory's end must be at most 2\*\*40"),
    ],
)
def test_a_base_that_breaks_a_rule(base, message):
    image = compile_network(conv_network(0, (2, 6, 6), 9), TINY, 2)
    with pytest.raises(RepriseError, match=message):
        image.at(base)


def test_nothing_but_addresses_moves():
    """Every other field of every command stays, whatever its bits are."""
    image = compile_network(conv_network(1, (2, 6, 6), 9, layers=2), TINY, 2)
    first = image.program - image.base
    program = image.data[first : first + image.program_bytes]
    moved = moved_program(program, 1 << 33)
    assert len(moved) == len(program) and moved_program(moved, -(1 << 33)) == program
    for at in range(0, len(program), 256):
        (opcode, before), (again, after) = unpack(program[at : at + 256]), unpack(moved[at : at + 256])
        addresses = {name for name in before if name in ("source", "weights", "output")}
        assert opcode == again and len(addresses) == len(ADDRESS_WORDS[opcode])
        assert {name: value + (1 << 33) * (name in addresses) for name, value in before.items()} == after


def test_outputs_are_what_stays():
    """The result comes last; a map whose memory another layer has used again is left out."""
    image = compile_network(conv_network(1, (2, 6, 6), 9, layers=4), TINY, 2)
    kept = compile_network(conv_network(1, (2, 6, 6), 9, layers=4), TINY, 2, keep_features=True)
    assert list(kept.outputs()) == ["c0", "c1", "c2", "c3"]
    assert list(image.outputs())[-1] == "c3" and len(image.outputs()) < 4
