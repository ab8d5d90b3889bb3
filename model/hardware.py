"""What the model and the exporter must know of the hardware.

``reprise.hw.arch.config.HardwareConfig`` has all of these fields. Neither the model nor the exporter imports hardware:
they state here what they need, and whoever calls them passes the configuration.
"""

from typing import Protocol

FIELDS = ("tile_m", "tile_k", "lanes", "banks", "psum_bits", "membrane_bits")


class TileShape(Protocol):
    """What tiles and their bound depend on."""

    @property
    def tile_m(self) -> int:
        """Rows of a tile."""
        ...

    @property
    def tile_k(self) -> int:
        """Bits of a row in a tile."""
        ...

    @property
    def lanes(self) -> int:
        """Output channels that are computed side by side."""
        ...

    @property
    def banks(self) -> int:
        """Banks of partial sums, each of which takes one row per cycle."""
        ...

    @property
    def weight_banks(self) -> int:
        """Banks of weights, each of which gives one weight row per cycle."""
        ...


class Registers(Protocol):
    """How wide sums are."""

    @property
    def psum_bits(self) -> int:
        """Bits of the signed partial sum of one row over all of K."""
        ...

    @property
    def membrane_bits(self) -> int:
        """Bits of a signed membrane potential."""
        ...


class Hardware(TileShape, Registers, Protocol):
    """What an exported network depends on: tiles decide its encodings, and registers must hold its sums."""


def sizes(hardware: Hardware) -> dict[str, int]:
    """Return the fields of :class:`Hardware` by name that a network file records."""
    return {name: getattr(hardware, name) for name in FIELDS}
