"""The compiler: an integer network and a hardware configuration become a memory image."""

from .compiler import compile_network
from .errors import CompileError

__all__ = ["CompileError", "compile_network"]
