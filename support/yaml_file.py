"""The one way in which YAML files that people write are read, and in which their faults are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .errors import RepriseError

LIMIT = 16 << 20
"""Bytes of the longest file that is read. What people write here has a few kilobytes."""


def read_yaml(
    path: Path, *, kind: type[RepriseError] = RepriseError, rule: str = "be a mapping of fields"
) -> dict[str, Any]:
    """Read the mapping that a YAML file holds; an empty file gives an empty mapping.

    Parameters
    ----------
    path : of the file
    kind : class of the error that is raised
    rule : what the file must be or do, for the message

    Raises
    ------
    RepriseError
        The file cannot be read, is too long, is no YAML, or holds something other than a mapping. It is of ``kind``.
    """
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise kind(where=str(path), field="the file", rule=f"at most {LIMIT} bytes", value=size)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise kind(f"{path}: cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise kind(f"{path}: must be YAML: {error}", where=str(path)) from None
    try:
        values = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise kind(f"{path}: must be YAML: {' '.join(str(error).split())}", where=str(path)) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        given = type(values).__name__
        raise kind(f"{path}: must {rule}, not {given}", where=str(path), rule=rule, value=given)
    for name in values:
        if not isinstance(name, str):
            raise kind(where=str(path), field="the name of a field", rule="text", value=name)
    return values
