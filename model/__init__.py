"""The exact NumPy model of Reprise: product sparsity, neurons, layers, networks, cycles.

It is the specification in executable form: exporter, hardware and co-simulation are checked against it.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # lazily: importing a constant from a submodule must not compile or load the kernels
    if name in ("run", "Result"):
        from .inference import runner

        return getattr(runner, name)
    raise AttributeError(f"module 'model' has no attribute {name!r}")
