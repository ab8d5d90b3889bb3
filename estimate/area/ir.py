"""Amaranth's internal representation of a design, which its type stubs do not describe: all names of it that are used.

Amaranth is pinned in ``constraints.txt``; a new version may change these classes.
"""

from typing import Any, TypeAlias

from amaranth.hdl import _ast, _mem

Value: TypeAlias = Any
"""An expression of Amaranth."""

Node: TypeAlias = Any
"""A fragment, a statement or a memory of an elaborated design."""

ast: Any = _ast
MemoryInstance: Any = _mem.MemoryInstance
