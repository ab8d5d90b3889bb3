"""Reads Liberty files as trees of groups, as far as libraries of standard cells need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}();:,]|[^\s{}();:,"]+', re.DOTALL)
NOISE = re.compile(r"/\*.*?\*/|\\\n", re.DOTALL)
"""Comments, and line ends that go on."""


@dataclass(kw_only=True)
class Group:
    """A group ``kind (name) { ... }`` with its attributes and the groups in it."""

    kind: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, kind: str) -> list[Group]:
        """Return the groups of a kind."""
        return [one for one in self.groups if one.kind == kind]


def numbers(text: str) -> list[float]:
    """Return the numbers of an attribute such as ``index_1 ("0.1, 0.2")``."""
    return [float(part) for part in re.findall(r"[-+.\deE]+", text)]


def parse(text: str) -> Group:
    """Return the library of a Liberty file."""
    tokens = (found[0] for found in TOKEN.finditer(NOISE.sub(" ", text)))
    root = Group(kind="file", name="")
    _fill(root, tokens)
    return root.groups[0]


def _fill(group: Group, tokens: Iterator[str]) -> None:
    """Read statements until the group's closing brace."""
    for word in tokens:
        if word == "}":
            return
        if word == ";":
            continue
        after = next(tokens)
        if after == ":":
            parts = []
            while (part := next(tokens)) != ";":
                parts.append(part)
            group.attributes[word] = " ".join(parts).strip('"')
            continue
        arguments = []
        while (part := next(tokens)) != ")":
            arguments.append(part)
        text = " ".join(arguments)
        following = next(tokens)
        if following == "{":
            inner = Group(kind=word, name=text.strip('"'))
            group.groups.append(inner)
            _fill(inner, tokens)
        else:
            group.attributes[word] = text
