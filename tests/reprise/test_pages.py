"""The pages name what is there: links, files, folders and modules exist; pictures of the same thing are the same."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.reprise.names import OTHERS, ROOMS, ROOT, module_exists

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*.md")])
PATH = re.compile(rf"(?:{'|'.join(ROOMS + OTHERS)})/[\w./{{}},*<>-]*")
PLACEHOLDER = re.compile(r"<|\b(?:BOX|NAME|CONFIG|KIND|KEY|FILE|PART)\b")
"""Paths with one of these stand for many."""

FILES = ("core", "v", "h", "c", "py", "md", "dtsi")
"""Suffixes: ``reprise.core`` is a file of the hand-off, not a module."""

MODULE = re.compile(r"(?:reprise|tools|tests)(?:\.\w+)+")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its old names: what a table of moves or an earlier version says is history."""
    text = page.read_text()
    return re.sub(r"<!-- history -->.*?<!-- end of history -->", "", text, flags=re.DOTALL)


def quoted(text: str) -> list[str]:
    """What stands in backticks, outside of blocks of code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_modules_exist(page):
    """Every path and module in backticks; ``*`` and ``{a,b}`` stand for what they match."""
    for word in quoted(prose(page)):
        if PATH.fullmatch(word) and not word.startswith("build/") and not PLACEHOLDER.search(word):
            choices = re.split(r"[{}]", word)
            names = [choices[0] + one + choices[2] for one in choices[1].split(",")] if len(choices) == 3 else [word]
            for one in names:
                assert any(ROOT.glob(one.rstrip("/"))), word
        if MODULE.fullmatch(word) and word.rsplit(".", 1)[1] not in FILES:
            assert module_exists(word), word


def test_the_glossary_names_files():
    rows = re.findall(r"^\| (?!word|---)(.*) \|$", (DOCS / "glossary.md").read_text(), flags=re.MULTILINE)
    words = " ".join(row.split("|")[0] for row in rows)
    for row in rows:
        cells = [cell.strip() for cell in row.split(" | ")]
        assert len(cells) == 4 and all(cells), row
        (file,) = quoted(cells[3])
        assert (ROOT / file).is_file(), file
    for word in (
        "tile",
        "row",
        "plane",
        "prefix",
        "residual",
        "exact match",
        "m tile",
        "K tile",
        "TCAM entry",
        "result",
    ):
        assert word in words
    for word in ("weight slot", "context", "dirty", "level", "timestep", "lane", "group", "partial sum", "membrane"):
        assert word in words
    for word in ("readout", "barrier", "join", "bound", "cycle model", "published model", "hazard", "STEAL_AFTER"):
        assert word in words


def figure(text: str) -> list[str]:
    """The lines of the data flow's figure, from memory to memory, without indentation."""
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.lstrip().startswith("memory: layer program"))
    last = next(n for n in range(first, len(lines)) if "packer]" in lines[n])
    indent = len(lines[first]) - len(lines[first].lstrip())
    return [line[indent:].rstrip() for line in lines[first : last + 1]]


def test_the_figure_is_the_same():
    """docs/architecture.md shows the figure of the package of the hardware, with the names of its folders."""
    source = ast.get_docstring(ast.parse((ROOT / "hw" / "__init__.py").read_text()), clean=False)
    shown = figure((DOCS / "architecture.md").read_text())
    assert shown == figure(source)
    contract = (ROOT / "pyproject.toml").read_text()
    boxes = {path.name for path in (ROOT / "hw").iterdir() if (path / "__init__.py").exists()}
    named = set(re.findall(r"\b(?:" + "|".join(boxes) + r")\b", "\n".join(shown)))
    assert named == boxes - {"arch", "interface", "lib"}
    assert {box for box in boxes if f"reprise.hw.{box}" not in contract} == set()


def test_tests_that_pages_name_exist():
    defined = set(re.findall(r"def (test_\w+)", "\n".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))))
    defined |= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for page in PAGES:
        for word in quoted(prose(page)):
            for name in re.findall(r"\btest_\w+", word):
                assert name in defined, f"{name_of(page)}: {name}"


def test_the_block_of_the_page_works():
    """docs/add-a-block.md shows a whole block and its test: both run as they stand there."""
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "add-a-block.md").read_text(), flags=re.DOTALL):
        exec(compile(block, "docs/add-a-block.md", "exec"), names)
    for seed in range(3):
        names["test_counts_exactly"](seed)


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {one["url"].rsplit("/", 1)[1] for one in citation["references"]} == {"2503.03379", "2510.24637"}


def test_every_room_has_its_tests_named():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert all(f"| `{room}/`" in text for room in ROOMS if room != "tests")


def test_the_index_names_every_page():
    text = (DOCS / "index.md").read_text()
    missing = [
        name_of(page)
        for page in DOCS.rglob("*.md")
        if page.name != "index.md" and f"({page.relative_to(DOCS)})" not in text
    ]
    assert missing == []
