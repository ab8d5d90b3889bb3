"""The memory image of a program that runs several networks one after the other, each on an input of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..hw.arch.memory_image import MemoryImage

Images = np.ndarray | tuple[np.ndarray, ...]
"""The images of a network, or a tuple with those of each network of a :class:`JoinedImage`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinedImage(MemoryImage):
    """One memory and one program for several networks; maps, layers and regions are those of all of them.

    Members
    -------
    joined : the same memory and the same program as each network sees it, with only its own maps and layers
    """

    joined: tuple[MemoryImage, ...] = field(repr=False)

    @classmethod
    def of(cls, joined: Sequence[MemoryImage]) -> JoinedImage:
        """Join what networks see of one program, in the order of the program."""
        same = {one.name: getattr(joined[0], one.name) for one in fields(MemoryImage)}
        own = {
            "network": ", ".join(one.network for one in joined),
            "features": {key: f for one in joined for key, f in one.features.items()},
            "layers": tuple(entry for one in joined for entry in one.layers),
        }
        return cls(**same | own, joined=tuple(joined))

    def at(self, base: int) -> JoinedImage:
        """Return the image as it would have been compiled for another base address, as MemoryImage.at does."""
        return JoinedImage.of([one.at(base) for one in self.joined])

    def pack_input(self, images: np.ndarray) -> NoReturn:
        """Refuse, because each network has an input of its own: see :func:`initial_memory`."""
        raise ValueError("images must be given to each of the networks that are joined, not to the program of all")

    def save(self, folder: str | Path) -> NoReturn:
        """Refuse, because the format of files has one network for each program."""
        raise ValueError("network must be a single one in a file, not several that are joined")


def parts_of(image: MemoryImage) -> tuple[MemoryImage, ...]:
    """Return the image as each of its networks sees it; if there is only one, the image itself."""
    return image.joined if isinstance(image, JoinedImage) else (image,)


def initial_memory(image: MemoryImage, images: Images, fill: int = 0) -> np.ndarray:
    """Return the memory before the start as uint8[size], with the input of every network.

    Parameters
    ----------
    images : of the network, or a tuple with those of each, as MemoryImage.pack_input takes them
    fill : what bytes hold that nobody has written
    """
    memory = image.initial_memory(None, fill)
    for part, own in zip(parts_of(image), images if isinstance(images, tuple) else (images,), strict=True):
        packed = np.frombuffer(part.pack_input(own), np.uint8)
        at = part.input_address - part.base
        memory[at : at + len(packed)] = packed
    return memory
