"""Tables and pictures of the pages are what their makers make; figures that nothing makes stand in none."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools import doc_tables

ROOT = doc_tables.ROOT
TABLES = [(page, *table) for page in doc_tables.pages() for table in doc_tables.marked(page.read_text())]
MAKERS = sorted({name for _, name, *_ in TABLES})


@pytest.mark.parametrize("name", MAKERS)
def test_pages_show_what_a_maker_makes(name):
    """Its tables in all pages, and its pictures: what they need is computed once."""
    for page in sorted({page for page, maker, *_ in TABLES if maker == name}):
        text = page.read_text()
        assert text == doc_tables.updated(text, only=lambda one: one == name), f"{page.name}: run make docs"
    for picture, draw in getattr(doc_tables.maker(name), "PICTURES", {}).items():
        assert (doc_tables.IMAGES / picture).read_bytes() == doc_tables.drawn(draw, picture), (
            f"{picture}: run make docs"
        )
    for file, text in getattr(doc_tables.maker(name), "FILES", {}).items():
        assert (ROOT / file).read_text() == text(), f"{file}: run make docs"


def test_every_maker_and_every_record_is_used():
    assert {name.replace("-", "_") for name in MAKERS} == {p.stem for p in doc_tables.MAKERS.glob("*.py")} - {
        "__init__"
    }
    makers = "".join(path.read_text() for path in [*doc_tables.MAKERS.glob("*.py"), ROOT / "flow/fpga/baseline.py"])
    for path in (ROOT / "docs" / "measured").glob("*.json"):
        assert path.stem in makers or path.stem.removeprefix("density_") in makers, path.name


def test_every_record_has_its_command():
    """CONTRIBUTING.md says for each how it is measured; tests/reprise/test_commands_in_texts.py parses the commands."""
    rows = re.findall(r"^\| (`[^|]*\.json`) \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    named = {name for records, _ in rows for name in re.findall(r"`(\w+\.json)`", records)}
    assert named == {path.name for path in (ROOT / "docs" / "measured").glob("*.json")}
    assert all(re.search(r"`(python|make|reprise) ", command) for _, command in rows)


FIGURE = re.compile(r"[+-]?\**[\d,]*\d(?:\.\d+)?\**(?: ?(?:%|x|s|MHz|MiB|times))?(?: \(.*\))?")
"""A cell that is a measured figure."""


def by_hand(page: Path) -> str:
    """The page without tables that are made, code, and what it says that was measured once."""
    text = page.read_text()
    for _, _, begin, end in reversed(list(doc_tables.marked(text))):
        text = text[:begin] + text[end:]
    return re.sub(r"<!-- history -->.*?<!-- end of history -->|```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", doc_tables.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_table_of_figures_is_written_by_hand(page):
    """What was measured comes from a record; what can't be measured again says so (``<!-- history -->``)."""
    if page.name == "registers.md":
        return  # made as a whole, by reprise.hw.csr.generate (tests/hw/csr)
    for line in by_hand(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        assert sum(bool(FIGURE.fullmatch(cell)) for cell in cells) < 2, line


PAGE = "# Title\n\n<!-- table: bench model -->\nold\n<!-- end of table -->\n\nafter\n"


def test_what_is_between_the_marks_is_replaced():
    new = doc_tables.updated(PAGE)
    assert new.startswith("# Title\n\n<!-- table: bench model -->\n\n| benchmark |") and "old" not in new
    assert new.endswith("|\n\n<!-- end of table -->\n\nafter\n")
    assert doc_tables.updated(new) == new
    assert doc_tables.updated(PAGE, only=lambda name: name != "bench") == PAGE


@pytest.mark.parametrize(
    "page, message",
    [
        (PAGE.replace("end of", "no"), "<!-- table: bench model --> must be followed by <!-- end of table -->"),
        (PAGE.replace("<!-- end", "<!-- table: x -->\n<!-- end"), "bench model --> must be followed by"),
        (PAGE.replace("bench", "nothing-here"), "must be made by a module of tools/tables, .*nothing_here.py is none"),
    ],
)
def test_wrong_marks_are_named(page, message):
    with pytest.raises(doc_tables.TableError, match=message):
        doc_tables.updated(page)


def test_stale_pages_are_told_and_written(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    monkeypatch.setattr(doc_tables, "ROOT", tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(doc_tables.app, [str(page), *arguments])
        return done.exit_code, done.output

    assert run("--help")[0] == 0 and page.read_text() == PAGE
    assert run() == (1, "differs: page.md\n") and page.read_text() == PAGE
    assert run("--write") == (0, "written: page.md\n") and page.read_text() == doc_tables.updated(PAGE)
    assert run() == (0, "")


def first_cells(page: str, head: str) -> set[str]:
    """The names in the first column of the table whose head begins with ``head``."""
    lines = iter((ROOT / "docs" / page).read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    next(lines)
    rows = [line for line in lines if line.startswith("|") or not line]
    cells = [row.split("|")[1] for row in rows[: rows.index("")]]
    return {name.strip(" `") for cell in cells for name in cell.split(",")}


def test_reading_the_report_explains_every_block_and_every_cause():
    from reprise.cosim.report.tables import CAUSES
    from reprise.estimate.limits import NAMES

    assert first_cells("reading-the-report.md", "block") == set(NAMES.values())
    assert first_cells("reading-the-report.md", "cause") == set(CAUSES)
