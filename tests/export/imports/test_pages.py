"""docs/from-pytorch.md, docs/from-spikingjelly.md and docs/from-nir.md: their code runs, and prints what they show."""

from pathlib import Path

import pytest

from reprise.support import cache
from tests.tools.snippets import blocks, run

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = {"from-pytorch": "torch", "from-spikingjelly": "spikingjelly", "from-nir": "nir"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_shows(page, tmp_path, monkeypatch):
    pytest.importorskip(PAGES[page], reason="the optional extra 'import' is not installed")
    monkeypatch.setenv("REPRISE_CACHE", str(cache.root().resolve()))
    monkeypatch.chdir(tmp_path)
    said, shown = run((DOCS / f"{page}.md").read_text(), page)
    assert said == shown


@pytest.mark.parametrize("page", sorted(DOCS.glob("from-*.md")), ids=lambda page: page.stem)
def test_from_ones_own_module_it_takes_twelve_lines(page):
    """The last block of Python is what a person writes behind the own module."""
    code = [code for _, language, code in blocks(page.read_text()) if language == "python"][-1]
    assert 0 < len(code.strip().splitlines()) <= 12
