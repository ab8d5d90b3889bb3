"""What docstrings and comments name is there: files and folders of the repository, modules and what they define."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.reprise.names import OTHERS, ROOMS, ROOT, module_exists

SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if not any(parent.is_symlink() for parent in path.parents)
)
PATH = re.compile(rf"(?<![\w./<-])(?:{'|'.join((*ROOMS, *OTHERS))})/[\w./*<>{{}},-]*")
ROLE = re.compile(r":(?:mod|func|class|data|meth):`~?([\w.]+)`")


def words(text: str) -> str:
    """Docstrings and comments of a file."""
    expressions = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr))
    found = [one.value for one in expressions if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join([*found, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


def missing_paths(text: str) -> list[str]:
    """Paths that the repository does not have; capitals and ``<...>`` stand for any name."""
    found = []
    for word in PATH.findall(text):
        name = word.rstrip(".,-")
        if name.startswith("build/") or "<" in name or re.search(r"[A-Z]{3}", name.rpartition("/")[2]):
            continue
        choices = re.split(r"[{}]", name)
        names = [choices[0] + one + choices[2] for one in choices[1].split(",")] if len(choices) == 3 else [name]
        found += [one for one in names if not any(ROOT.glob(one.rstrip("/")))]
    return found


def missing_modules(text: str, path: Path) -> list[str]:
    """Names of ``:mod:`` and its like that are neither defined here, nor in the package, nor outside of it."""
    found = []
    here = ROLE.sub("", path.read_text())
    for name in ROLE.findall(text):
        first = name.split(".")[0]
        if first in ("reprise", "tools", "tests"):
            found += [] if module_exists(name) else [name]
        elif first in ROOMS and "." in name:
            found.append(name)  # rooms are parts of the package
        elif "." not in name and not re.search(rf"\b{name}\b", here):
            found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_source_names_is_there(path):
    text = words(path.read_text())
    assert missing_paths(text) == []
    assert missing_modules(text, path) == []


def test_what_is_missing_is_found():
    text = '"""See hw/psum.py, docs/fpga.md, estimate/{area,nothing}/, build/x."""\nA = 1\n"""hw/gone/"""  # model/'
    assert missing_paths(words(text)) == ["hw/psum.py", "estimate/nothing/", "hw/gone/"]
    assert missing_modules(":mod:`hw.core` :func:`reprise.hw.core.Core` :mod:`reprise.hw.gone`", Path(__file__)) == [
        "hw.core",
        "reprise.hw.gone",
    ]
