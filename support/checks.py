"""Checks of single values. All speak with one voice: an error names the field, the rule, the value and the reason."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import numpy as np

from .errors import RepriseError


def require(ok: bool, name: str, rule: str, value: object, why: str = "") -> None:
    """Raise ``RepriseError("<name> must be <rule>, not <value>[: <why>]")`` unless ``ok``."""
    if not ok:
        raise RepriseError(field=name, rule=rule, value=value, remedy=why)


def require_int(name: str, value: object, low: int, high: int | None = None, why: str = "") -> None:
    """Raise RepriseError unless ``value`` is a Python or NumPy integer (not a bool) within ``low..high``."""
    rule = f"an integer of at least {low}" if high is None else f"an integer in {low}..{high}"
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    ok = isinstance(value, int | np.integer) and low <= int(value) and (high is None or int(value) <= high)
    require(whole and ok, name, rule, value, why)


def require_positive(name: str, value: object, why: str = "") -> None:
    """Raise RepriseError unless ``value`` is a Python or NumPy number above 0 and finite."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    ok = isinstance(value, int | float | np.integer | np.floating) and 0 < value < float("inf")
    require(bool(number and ok), name, "above 0 and finite", value, why)


Made = TypeVar("Made")
LARGEST = 1 << 40
"""The largest integer that :func:`from_fields` takes: byte addresses are below it."""


def from_fields(cls: type[Made], values: object, where: str) -> Made:
    """Make a dataclass from the values of its fields: integers from 0 on, lists of such, texts and switches.

    Parameters
    ----------
    cls : the dataclass
    values : what a file holds: a mapping with every field of ``cls``, and no other
    where : what holds the values, for the message

    Raises
    ------
    RepriseError
        It is no mapping, a field is missing or unknown, or a value has another type or is out of range.
    """
    require(
        isinstance(values, Mapping), where, "a mapping of fields", values if values is None else type(values).__name__
    )
    assert isinstance(values, Mapping)
    made: Any = cls
    names, types = [one.name for one in dataclasses.fields(made)], get_type_hints(cls)
    require(set(values) == set(names), f"{where}: the fields", ", ".join(names), ", ".join(map(str, values))[:200])
    for name in names:
        if types[name] is int:
            require_int(f"{where}: {name}", values[name], 0, LARGEST)
        elif types[name] == tuple[int, ...]:
            listed = isinstance(values[name], (list, tuple)) and all(type(n) is int and n >= 0 for n in values[name])
            require(listed, f"{where}: {name}", "a list of integers from 0 on", values[name])
            values = {**values, name: tuple(values[name])}
        else:
            what = {str: "a text", bool: "true or false"}[types[name]]
            require(isinstance(values[name], types[name]), f"{where}: {name}", what, values[name])
    return made(**values)


def int_array(name: str, value: object, dtype: type, ndim: int) -> np.ndarray:
    """Copy integers into a read-only array of ``dtype`` with ``ndim`` axes, in C order.

    Raises
    ------
    RepriseError
        The values are no integers, do not fit ``dtype``, are none at all, or have another number of axes.
    """
    array = np.asarray(value)
    require(
        np.issubdtype(array.dtype, np.integer),
        name,
        "an array of integers",
        str(array.dtype),
        "nothing in the network is rounded silently",
    )
    require(array.ndim == ndim, name, f"an array of {ndim} axes", array.shape)
    require(array.size > 0, name, "not empty", array.shape)
    info = np.iinfo(dtype)
    low, high = int(array.min()), int(array.max())
    require(
        info.min <= low and high <= info.max,
        name,
        f"within {np.dtype(dtype).name} ({info.min}..{info.max})",
        (low, high),
    )
    array = np.array(array, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
