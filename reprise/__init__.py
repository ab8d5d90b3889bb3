"""Reprise: spiking-neural-network accelerators, bit-exact from PyTorch to Verilog.

    import reprise as rp

    network = rp.load("digits")                    # a preset or a network file; or rp.quantize(module, images)
    config = rp.HardwareConfig.load("small")       # a preset or a YAML file; config.replace(lanes=32)
    print(rp.estimate_cycles(network, config))     # cycles by layer, without RTL
    rp.write_verilog(config, "rtl")                # Verilog, and a JSON file that explains its ports
    print(rp.cosimulate(network, config, images=4))  # the RTL against the model, every element

Each name is imported when it is first used: ``import reprise`` itself loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import cosimulate, estimate_cycles, load, quantize, write_verilog
    from .hw.arch.config import HardwareConfig
    from .recording import record
    from .results import Cosimulation, Estimate, Result
    from .support.errors import RepriseError

__all__ = [
    "Cosimulation",
    "Estimate",
    "HardwareConfig",
    "RepriseError",
    "Result",
    "cosimulate",
    "estimate_cycles",
    "load",
    "quantize",
    "record",
    "write_verilog",
]

_ELSEWHERE = {
    "Cosimulation": ".results",
    "Estimate": ".results",
    "HardwareConfig": ".hw.arch.config",
    "RepriseError": ".support.errors",
    "Result": ".results",
    "record": ".recording",
}
"""Where a name comes from, if not from :mod:`reprise.api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, ".api"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
