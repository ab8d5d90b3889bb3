"""PyTorch side of Reprise: neurons, networks, training, quantization, the network file, imports.

Reading network files (:mod:`reprise.model.files.network_file`) and data sets (:mod:`reprise.export.train.datasets`)
imports no torch, and so does :func:`pretrained` when the network lies in the cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.hardware import Hardware

__all__ = ["pretrained"]


def pretrained(
    network: str,
    hardware: Hardware,
    *,
    data: str | Path | None = None,
    cache: str | Path = "build/networks",
    progress: bool = True,
) -> Path:
    """Path of a preset's network file, trained if the cache has none for this recipe, configuration and code.

    Parameters
    ----------
    network : str
        A preset of ``configs/networks``, a YAML recipe, or a network file (returned as it is).
    hardware : HardwareConfig
        The configuration that encodings are chosen for and whose widths must hold every sum.
    data : folder of the data set's files; not needed for digits
    cache : folder of trained networks
    progress : show progress bars
    """
    from .cache import cached

    return cached(network, hardware, data=data, cache=cache, progress=progress)
