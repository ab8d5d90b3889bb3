"""Gives constants and feature maps their addresses."""

from __future__ import annotations

from ..hw.arch.feature_map import FeatureMap
from ..hw.arch.memory_image import Region

ALIGN = 64  # bytes of the widest bus word
PAGE = 4096  # bytes that no AXI burst may cross


def align(address: int, to: int = ALIGN) -> int:
    """Return the smallest multiple of ``to`` that is not below ``address``."""
    return -(-address // to) * to


class Builder:
    """Puts constants into memory one after the other, from a base address on, each aligned to the widest bus word."""

    def __init__(self, base: int) -> None:
        self.base, self.end = base, base
        self.regions: list[Region] = []
        self._data = bytearray()

    def add(self, name: str, kind: str, data: bytes, to: int = ALIGN) -> int:
        """Append a region at the next multiple of ``to`` and return its address."""
        self._data += bytes(align(self.end, to) - self.end)
        self.end = address = self.base + len(self._data)
        self.regions.append(Region(name=name, kind=kind, address=address, bytes=len(data)))
        self._data += data + bytes(align(len(data)) - len(data))
        self.end = self.base + len(self._data)
        return address

    def put(self, address: int, data: bytes) -> None:
        """Overwrite bytes that were added before."""
        at = address - self.base
        self._data[at : at + len(data)] = data

    def data(self) -> bytes:
        """Return all bytes so far, from the base address on."""
        return bytes(self._data)


def place_features(
    features: dict[str, FeatureMap], steps: list[tuple[tuple[str, ...], str]], start: int, keep: bool
) -> tuple[dict[str, FeatureMap], int]:
    """Give every feature map the first address at which no map lies that is needed at the same time.

    Parameters
    ----------
    features : maps by key, those of the input first
    steps : for each layer of the program, the keys that it reads and the key that it writes
    start : first free address
    keep : never use the memory of a map again

    Returns
    -------
    The placed maps, and the first address behind all of them.
    """
    last = len(steps)
    birth = {key: -1 for key in features}
    death = {key: last for key in features}  # a map that nobody reads is a result
    for number, (reads, write) in enumerate(steps):
        birth[write] = number
        for key in reads:
            death[key] = number
    if keep:
        death = dict.fromkeys(features, last)
    inputs = [key for key, f in features.items() if f.name == "input"]
    # Inputs keep their memory to the end, so that a batch can be started again, and the next one can be written before
    # the results are read.
    for key in inputs:
        death[key] = last
    placed: dict[str, FeatureMap] = {}
    end = address = align(start, PAGE)
    for key in inputs:
        placed[key] = features[key].at(address)
        end = address = align(address + features[key].bytes)
    for _, write in steps:
        busy = [
            (f.address, f.address + f.bytes)
            for key, f in placed.items()
            if birth[key] <= birth[write] and death[key] >= birth[write]
        ]
        at = align(start, PAGE)
        for low, high in sorted(busy):
            if at + features[write].bytes <= low:
                break
            at = max(at, align(high))
        placed[write] = features[write].at(at)
        end = max(end, align(at + features[write].bytes))
    return {key: placed[key] for key in features}, end
