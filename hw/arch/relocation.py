"""Moves a memory image to another base address: a driver does the same, so an image is compiled once for any address.

All addresses in memory stand in the program, in the fields of 64 bits. Moving an image adds the same number to each of
them and changes nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...support.errors import RepriseError
from .program import ADDRESS_BITS, COMMAND_BYTES, COMMANDS, unpack

if TYPE_CHECKING:
    from .memory_image import MemoryImage

BASE_ALIGNMENT = 4096
"""A base is a multiple of this: bursts keep to pages, and so every line of every bus stays whole bus words."""

ADDRESS_WORDS = {name: tuple(f.word for f in fields if f.bits == 64) for name, fields in COMMANDS.items()}
"""For each opcode, the words of a command at which its byte addresses begin; each takes two words, the lower first."""


def check_base(base: int, size: int = 0) -> None:
    """Make sure that an image of ``size`` bytes can lie at ``base``.

    Raises
    ------
    RepriseError
        The base is negative, not a multiple of BASE_ALIGNMENT, or so high that the image would end beyond 2**40.
    """
    if base % BASE_ALIGNMENT or base < 0:
        raise RepriseError(
            field="base", rule=f"a multiple of {BASE_ALIGNMENT}", value=base, remedy="bursts keep to pages"
        )
    if base + size > 1 << ADDRESS_BITS:
        raise RepriseError(
            field="the memory's end",
            rule=f"at most 2**{ADDRESS_BITS}",
            value=base + size,
            remedy=f"the memory port has {ADDRESS_BITS} bits; choose a lower base",
        )


def moved_program(program: bytes, distance: int) -> bytes:
    """Return the commands of a program with ``distance`` added to every address in them."""
    data = bytearray(program)
    for at in range(0, len(data), COMMAND_BYTES):
        for word in ADDRESS_WORDS[unpack(bytes(data[at : at + COMMAND_BYTES]))[0]]:
            place = slice(at + 4 * word, at + 4 * word + 8)
            data[place] = (int.from_bytes(data[place], "little") + distance).to_bytes(8, "little")
    return bytes(data)


def moved(image: MemoryImage, base: int) -> MemoryImage:
    """Return the image as it would have been compiled for another base address.

    Raises
    ------
    RepriseError
        The base breaks a rule of :func:`check_base`.
    """
    check_base(base, image.size)
    distance = base - image.base
    first = image.program - image.base
    last = first + image.program_bytes
    program = moved_program(image.data[first:last], distance)
    return replace(
        image,
        base=base,
        data=image.data[:first] + program + image.data[last:],
        program=image.program + distance,
        features={key: f.at(f.address + distance) for key, f in image.features.items()},
        regions=tuple(replace(region, address=region.address + distance) for region in image.regions),
    )
