"""Reads pickles of plain values, as the python batches of CIFAR are, without running any of them.

A pickle is a small program, and Python's own reader runs it: it can call any function, and even one that may call
nothing can take all memory by a damaged number. This reader knows dictionaries, lists, tuples, numbers, texts, bytes
and NumPy arrays. It goes through the instructions itself and calls nothing that the file names: a closed list says what
each name that is allowed stands for (:class:`Names`), and any other is refused.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import numpy as np

INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
"""NumPy's names of the integer types."""

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


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a pickle may name.

    Members
    -------
    rule : what such a pickle holds, as a sentence that begins with its kind
    calls : what a call of a function gives that the pickle names by "module name"; the argument is what it is given
    stored : what stands for something that lies outside of the pickle, by its identity, or None if nothing does
    """

    rule: str
    calls: Mapping[str, Callable[[Any], Any]]
    stored: Callable[[Any], Any] | None = None

    def named(self, text: object) -> _Name:
        """Return a function or class that is allowed."""
        if text not in self.calls:
            raise PickleError(f"{self.rule}, not {str(text).replace(' ', '.')[:80]}")
        return _Name(str(text))

    def called(self, name: object, given: object) -> Any:
        """Return what a call of a known name would give."""
        if not isinstance(name, _Name):
            raise PickleError(WRONG_CALL)
        return self.calls[name.text](given)


WRONG_CALL = "it calls a function in a way that NumPy does not"


def _array(_given: object) -> _Array:
    return _Array()


def _type(kinds: tuple[str, ...], what: str, given: object) -> _Type:
    parts = given if isinstance(given, tuple) else ()
    if not parts or not isinstance(parts[0], str | bytes):
        raise PickleError(WRONG_CALL)
    kind = parts[0].decode("latin-1") if isinstance(parts[0], bytes) else parts[0]
    if kind not in kinds:
        raise PickleError(f"an array must be of {what}, not of type {kind[:40]!r}")
    return _Type(kind)


def _encoded(given: object) -> bytes:
    parts = given if isinstance(given, tuple) else ()
    if len(parts) == 2 and isinstance(parts[0], str) and parts[1] in ("latin1", "latin-1"):
        return parts[0].encode("latin-1")
    raise PickleError(WRONG_CALL)


def _no_bytes(given: object) -> bytes:
    if given != ():
        raise PickleError(WRONG_CALL)
    return b""


def _refused(_given: object) -> Any:
    raise PickleError(WRONG_CALL)


def arrays_of(kinds: tuple[str, ...], what: str) -> dict[str, Callable[[Any], Any]]:
    """Return what a pickle of NumPy arrays calls, for arrays of these types, which ``what`` tells in words."""
    return {
        "numpy.core.multiarray _reconstruct": _array,
        "numpy._core.multiarray _reconstruct": _array,
        "numpy ndarray": _refused,
        "numpy dtype": partial(_type, kinds, what),
        "_codecs encode": _encoded,
        "__builtin__ bytes": _no_bytes,
        "builtins bytes": _no_bytes,
    }


CIFAR = Names(rule="a CIFAR batch holds NumPy arrays only", calls=arrays_of(INTEGERS, "integers"))


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


def _run(data: bytes | IO[bytes], names: Names) -> Any:
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
            stack.append(names.named(argument))
        elif name == "STACK_GLOBAL":
            texts = [one for one in stack[-2:] if isinstance(one, str)]
            stack[-2:] = [names.named(" ".join(texts))]
        elif name == "REDUCE":
            stack[-2:] = [names.called(stack[-2], stack[-1])]
        elif name == "BINPERSID" and names.stored is not None:
            stack[-1] = names.stored(stack[-1])
        elif name == "BUILD":
            _filled(stack[-2], stack.pop())
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"{names.rule}: it has no instruction {name}")
    raise PickleError("it has no end")


def _extend(target: object, values: list) -> None:
    if not isinstance(target, list):
        raise PickleError("it fills something that is no list")
    target.extend(values)


def read_pickle(data: bytes | IO[bytes], names: Names = CIFAR) -> Any:
    """Return the plain value that a pickle holds. What was a text in Python 2 is bytes.

    Of a stream, one pickle is read, and the stream stands behind it.

    Raises
    ------
    PickleError
        It is damaged, or holds anything other than plain values and what ``names`` allows.
    """
    try:
        found = _run(io.BytesIO(data) if isinstance(data, bytes) else data, names)
    except (ValueError, IndexError, KeyError, TypeError) as error:  # cut, an unknown instruction, an empty stack
        raise PickleError(f"it is damaged: {' '.join(str(error).split())[:120]}") from None
    return _plain(found)


def _plain(value: Any) -> Any:
    """Return the arrays of a dictionary, and those of lists in it, as NumPy has them; each list is copied once."""
    done: dict[int, Any] = {}

    def array(one: Any) -> Any:
        return one.values if isinstance(one, _Array) else one

    def listed(one: Any) -> Any:
        if isinstance(one, list):
            if id(one) not in done:
                done[id(one)] = [array(part) for part in one]
            return done[id(one)]
        return array(one)

    return {key: listed(one) for key, one in value.items()} if isinstance(value, dict) else listed(value)
