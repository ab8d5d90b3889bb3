"""The PyTorch side of Reprise: neurons, networks, training, quantization, and imports from other tools.

Network files (:mod:`reprise.model.files.network_file`) and data sets (:mod:`reprise.export.train.datasets`) are read
without torch, and :func:`pretrained` imports none either when the network comes with Reprise.
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
    """Return the path of a preset's network file.

    It is the file that comes with Reprise, or one that was trained for the same recipe, configuration and code. If
    there is neither, the network is trained now.

    Parameters
    ----------
    network : str
        A preset of ``configs/networks``, a YAML recipe, or a network file, whose own path is returned.
    hardware : HardwareConfig
        The configuration that encodings are chosen for, and whose widths must hold every sum.
    data : folder of the data set's files, which digits does not need
    progress : show progress bars

    Raises
    ------
    RepriseError
        The network is trained in floating point only, or a package that training needs is missing.
    """
    from .cache import cached

    return cached(network, hardware, data=data, progress=progress)
