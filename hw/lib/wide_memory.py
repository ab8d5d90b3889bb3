"""The processor's wide memories: block RAM in parts, which have enables and address registers of their own.

A word holds a number for each lane. Lanes of channels that a layer does not have are neither read nor written: each
part of a memory holds lanes of one group of channels, as far as whole block RAMs allow.
"""

from dataclasses import dataclass
from itertools import groupby, product
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import ValueLike
from amaranth.lib.memory import Memory

from .fanout import COPIES, parts, replicate

UNCHECKED: dict[str, Any] = {"no_rw_check": 1}
"""Attributes that ask for a memory without logic for collisions of a read and a write.

None is needed where no read whose word is used coincides with a write of that word (docs/processor.md). Yosys obeys
``no_rw_check``; without it, Yosys would add flip-flops and logic that give the old word.
"""

BLOCK_RAM: dict[str, Any] = {"ram_style": "block", **UNCHECKED}
"""Attributes that ask for block RAM without such logic."""

BLOCK_BITS = 36
"""The width in bits of a block RAM of 512 words (ECP5, Xilinx).

Parts are as wide as whole block RAMs, so cutting a memory costs no block RAM more.
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a wide memory.

    Members
    -------
    group : the lowest group of channels of which it holds lanes. It is needed where that group is: the groups of a
        layer are the lowest ones, of all or of the upper half, and no part has lanes of both halves then
    bits : what bits of the word it holds, in this order
    """

    group: int
    bits: tuple[int, ...]

    def slices(self) -> list[slice]:
        """Return its bits as slices of the word, in the same order."""
        runs = groupby(enumerate(self.bits), key=lambda pair: pair[1] - pair[0])
        return [slice((run := [bit for _, bit in pairs])[0], run[-1] + 1) for _, pairs in runs]


def _blocks(bits: int) -> int:
    return -(-bits // BLOCK_BITS)


def lane_parts(neurons: int, groups: int, bits: int, *, halves: int = 1) -> list[Part]:
    """Return the parts of a memory whose words have ``bits`` bits for each lane, that is, for each group of a neuron.

    Lanes that one neuron serves are neighbours (hw/interface/row_order.py). As long as it costs no block RAM, the
    neurons are cut into two, four or eight, so that a part holds lanes of fewer neurons. No part has lanes of two
    ``halves`` of the groups.
    """
    some = groups // halves  # of a half
    width = some * bits
    cuts = [n for n in (8, 4, 2) if neurons % n == 0]
    whole = _blocks(neurons * width)
    count = next((n for n in cuts if n * _blocks(neurons // n * width) == whole), 1)
    found = []
    for mine, first in product(parts(neurons, count), range(0, groups, some)):
        lanes = [(group, neuron * groups + group) for group in range(first, first + some) for neuron in mine]
        places = [(group, lane * bits + bit) for group, lane in lanes for bit in range(bits)]
        blocks = [places[at : at + BLOCK_BITS] for at in range(0, len(places), BLOCK_BITS)]
        for group, own in groupby(blocks, key=lambda block: block[0][0]):
            found.append(Part(group=group, bits=tuple(bit for block in own for _, bit in block)))
    return found


def wide_memory(
    m: Module,
    name: str,
    *,
    cut: list[Part],
    depth: int,
    read: tuple[ValueLike, ValueLike],
    put: tuple[ValueLike, ValueLike],
    value: Value,
) -> Value:
    """Add a memory as wide as ``value``, and return the word that is read.

    The memory spans the device, so each part has registers for its enables and addresses, which a few neighbours share
    (:mod:`reprise.hw.lib.fanout`). After reset some parts write once, so the memory must not hold anything yet.

    Parameters
    ----------
    m : the module that the memory is added to
    name : the prefix of the names of its parts
    cut : its parts (:func:`lane_parts`)
    depth : the number of words
    read, put : what is read, and what is written, in the next cycle: a bit for each group of channels, and the address
    value : the word to write, in the cycle of the write itself

    Returns
    -------
    The word that is read, a cycle after its address is there. Groups that are not read keep what they had.
    """
    count = min(COPIES, len(cut))
    groups = len(Value.cast(put[0]))
    reads, writes = (
        replicate(m, Cat(*port), count, name=f"{name}_{what}") for port, what in ((read, "read"), (put, "put"))
    )
    found: list[tuple[slice, Value]] = []
    for k, part in enumerate(cut):
        memory = Memory(shape=len(part.bits), depth=depth, init=[], attrs=BLOCK_RAM)
        m.submodules[f"{name}{k}"] = memory
        out, port = memory.read_port(), memory.write_port()
        asked, written = reads[k * count // len(cut)], writes[k * count // len(cut)]
        m.d.comb += [
            out.en.eq(asked[part.group]),
            out.addr.eq(asked[groups:]),
            port.en.eq(written[part.group]),
            port.addr.eq(written[groups:]),
            port.data.eq(Cat(value[bits] for bits in part.slices())),
        ]
        at = 0
        for bits in part.slices():
            found.append((bits, out.data[at : (at := at + bits.stop - bits.start)]))
    return Cat(word for _, word in sorted(found, key=lambda pair: pair[0].start))
