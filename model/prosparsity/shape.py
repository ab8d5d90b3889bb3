"""What product sparsity must know of the hardware."""

from typing import Protocol


class TileShape(Protocol):
    """The fields of a hardware configuration that tiles and their bound depend on.

    ``reprise.hw.arch.config.HardwareConfig`` has them. The model does not import hardware, so it states here what it
    needs, and whoever calls it passes the configuration.
    """

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
