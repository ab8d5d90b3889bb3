"""The shape of the tree: sizes of folders, files and elaborate(), docstrings of packages, one set of checks."""

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "reprise", "tools", "tests")
MOST_FILES, MOST_LINES, MOST_ELABORATE = 12, 300, 60
HANDED_OUT = {ROOT / "flow" / "handoff" / "driver" / "examples"}
"""Folders of programs that are copied to a user and imported nowhere here: not packages."""

FILES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")  # which does not follow the links of reprise/
    if "__pycache__" not in path.parts
)
FOLDERS = sorted({path.parent for path in FILES})
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_tree_was_found():
    assert len(FILES) > 300 and {relative(folder).split("/")[0] for folder in FOLDERS} == set(ROOMS)


def test_no_folder_is_too_full():
    counts = {relative(folder): len([p for p in folder.glob("*.py") if p.name != "__init__.py"]) for folder in FOLDERS}
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_no_file_is_too_long():
    lengths = {relative(path): len(path.read_text().splitlines()) for path in [*FILES, *EXAMPLES]}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_elaborate_is_too_long():
    lengths = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "elaborate":
                lengths[f"{relative(path)}:{node.lineno}"] = node.end_lineno - node.lineno + 1
    assert len(lengths) > 50
    assert {name: lines for name, lines in lengths.items() if lines > MOST_ELABORATE} == {}


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f not in HANDED_OUT], ids=relative)
def test_every_package_says_what_it_is(folder):
    text = (folder / "__init__.py").read_text()
    said = ast.get_docstring(ast.parse(text)) or ""
    assert re.match(r"[A-Z`].{20,}?[.:](\s|$)", said, re.DOTALL), f"{relative(folder)}: {said!r} is no sentence"


def test_a_test_imports_no_other_test():
    """What two tests share lies in a bench or in tests/support: importing a test file runs its fixtures and marks."""
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests."):
                names = [node.module.rsplit(".", 1)[1], *(name.name for name in node.names)]
                if names[0].startswith("test_") or any(name.startswith("test_") for name in names):
                    wrong.append(f"{relative(path)}:{node.lineno}")
    assert wrong == []


def test_rooms_are_imported_through_the_package():
    """``import hw`` from the root of a checkout would make a second copy of every class of ``reprise.hw``.

    (Ruff's TID251 can't say this: it takes a relative import inside of a room for one of the bare name.)
    """
    rooms, wrong = set(ROOMS) - {"reprise", "tools", "tests"}, []
    for path in [*FILES, *EXAMPLES]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module]
            wrong += [f"{relative(path)}:{node.lineno}" for name in names if name.split(".")[0] in rooms]
    assert wrong == []


def test_commits_are_checked_by_what_lint_runs():
    """Each command of ``make lint`` is a hook, and each hook is local: nothing is downloaded."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    recipe = recipe.replace("$(VENV)", ".venv").replace("$(PY)", ".venv/bin/python").replace("$$(git ls-files)", "")
    commands = {re.sub(r"( \.)?\s*$", "", part) for line in recipe.splitlines() for part in line.strip().split(" && ")}
    assert commands == {hook["entry"] for hook in hooks}
