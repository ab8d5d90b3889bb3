"""The one way in which YAML files that people write, and JSON files, are read, and in which their faults are told.

These files may come from strangers, so that only plain YAML is read: mappings, lists and single values. Nothing in a
file is a reference to another part of it, no key stands twice, and size and nesting are bounded, so that reading takes
time and memory in proportion to the file. A value is what YAML 1.2 says it is, and what YAML 1.1 reads otherwise
(``yes``, ``010``, ``1_000``, ``1:30``) is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .errors import RepriseError

LIMIT = 1 << 20
"""Bytes of the longest file that is read. What people write here has a few kilobytes."""

JSON_LIMIT = 16 << 20
"""Bytes of the longest JSON file that is read, which a program has written."""

DEPTH = 20
"""How deeply lists and mappings may be nested. A network file nests four deep, and its recipe is free."""

VALUES = 50_000
"""The most values in a file; a layer of a network file has about 40."""

DIGITS = 40
"""The longest integer that is read. The limits of the fields are far below; the message shall be short."""

_WORDS = {word: value for base, value in (("null", None), ("true", True), ("false", False))
          for word in (base, base.title(), base.upper())} | {"": None, "~": None}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIFFERS = re.compile(
    r"(?i:yes|no|on|off)|[-+]?0[0-9_]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"
    r"|[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"
)
"""What other readers take for a switch or a number: octal, hexadecimal, with underscores, in base 60."""


class _Refused(Exception):
    """Something that a file must not hold: the field, the rule, the value and the remedy."""

    def __init__(self, field: str, rule: str, value: object, remedy: str = "") -> None:
        self.parts: dict[str, Any] = {"field": field, "rule": rule, "value": value, "remedy": remedy}


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _scalar(event: Any) -> Any:
    """Return what a single value means."""
    text = event.value
    if not event.implicit[0]:  # it stands in quotes, or is a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _DIFFERS.fullmatch(text):
        remedy = "readers of YAML disagree on what it is; a text stands in quotes, and a switch is true or false"
        raise _Refused(f"the value in {_line(event)}", "a decimal number, true, false or a text", text[:40], remedy)
    if _INTEGER.fullmatch(text):
        if len(text) > DIGITS:
            raise _Refused(f"the integer in {_line(event)}", f"of at most {DIGITS} digits", f"one of {len(text)}")
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _checked(events: Iterator[Any]) -> Iterator[Any]:
    """Pass events on until one is of something that no file may hold."""
    depth, values, documents = 0, 0, 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused("the file", "one YAML document", "several", "no line may be ---")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            remedy = "write the value out in each place"
            raise _Refused(_line(event), "without anchors and aliases", f"{sign}{event.anchor}"[:40], remedy)
        if getattr(event, "tag", None) and event.tag != "!":
            raise yaml.YAMLError(f"could not determine a constructor for the tag {event.tag[:80]!r} in {_line(event)}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                raise _Refused(_line(event), f"nested at most {DEPTH} deep", "deeper")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        if values > VALUES:
            raise _Refused("the file", f"at most {VALUES} values", "more")
        yield event


def _value(event: Any, events: Iterator[Any]) -> Any:
    """Return the value that begins with an event; its nesting is bounded by :func:`_checked`."""
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        found = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            found.append(_value(event, events))
        return found
    mapping: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        at, key = _line(event), _value(event, events)
        if not isinstance(key, str):
            raise _Refused("the name of a field", "text", key)
        if key in mapping:
            raise _Refused(f"field {key[:80]!r}", "given once", f"again in {at}", "two values contradict each other")
        mapping[key] = _value(next(events), events)
    return mapping


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds, or None for an empty one.

    Raises
    ------
    yaml.YAMLError
        It is no YAML.
    """
    events = _checked(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    found = None
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            found = _value(event, events)
    return found


def read_yaml(
    path: Path, *, kind: type[RepriseError] = RepriseError, rule: str = "be a mapping of fields"
) -> dict[str, Any]:
    """Read the mapping that a YAML file holds.

    Parameters
    ----------
    path : of the file
    kind : class of the error that is raised
    rule : what the file must be or do, for the message

    Raises
    ------
    RepriseError
        The file cannot be read, is too long, is no plain YAML, is empty, or holds something other than a mapping. It
        is of ``kind``.
    """
    where = str(path)
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise kind(where=where, field="the file", rule=f"at most {LIMIT} bytes", value=size)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise kind(f"{path}: cannot be read: {error.strerror}", where=where) from None
    except UnicodeDecodeError as error:
        raise kind(f"{path}: must be YAML: {error}", where=where) from None
    try:
        values = parse_yaml(text)
    except _Refused as error:
        raise kind(where=where, **error.parts) from None
    except yaml.YAMLError as error:
        raise kind(f"{path}: must be YAML: {' '.join(str(error).split())}", where=where) from None
    if not values and not isinstance(values, bool | int | float):
        raise kind(f"{path}: the file must {rule}, not 'an empty one'", where=where, field="the file", rule=rule)
    if not isinstance(values, dict):
        given = type(values).__name__
        raise kind(f"{path}: must {rule}, not {given}", where=where, rule=rule, value=given)
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"field {twice[:80]!r}", "given once", "twice", "two values contradict each other")
    return found


def read_json(path: Path, *, kind: type[RepriseError] = RepriseError) -> dict[str, Any]:
    """Read the mapping that a JSON file holds, by the same rules as :func:`read_yaml`.

    Raises
    ------
    RepriseError
        The file cannot be read, is too long, is no JSON, names a field twice, or holds no mapping. It is of ``kind``.
    """
    where = str(path)
    try:
        size = path.stat().st_size
        if size > JSON_LIMIT:
            raise kind(where=where, field="the file", rule=f"at most {JSON_LIMIT} bytes", value=size)
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise kind(f"{path}: cannot be read: {error.strerror}", where=where) from None
    except _Refused as error:
        raise kind(where=where, **error.parts) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise kind(f"{path}: must be JSON: {error}", where=where) from None
    except RecursionError:
        raise kind(f"{path}: must be JSON that is not nested so deeply", where=where) from None
    except ValueError as error:  # an integer of thousands of digits
        raise kind(f"{path}: must be JSON of short numbers: {error}", where=where) from None
    if not isinstance(values, dict):
        raise kind(f"{path}: must be a mapping of fields, not {type(values).__name__}", where=where)
    return values


class _Dumper(yaml.SafeDumper):
    """Quotes every text that :func:`parse_yaml` would take for something else, such as ``1e3``."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(f"(?:{_DIFFERS.pattern})$"), list("-+0123456789yYnNoO")
)


def to_yaml(values: dict[str, Any]) -> str:
    """Return the text of plain values, which :func:`parse_yaml` reads as the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=120, default_flow_style=None)
