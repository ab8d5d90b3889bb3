"""PyTorch side of Reprise: neurons, networks, training, quantization, the network file, imports.

Reading network files (:mod:`reprise.model.files.network_file`) and data sets (:mod:`reprise.export.train.datasets`)
imports no torch, and so does :func:`pretrained` when the network lies in the cache.
"""

from pathlib import Path

__all__ = ["pretrained"]


def pretrained(network: str = "digits", *, data=None, cache="build/networks", progress=True) -> Path:
    """Path of a preset's network file, trained if the cache has none for this recipe and this code.

    Parameters
    ----------
    network : str
        A preset of ``configs/networks``, a YAML recipe, or a network file (returned as it is).
    data : folder of the data set's files; not needed for digits
    cache : folder of trained networks
    progress : show progress bars
    """
    from .cache import cached

    return cached(network, data=data, cache=cache, progress=progress)
