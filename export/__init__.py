"""PyTorch side of Reprise: neurons, networks, training, quantization, the network file, imports.

Reading network files (:mod:`reprise.model.files.network_file`) and data sets (:mod:`reprise.export.train.datasets`)
imports no torch, and so does :func:`pretrained` when the network comes with
Reprise.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.hardware import Hardware

__all__ = ["pretrained"]


def pretrained(
    network: str | Path, hardware: Hardware, *, data: str | Path | None = None, progress: bool = True
) -> Path:
    """Path of a preset's network file: the one that comes with Reprise, or one trained for this recipe, configuration
    and code, now or before.

    Parameters
    ----------
    network : str
        A preset of ``configs/networks``, a YAML recipe, or a network file (returned as it is).
    hardware : HardwareConfig
        The configuration that encodings are chosen for and whose widths must hold every sum.
    data : folder of the data set's files; not needed for digits
    progress : show progress bars
    """
    from .cache import cached

    return cached(network, hardware, data=data, progress=progress)
