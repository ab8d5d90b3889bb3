"""YAML files that people write: read once, in one way, with one voice for what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .errors import RepriseError

LIMIT = 16 << 20
"""Bytes of the longest file that is read: what people write here has a few kilobytes."""


def read_yaml(
    path: Path, *, kind: type[RepriseError] = RepriseError, rule: str = "be a mapping of fields"
) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping.

    Parameters
    ----------
    path : of the file.
    kind : the error to raise.
    rule : what the file must do or be, for the message.

    Raises
    ------
    RepriseError
        (of ``kind``) A file that cannot be read, is too long, is no YAML, or holds something else than a mapping.
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
    return values
