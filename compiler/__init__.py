"""The compiler: integer networks and a hardware configuration become a memory image."""

from .compiler import compile_network, compile_networks
from .errors import CompileError

__all__ = ["CompileError", "compile_network", "compile_networks"]
