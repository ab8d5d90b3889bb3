"""Compiled kernels: Numba's ``njit``, whose machine code is kept in the cache under all that it was compiled from.

Numba's own cache (``cache=True``) looks only at the file that holds the function. When another file changes whose
functions or constants were compiled into it, Numba still takes the old code, and the result is silently wrong. It also
writes beside the sources, which a package in ``site-packages`` may not allow, and two processes that write its index at
once can give one function the code of the other. Here the key of a kernel covers every module that its calls can reach.
"""

from __future__ import annotations

import enum
import pickle
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numba as nb
import numpy as np
from numba.core import compiler, config, serialize
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

from .cache import Store, digest, source
from .errors import RepriseError

KERNELS = Store("kernels")
Compiled = TypeVar("Compiled", bound=Callable)
SETTINGS = ("OPT", "BOUNDSCHECK", "DEBUG")
"""Settings of Numba (the environment variables NUMBA_...) that change the code."""

CONSTANTS = (bool, int, float, complex, str, bytes, tuple, list, np.generic, np.dtype)
"""Types of a module's values that Numba compiles into a kernel as they are. Arrays and enumerations are such too."""


def kernel(**options: Any) -> Callable[[Compiled], Compiled]:
    """Decorate a function as ``numba.njit(**options)`` does, and keep its machine code in the cache."""

    def compiled(function: Compiled) -> Compiled:
        dispatcher = nb.njit(**options)(function)
        if isinstance(dispatcher, Dispatcher):  # it is a plain function if NUMBA_DISABLE_JIT is set
            dispatcher._cache = _Kept(dispatcher.py_func)  # type: ignore[attr-defined]  # Numba's own, not in its stubs
        return dispatcher

    return compiled


def reached(module: ModuleType, found: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Return what the kernels of a module are compiled from: by module, the digest of its source and its constants.

    A kernel can use the constants of its module and the functions and modules that its module names, and so can they. A
    constant counts by its value, wherever it comes from. A class or a plain function cannot be used in a kernel.
    """
    found = {} if found is None else found
    name = module.__name__
    if name in found:
        return found
    parts = found.setdefault(name, [source(Path(module.__file__))] if module.__file__ else [])
    for key, value in sorted(vars(module).items()):
        if key.startswith("__"):
            continue
        if isinstance(value, CONSTANTS):
            parts.append(f"{key}={value!r}")
        elif isinstance(value, np.ndarray):
            parts.append(f"{key}={value.dtype}{value.shape}{digest(value.tobytes())}")
        elif isinstance(value, type) and issubclass(value, enum.Enum):
            parts.append(f"{key}={list(value)!r}")
        elif isinstance(value, Dispatcher | _Intrinsic):
            reached(sys.modules[value.__module__], found)
        elif isinstance(value, ModuleType) and value.__name__.partition(".")[0] == module.__name__.partition(".")[0]:
            reached(value, found)
    return found


class _Kept:
    """What Numba's dispatcher expects of its cache: to load and save the code of one signature."""

    cache_path = property(lambda self: str(KERNELS.folder))

    def __init__(self, function: Callable):
        self._function = function
        self._sources: str | None = None

    def _key(self, signature: Any, codegen: Any) -> str:
        function = self._function
        if self._sources is None:  # not before the first call, since the module is not complete until it is imported
            self._sources = digest(sorted(reached(sys.modules[function.__module__]).items()))
        place = [function.__module__, function.__qualname__, function.__code__.co_firstlineno]
        cells = [repr(cell.cell_contents) for cell in function.__closure__ or ()]
        versions = [sys.version, *map(version, ("numba", "llvmlite", "numpy"))]
        settings = [*(repr(getattr(config, name)) for name in SETTINGS), repr(codegen.magic_tuple())]
        content = digest(self._sources, place, cells, str(signature), versions, settings)
        return f"{function.__module__.rpartition('.')[2]}.{function.__name__}-{content}"

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the compiled function of a signature, or None if it is not kept."""
        target.refresh()
        folder = KERNELS.find(self._key(signature, target.codegen()))
        if folder is None:
            return None
        return compiler.CompileResult._rebuild(target, *pickle.loads((folder / "code").read_bytes()))

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a function that was just compiled, if other processes can use it.

        A cache that cannot be written keeps nothing, and that is no error.
        """
        if result.library.has_dynamic_globals or not all(lifted.can_cache for lifted in result.lifted):
            return
        code = serialize.dumps(result._reduce())
        try:
            KERNELS.get(self._key(signature, result.codegen), lambda folder: (folder / "code").write_bytes(code))
        except (OSError, RepriseError):
            pass

    def flush(self) -> None:
        """Do nothing: Numba calls this to recompile, but entries are keyed by their content and stay right."""

    def enable(self) -> None:
        """Do nothing: this cache is always on."""

    def disable(self) -> None:
        """Do nothing: this cache is always on."""
