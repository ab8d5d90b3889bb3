"""Changes one place of nested lists and mappings, for tests of files whose fields are wrong."""

from __future__ import annotations

import copy
from typing import Any

GONE = "gone"
"""The value that takes a place away."""


def changed_at(values: Any, place: tuple, value: object) -> Any:
    """A copy in which the place, a path of keys and indices, has another value, or is :data:`GONE`."""
    changed = copy.deepcopy(values)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    if value == GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return changed
