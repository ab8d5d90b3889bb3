"""The compiler: an integer network and a hardware configuration become a memory image."""

from hw.compile.compiler import compile_network
from hw.compile.errors import CompileError

__all__ = ["CompileError", "compile_network"]
