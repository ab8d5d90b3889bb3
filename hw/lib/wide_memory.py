"""The processor's wide memories: block RAM that is cut into parts, which have address registers of their own."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import ValueLike
from amaranth.lib.memory import Memory

from .fanout import parts, replicate

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


def block_parts(bits: int) -> list[slice]:
    """Return the slices of a word that a memory of ``bits`` is cut into."""
    return [
        slice(blocks.start * BLOCK_BITS, min(blocks.stop * BLOCK_BITS, bits))
        for blocks in parts(-(-bits // BLOCK_BITS))
    ]


def wide_memory(
    m: Module, name: str, *, depth: int, reads: list, put: ValueLike, put_address: ValueLike, value: Value
) -> Value:
    """Add a memory as wide as ``value``, and return the word that is read.

    The memory spans the device, so each part has its own registers for the enable and address of the write
    (:mod:`reprise.hw.lib.fanout`). After reset some parts write once, so the memory must not hold anything yet.

    Parameters
    ----------
    m : the module that the memory is added to
    name : the prefix of the names of its parts
    depth : the number of words
    reads : the address that is read, one signal for every part of :func:`block_parts`
    put, put_address : whether ``value`` is written in the next cycle, and to which address
    value : the word to write, in the cycle of the write itself

    Returns
    -------
    The word that is read, a cycle after its address.
    """
    cut = block_parts(len(value))
    writes = replicate(m, Cat(put, put_address), len(cut), name=f"{name}_put")
    words = []
    for k, (here, address, write) in enumerate(zip(cut, reads, writes, strict=True)):
        memory = Memory(shape=here.stop - here.start, depth=depth, init=[], attrs=BLOCK_RAM)
        m.submodules[f"{name}{k}"] = memory
        out, port = memory.read_port(), memory.write_port()
        m.d.comb += [out.addr.eq(address), port.en.eq(write[0]), port.addr.eq(write[1:]), port.data.eq(value[here])]
        words.append(out.data)
    return Cat(words)
