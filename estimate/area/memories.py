"""Says which primitives of an FPGA a memory becomes, by the choice that Yosys' ``memory_libmap`` makes, without Yosys.

Every kind of primitive that may hold the memory has a price. It is that of the primitives, of read multiplexers and
write decoders between them, and of logic for what they cannot do by themselves. The cheapest kind is chosen, and
flip-flops are one kind. Prices and shapes are those of the libraries that ``synth_ecp5`` and ``synth_xilinx`` hand to
``memory_libmap`` (their ``brams*.txt`` and ``lutrams*.txt``). Only what this project's memories have is known here: one
write port, any number of read ports, and all ports of the same width and clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, kw_only=True, order=True)
class Memory:
    """A memory of the design, with one write port.

    Parameters
    ----------
    width, depth : the bits of a word, and the number of words
    reads, clocked : the number of read ports, and how many of them give the word a cycle later
    enables : the number of equal parts of a word that are written separately
    style : "block" or "distributed" where the design asks for one of them, and else ""
    unchecked : whether no word is used that was read while it was written, so that no logic must keep the old word
    idle : the mask of the bits of a word that nothing uses. They count when the primitives are chosen, and primitives
        that would hold no other bits are removed afterwards.
    """

    width: int
    depth: int
    reads: int
    clocked: int
    enables: int = 1
    style: str = ""
    unchecked: bool = False
    idle: int = 0

    @property
    def used(self) -> int:
        """Return the number of bits of a word that something uses."""
        return self.width - self.idle.bit_count()


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """A memory of the FPGA in one of its modes.

    Parameters
    ----------
    shapes : pairs of words and bits, the narrowest first, in the order of ``memory_libmap``
    cost, shared : the price of one, of which about 1 is a LUT, and the part of the price that counts only as far as a
        word is used
    byte : the bits that have a write enable of their own; 0 says that a whole word has one
    reads : the number of read ports besides the write port
    old : whether a word that is read while it is written is the old one
    units : how many units of block RAM it takes; 0 for distributed RAM
    """

    shapes: tuple[tuple[int, int], ...]
    cost: float
    shared: float = 0
    byte: int = 0
    reads: int = 1
    old: bool = True
    units: float = 0

    @property
    def style(self) -> str:
        """Return the word by which ``Memory.style`` asks for it."""
        return "block" if self.units else "distributed"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """How a memory is built.

    Parameters
    ----------
    primitive : the kind of primitive, or None if it is made of flip-flops
    count : the number of primitives
    rows : how many primitives lie behind each other, for more words than one has
    """

    primitive: Primitive | None
    count: int = 0
    rows: int = 1

    @property
    def block_ram(self) -> float:
        """Return the units of block RAM that it takes."""
        return self.count * self.primitive.units if self.primitive else 0


def _shapes(bits: int, *widths: int) -> tuple[tuple[int, int], ...]:
    """Return the shapes of a primitive with ``2**bits`` words of one bit, and half as many for each larger width."""
    every = (1, 2, 4, 9, 18, 36, 72)
    return tuple((1 << (bits - every.index(width)), width) for width in widths)


ECP5 = (
    Primitive(shapes=((16, 4),), cost=4),
    Primitive(shapes=_shapes(14, 1, 2, 4, 9, 18), cost=128, byte=9, old=False, units=1),
    Primitive(shapes=_shapes(14, 9, 18, 36), cost=128, byte=9, old=False, units=1),
)
"""The primitives are distributed RAM of 16 x 4 bits, DP16KD with two ports, and DP16KD as a pseudo dual port."""

XILINX_BLOCK = (
    Primitive(shapes=_shapes(14, 1, 2, 4, 9, 18), cost=129, byte=9, units=0.5),
    Primitive(shapes=_shapes(15, 1, 2, 4, 9, 18, 36), cost=257, byte=9, units=1),
    Primitive(shapes=_shapes(14, 1, 2, 4, 9, 18, 36), cost=129, byte=9, units=0.5),
    Primitive(shapes=_shapes(15, 1, 2, 4, 9, 18, 36, 72), cost=257, byte=9, units=1),
)
"""The primitives are RAMB18 and RAMB36 with two ports, and then both as simple dual ports."""


def _distributed(cost: float, shared: float, reads: int, *shapes: tuple[int, int]) -> tuple[Primitive, ...]:
    return tuple(Primitive(shapes=(shape,), cost=cost, shared=shared, reads=reads) for shape in shapes)


XC7 = (
    *_distributed(8, 8, 1, (32, 4), (64, 2), (128, 1)),
    *_distributed(7, 7, 3, (32, 2), (64, 1)),
    *_distributed(8, 7, 1, (32, 6), (64, 3)),
    *XILINX_BLOCK,
)
XCUP = (
    *_distributed(16, 16, 1, (32, 8), (64, 4), (128, 2), (256, 1)),
    *_distributed(16, 16, 3, (32, 4), (64, 2)),
    *_distributed(16, 16, 7, (32, 2), (64, 1)),
    *_distributed(16, 16, 1, (32, 14), (64, 7)),
    *XILINX_BLOCK,
)

LIBRARIES: dict[str, tuple[Primitive, ...]] = {"ecp5": ECP5, "xc7": XC7, "xcup": XCUP}
"""The primitives of each target's memories."""

