"""The pages of frameworks with an environment of their own: their code runs there, and prints what they show."""

from pathlib import Path

import pytest

from tests.tools.snippets import run

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {"from-snntorch": "snntorch", "from-norse": "norse", "from-brevitas": "brevitas"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_shows(page, tmp_path, monkeypatch):
    pytest.importorskip(PAGES[page], reason="`make frameworks` has it in an environment of its own")
    monkeypatch.chdir(tmp_path)
    said, shown = run((DOCS / f"{page}.md").read_text(), page)
    assert said == shown
    assert (tmp_path / "mine.yaml").is_file()
