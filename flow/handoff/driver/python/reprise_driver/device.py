"""One accelerator with its memory, and batches of images through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from .errors import DeviceError, JobError, JobTimeout, require
from .image import Image
from .registers import Registers


class Results(NamedTuple):
    """What a run gave.

    Members
    -------
    scores : (n, classes), the class scores of each image
    classes : (n,), the first of the largest scores
    values : (n, T, C, H, W), levels or potentials of the network's result
    counters : performance counters of each batch, by name, with CYCLES
    """

    scores: np.ndarray
    classes: np.ndarray
    values: np.ndarray
    counters: list[dict[str, int]]


class Reprise(Registers):
    """One accelerator that runs compiled networks.

    Parameters
    ----------
    mmio, interrupt, reset, poll, clock : as :class:`Registers` takes them
    allocate : gives memory as ``pynq.allocate(shape, dtype)`` does; that is the default
    """

    def __init__(self, mmio: Any, *, allocate: Callable[..., Any] | None = None, **others: Any) -> None:
        super().__init__(mmio, **others)
        self._allocate = allocate
        self.image: Image | None = None
        self._owned: Any = None
        self._slots: list[tuple[Any, int]] = []

    def load(self, image: str | Path | Image, *, slots: int = 2, memory: Any = None) -> None:
        """Load a compiled network, and check that it is for this accelerator.

        Parameters
        ----------
        image : the folder that ``reprise image`` wrote, or an :class:`Image`
        slots : how many batches have memory of their own, so that one is packed while another is computed; with less
            memory, there is one
        memory : a buffer with ``device_address``, which is a multiple of the image's alignment; by default it is
            allocated

        Raises
        ------
        ArgumentError, OtherDevice, MemoryError
        """
        found = image if isinstance(image, Image) else Image(image)
        require(slots >= 1, "slots", "at least 1", slots, "a batch needs memory")
        self.probe(found.hash)
        self.close()
        if memory is None:
            memory = self._owned = self._buffer(found, slots)
            skip = -int(memory.device_address) % found.alignment
        else:
            skip = 0
        count = min(slots, (memory.nbytes - skip) // found.stride)
        rule = f"at least {found.stride} bytes"
        require(count >= 1, "the memory", rule, f"{memory.nbytes}", "allocate more")
        made = []
        for n in range(count):
            first = skip + n * found.stride
            part, base = memory[first : first + found.stride], int(memory.device_address) + first
            constants = found.constants(base, self.program_format)
            part[: len(constants)] = constants
            _call(part, "flush")
            made.append((part, base))
        self.image, self._slots = found, made

    def _buffer(self, image: Image, slots: int) -> Any:
        """Allocate memory of whole slots, with room for their alignment; one slot if there is no more."""
        allocate = self._allocate
        if allocate is None:
            import pynq  # type: ignore[import-not-found]  # it is there on a PYNQ board

            allocate = pynq.allocate
        for count in sorted({slots, 1}, reverse=True):
            try:
                return allocate((count * image.stride + image.alignment,), np.uint8)
            except (MemoryError, RuntimeError):  # pynq raises either, by its version
                if count == 1:
                    raise
        raise AssertionError

    def close(self) -> None:
        """Give memory back that :meth:`load` has allocated."""
        self.image, self._slots = None, []
        owned, self._owned = self._owned, None
        if owned is not None:
            _call(owned, "freebuffer")

    def run(self, images: Any, *, timeout: float = 10.0) -> Results:
        """Run the network that is loaded on any number of images.

        Parameters
        ----------
        images : integers (n, C, H, W), or (n, T, C, H, W) where the network takes all frames; levels of the network
        timeout : seconds of each batch. A batch that takes longer is stopped.

        Raises
        ------
        ArgumentError, Busy, JobError, BusHung, JobTimeout
        """
        image = self.image
        if image is None:
            raise DeviceError("a network must be loaded before run: call load")
        frames = image.frames(images)
        require(len(frames) > 0, "the number of images", "at least 1", 0, "give some")
        batches = [frames[n : n + image.images] for n in range(0, len(frames), image.images)]
        values, counters = [], []
        self._pack(0, batches[0])
        for n, batch in enumerate(batches):
            part, base = self._slots[n % len(self._slots)]
            self.start(base + image.program, image.windows(base))
            following = batches[n + 1] if n + 1 < len(batches) else None
            if following is not None and len(self._slots) > 1:
                self._pack(n + 1, following)
            self._finish(timeout)
            first, size = image.windows(0)["write"]
            _call(part[first : first + size], "invalidate")
            values.append(image.unpack(part, image.outputs[-1])[: len(batch)])
            counters.append(self.counters())
            if following is not None and len(self._slots) == 1:
                self._pack(n + 1, following)
        joined = np.concatenate(values)
        scores = image.scores(joined)
        return Results(scores, scores.argmax(axis=1), joined, counters)

    def _pack(self, number: int, frames: np.ndarray) -> None:
        assert self.image is not None
        part, _ = self._slots[number % len(self._slots)]
        for offset, data in self.image.pack(frames).items():
            part[offset : offset + len(data)] = data
            _call(part[offset : offset + len(data)], "flush")

    def _finish(self, timeout: float) -> None:
        """Wait for the end of a batch, and stop it if it takes too long."""
        try:
            self.wait(timeout)
        except JobTimeout:
            self.stop()
            try:
                self.wait(1.0)
            except JobError:
                pass  # that it was stopped
            raise


def _call(memory: Any, name: str) -> None:
    """Call a method of a pynq buffer; memory without it, as of a simulation, needs no care of caches."""
    method = getattr(memory, name, None)
    if method is not None:
        method()