MUX = DECODER = 0.5
FIX = 2
"""The prices of a multiplexer of one bit, of a write enable, and of a point of logic around a memory."""


def _repairs(memory: Memory, primitive: Primitive) -> int:
    """Return the points of logic around the memory: one for each read port, and three a port to keep the old word."""
    emulated = primitive.units and not primitive.old and not memory.unchecked
    return memory.reads + (3 * (1 + memory.reads) if emulated else 0)


def _price(memory: Memory, primitive: Primitive, shape: tuple[int, int]) -> tuple[float, Placed]:
    words, bits = shape
    byte = min(primitive.byte or bits, bits)
    each = memory.width // memory.enables
    stored = -(-each // byte) * byte  # the bits that each part with a write enable takes
    word = memory.enables * stored
    rows = -(-memory.depth // words)
    copies = -(-memory.reads // primitive.reads)
    count = -(-rows * word // bits) * copies
    price = (primitive.cost - primitive.shared) * count + primitive.shared * rows * memory.width / bits * copies
    price += MUX * (rows - 1) * memory.width * memory.reads + DECODER * (rows * memory.enables if rows > 1 else 0)
    if memory.idle:
        places = (n // each * stored + n % each for n in range(memory.width) if not memory.idle >> n & 1)
        count = len({(row * word + place) // bits for place in places for row in range(rows)}) * copies
    return price + FIX * _repairs(memory, primitive), Placed(primitive=primitive, count=count, rows=rows)


@cache
def place(memory: Memory, target: str = "ecp5") -> Placed:
    """Return how ``memory`` is built on a target.

    Raises
    ------
    ValueError
        When nothing of the target holds it, because a memory that must be block RAM has a read port without a clock.
    """
    best: dict[str, tuple[float, Placed]] = {}
    for primitive in LIBRARIES[target]:
        if memory.style not in ("", primitive.style) or (primitive.units and memory.clocked < memory.reads):
            continue
        mine: tuple[float, Placed] | None = None
        for shape in primitive.shapes:
            found = _price(memory, primitive, shape)
            if mine is None or found[0] < int(mine[0]):  # memory_libmap remembers the best price as an integer
                mine = found
        if mine and (primitive.style not in best or mine[0] < best[primitive.style][0]):
            best[primitive.style] = mine
    if memory.style:
        if not best:
            raise ValueError(f"{memory}: style must be 'distributed' where a read port has no clock, not 'block'")
        return best[memory.style][1]
    price, chosen = memory.width * memory.depth, Placed(primitive=None)
    for cost, placed in best.values():
        if cost < price:
            price, chosen = int(cost), placed
    return chosen


def block_ram(memories: dict[Memory, int], target: str = "ecp5") -> float:
    """Return the block RAM of memories, which are given with how often each occurs.

    The unit is an EBR of 18 kbit on ECP5, and a RAMB36 on Xilinx families, where a RAMB18 is half a unit.
    """
    return sum(count * place(memory, target).block_ram for memory, count in memories.items())
