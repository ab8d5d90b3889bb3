"""The pages of frameworks with an environment of their own: their code runs there, and prints what they show.

What it exports runs in RTL by the commands of the other environment, where there is one.
"""

import subprocess
from pathlib import Path

import pytest

from tests.tools.snippets import run

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REPRISE = ROOT / ".venv/bin/reprise"
PAGES = {"from-snntorch": "snntorch", "from-norse": "norse", "from-brevitas": "brevitas"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_shows(page, tmp_path, monkeypatch):
    pytest.importorskip(PAGES[page], reason="`make frameworks` has it in an environment of its own")
    monkeypatch.chdir(tmp_path)
    said, shown = run((DOCS / f"{page}.md").read_text(), page)
    assert said == shown
    assert (tmp_path / "mine.yaml").is_file()
    if REPRISE.exists():
        command = [str(REPRISE), "cosim", "mine.yaml", "--config", "small", "--images", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "elements equal the model" in done.stdout, done.stdout + done.stderr
