"""The processor's wide memories: block RAM, cut into parts with addresses of their own."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import ValueLike
from amaranth.lib.memory import Memory

from .fanout import parts, replicate

BLOCK_RAM: dict[str, Any] = {"ram_style": "block", "no_rw_check": 1}
"""Block RAM without logic for collisions: no read that is used coincides with a write of its word (docs/processor.md).

Yosys keeps to ``no_rw_check``; without it, it builds the old word from flip-flops.
"""

BLOCK_BITS = 36
"""Width of a block RAM of 512 words (ECP5, Xilinx). Parts are as wide as whole block RAMs, so cutting costs none."""


def block_parts(bits: int) -> list[slice]:
    """Where a memory of ``bits`` is cut."""
    return [
        slice(blocks.start * BLOCK_BITS, min(blocks.stop * BLOCK_BITS, bits))
        for blocks in parts(-(-bits // BLOCK_BITS))
    ]


def wide_memory(
    m: Module, name: str, *, depth: int, reads: list, put: ValueLike, put_address: ValueLike, value: Value
) -> Value:
    """A memory as wide as ``value``, which spans the device: each part has the write port's registers of its own
    (:mod:`reprise.hw.lib.fanout`). After reset some parts write once: nothing may be stored then.

    Parameters
    ----------
    reads : the address that is read, for every part of :func:`block_parts`
    put, put_address : in the next cycle ``value`` is written there
    value : the word, in the cycle of the write

    Returns
    -------
    The word read, a cycle after its address.
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
