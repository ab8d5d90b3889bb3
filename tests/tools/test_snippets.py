"""Code in pages: every block of Python runs as it stands there."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from tests.tools.snippets import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")), *(ROOT / "examples").glob("*.md")]
ELSEWHERE = {
    "README.md": "tests/reprise/test_api.py",
    "docs/add-a-block.md": "tests/reprise/test_pages.py",
    "docs/from-nir.md": "tests/export/imports/test_pages.py",
    "docs/from-pytorch.md": "tests/export/imports/test_pages.py",
    "docs/from-spikingjelly.md": "tests/export/imports/test_pages.py",
    "docs/model.md": "tests/model/test_docs.py",
    "docs/training.md": "tests/export/test_docs.py",
}
"""Pages whose Python another test runs, and looks at what it did."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def has_python(path: Path) -> bool:
    python = any(language == "python" and not why for why, language, _ in blocks(path.read_text()))
    return python and name_of(path) not in ELSEWHERE


def test_what_runs_elsewhere_is_named_there():
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text(), f"{test} does not run {page}"


def test_marks_are_found():
    text = "```python\na = 1\n```\n\n<!-- not run: it is slow -->\n\n```sh\nmake x\n```\n\n```\nreprise show x\n```\n"
    assert blocks(text) == [("", "python", "a = 1\n"), ("it is slow", "sh", "make x\n"), ("", "", "reprise show x\n")]


@pytest.mark.parametrize("page", [page for page in PAGES if has_python(page)], ids=name_of)
def test_python_of_a_page_runs(page, tmp_path, monkeypatch):
    """The blocks of a page run one after the other in an empty folder, and know each other's names."""
    from reprise.support import cache

    monkeypatch.setenv("REPRISE_CACHE", str(cache.root().resolve()))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for why, language, code in blocks(page.read_text()):
        if language == "python" and not why:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, name_of(page), "exec"), names)
    assert os.getcwd() == str(tmp_path)
