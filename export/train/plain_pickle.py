"""Reads pickles of plain values, as the python batches of CIFAR are, without running any of them.

A pickle is a small program, and Python's own reader runs it: it can call any function, and even one that may call
nothing can take all memory by a damaged number. This reader knows dictionaries, lists, tuples, numbers, texts, bytes
and NumPy arrays of integers. It goes through the instructions itself and calls nothing that the file names.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ARRAYS = frozenset({"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"})
"""NumPy's names of the types of arrays that are read."""

_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE"}
    | {"BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
)
_BYTES = frozenset({"SHORT_BINSTRING", "BINSTRING"})
"""A text of Python 2, which is bytes."""

_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MOST = 1_000_000
"""Instructions of the longest pickle that is read; a batch of 10,000 images has 50,000."""


class PickleError(Exception):
    """What a pickle holds that is not read; the message says what."""


@dataclass(frozen=True)
class _Name:
    """A function or class that a pickle names."""

    text: str


@dataclass
class _Type:
    """A NumPy type."""

    name: str


@dataclass
class _Array:
    """An array whose content comes with a later instruction."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))


class _Mark:
    """Where a list of values begins on the stack."""


_MARK = _Mark()
_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_KNOWN = frozenset(
    {*_RECONSTRUCT, "numpy ndarray", "numpy dtype", "_codecs encode", "__builtin__ bytes", "builtins bytes"}
)


def _named(text: object) -> _Name:
    if text not in _KNOWN:
        raise PickleError(f"a CIFAR batch holds NumPy arrays only, not {str(text).replace(' ', '.')[:80]}")
    return _Name(str(text))


def _called(name: object, given: object) -> Any:
    """Return what a call of a known name would give."""
    text = name.text if isinstance(name, _Name) else ""
    parts = given if isinstance(given, tuple) else ()
    if text in _RECONSTRUCT:
        return _Array()
    if text == "numpy dtype" and parts and isinstance(parts[0], str | bytes):
        kind = parts[0].decode("latin-1") if isinstance(parts[0], bytes) else parts[0]
        if kind not in ARRAYS:
            raise PickleError(f"an array must be of integers, not of type {kind[:40]!r}")
        return _Type(kind)
    if text == "_codecs encode" and len(parts) == 2 and isinstance(parts[0], str) and parts[1] in ("latin1", "latin-1"):
        return parts[0].encode("latin-1")
    if text.endswith(" bytes") and given == ():
        return b""
    raise PickleError("it calls a function in a way that NumPy does not")


def _filled(one: object, state: object) -> None:
    """Give an array its content, or a type its byte order."""
    if isinstance(one, _Type) and isinstance(state, tuple) and len(state) >= 2:
        if state[1] in (">", b">"):
            raise PickleError("the bytes of an array must be in little-endian order")
        return
    known = isinstance(one, _Array) and isinstance(state, tuple) and len(state) == 5
    if not known or not isinstance(state, tuple) or not isinstance(one, _Array):
        raise PickleError("it builds something that is no array")
    _, shape, kind, fortran, data = state
    whole = (
        isinstance(shape, tuple)
        and all(type(size) is int and 0 <= size < 1 << 32 for size in shape)
        and len(shape) <= 4
    )
    if not whole or not isinstance(kind, _Type) or not isinstance(data, bytes):
        raise PickleError("an array must have a shape, a type and bytes")
    dtype, count = np.dtype("<" + kind.name), 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(data):
        raise PickleError(
            f"an array of shape {str(shape)[:60]} must have {count * dtype.itemsize} bytes, not {len(data)}"
        )
    values = np.frombuffer(data, dtype)
    one.values = values.reshape(shape, order="F" if fortran else "C")


def _popped(stack: list) -> list:
    """Take everything above the last mark from the stack."""
    at = len(stack) - 1
    while stack[at] is not _MARK:
        at -= 1
        if at < 0:
            raise PickleError("a list of it has no beginning")
    found = stack[at + 1 :]
    del stack[at:]
    return found


def _put(target: object, pairs: list) -> None:
    if not isinstance(target, dict) or len(pairs) % 2:
        raise PickleError("it fills something that is no dictionary")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str | bytes):
            raise PickleError("a key of a dictionary must be a text")
        target[key] = value


def _run(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    argument: Any
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        name = opcode.name
        if count > _MOST:
            raise PickleError(f"it must have at most {_MOST} instructions")
        if name in _VALUES:
            stack.append(argument)
        elif name in _BYTES:
            stack.append(argument.encode("latin-1"))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "TUPLE":
            stack.append(tuple(_popped(stack)))
        elif name == "APPEND":
            _extend(stack[-2], [stack.pop()])
        elif name == "APPENDS":
            found = _popped(stack)
            _extend(stack[-1], found)
        elif name == "SETITEM":
            pair = [stack[-2], stack[-1]]
            del stack[-2:]
            _put(stack[-1], pair)
        elif name == "SETITEMS":
            found = _popped(stack)
            _put(stack[-1], found)
        elif name == "GLOBAL":
            stack.append(_named(argument))
        elif name == "STACK_GLOBAL":
            texts = [one for one in stack[-2:] if isinstance(one, str)]
            stack[-2:] = [_named(" ".join(texts))]
        elif name == "REDUCE":
            stack[-2:] = [_called(stack[-2], stack[-1])]
        elif name == "BUILD":
            _filled(stack[-2], stack.pop())
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"a CIFAR batch has no instruction {name}")
    raise PickleError("it has no end")


def _extend(target: object, values: list) -> None:
    if not isinstance(target, list):
        raise PickleError("it fills something that is no list")
    target.extend(values)


def read_pickle(data: bytes) -> Any:
    """Return the plain value that a pickle holds. What was a text in Python 2 is bytes.

    Raises
    ------
    PickleError
        It is damaged, or holds anything other than plain values and arrays of integers.
    """
    try:
        found = _run(data)
    except (ValueError, IndexError, KeyError) as error:  # a cut file, an unknown instruction, an empty stack
        raise PickleError(f"it is damaged: {' '.join(str(error).split())[:120]}") from None
    return _plain(found)


def _plain(value: Any) -> Any:
    """Return the arrays of a dictionary as NumPy has them."""
    if isinstance(value, dict):
        return {key: one.values if isinstance(one, _Array) else one for key, one in value.items()}
    return value.values if isinstance(value, _Array) else value
