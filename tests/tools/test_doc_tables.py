"""Tables and pictures of the pages are what their makers make; figures that nothing makes stand in none."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reprise.cosim.bench.system import Traffic
from reprise.cosim.trace import chrome
from reprise.cosim.trace import picture as drawing
from reprise.estimate.baselines.accelerator import CLOCK_MHZ
from reprise.estimate.cycles.parameters import STEPS
from reprise.export.find import open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.processor.issue import STEAL_AFTER
from reprise.hw.sequencer.products import ProductChecker
from reprise.hw.sequencer.sequencer import DRAIN_CYCLES
from reprise.support.yaml_file import LIMIT
from tools import doc_tables
from tools.tables import record

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


UNITS = "%|times|m?s|seconds?|minutes?|hours?|[kMG]Hz|[KMG]iB|cycles?|slices|frames?|points?|spikes|LUTs|steps|programs"
TYPED = re.compile(rf"(?<![\w.,/-])[+-]?\d[\d,.]*(?: to \d[\d,.]*)?[ -]?(?:{UNITS})(?!\w)")
"""A number with a unit in a text."""

CHOSEN = {
    "add-a-block.md": ["must show 0 mismatches and +0.0 %"],
    "add-an-importer.md": ['("time is cut in steps of 0.0001 s")'],
    "change-a-latency.md": ["that is not exactly +0.0 %", '"Latency: 4 cycles', "in both columns, +0.0 %"],
    "core.md": ["goals were 36,100 cycles and 1.5 % over the bound with one bank, and 19,100 cycles and 3 % with two"],
    "fpga.md": ["a bridge (4 KiB of 32-bit registers)", "a multiple of 4 KiB"],
    "limits-and-helps.md": ["missing to 100 %"],
    "proofs.md": ["none spans 4 KiB"],
}
"""Numbers with a unit that are no results, by the page: goals, examples, the whole, and the rules of AXI."""


def counted() -> dict[str, list[str]]:
    """What the pages say with a number, as the constants, the records and the tables have it now."""
    paper, drained = HardwareConfig.load("paper"), f"{DRAIN_CYCLES:,} cycles"
    model = record("bench")["results"]["model.large"]["process_peak_mib"]
    cores = [one for one in record("resources")["records"] if (one["kind"], one["config"]) == ("route", "paper")]
    clocks = {grade: max(one["fmax"] for one in cores if one["grade"] == grade) for grade in (6, 8)}
    reached = "both are reached" if clocks[6] >= 80 and clocks[8] >= 100 else "not both are reached"
    cases = dict(re.findall(r"fuzz --config (\w+) --cases (\d+)", (ROOT / "Makefile").read_text()))
    digits = open_network("digits", paper)
    rows = re.findall(r"^\| `sparse-b2`, seed \d \|(.*)\|$", (ROOT / "docs/training.md").read_text(), re.MULTILINE)
    spared = [[int(percent) for percent in re.findall(r"(\d+) % \(", row)] for row in rows]
    best = [float(re.findall(r"\(([\d.]+) %\)", row)[0]) / 100 for row in rows]
    errors = {f"{100 * (one * (1 - one) / 10_000) ** 0.5:.1f}" for one in best}
    assert len(rows) == 3 and [[n for n, one in enumerate(row) if one < 20] for row in spared] == [[], [], [0]]
    return {
        "baselines.md": [f"The published clock is {CLOCK_MHZ} MHz in 28 nm"],
        "configuration.md": [f"has at most {max(one.channels for one in digits.network.layers)} channels"],
        "cosim.md": [f"plays {int(cases['tiny']):,} programs on `tiny` and {int(cases['small']):,} on `small`"],
        "fpga.md": [f"is set after {drained}", f"80 MHz on speed grade 6 and 100 MHz on grade 8, and {reached}"],
        "host.md": [f"have not come after {drained}"],
        "limits-and-helps.md": [
            f"With 6 of {paper.lanes} lanes, {paper.lanes - 6} adders",
            f"leave {STEPS} times as fast",
        ],
        "memory-map.md": [f"some {round(ProductChecker.cycles(paper), -1)} cycles on one multiplier"],
        "model.md": [
            f"the whole {65536 * 4608 >> 20} MiB matrix and stays {'under' if model < 1024 else 'above'} 1 GiB",
        ],
        "network-format.md": [f"at most {LIMIT >> 20} MiB"],
        "one-layer.md": [f"answers {Traffic().latency} cycles after it is asked"],
        "processor.md": [f"none for {STEAL_AFTER} cycles (`STEAL_AFTER`)"],
        "reading-the-report.md": [f"at most {drawing.STEPS} steps", f"more than {chrome.MOST:,} slices"],
        "transformers.md": [
            # two for T x tokens x channels
            f"counts {2 * 4 * 64 * 512 // paper.lanes:,} cycles for attention in each of its blocks",
        ],
        "training.md": [
            f"One image of the digits' test set is {100 / digits.accuracy['images']:.2f} points",
            "Of their fifteen points one, seed 2 at its best, is below 20 %",
            f"a standard error of {' or '.join(sorted(errors))} points",
        ],
    }


def test_numbers_with_a_unit_are_counted_or_chosen():
    """Whatever else a page tells in numbers with a unit is a table or a transcript that is made."""
    known, unknown = counted(), []
    for page in doc_tables.pages():
        if page.parent.name == "decisions" or page.name in ("registers.md", "CHANGELOG.md", "CONTRIBUTING.md"):
            continue  # a diary beside whose numbers stand their commands; made as a whole; the changes; a page of rules
        text, name = " ".join(by_hand(page).split()), page.name
        for said in (*known.get(name, []), *CHOSEN.get(name, [])):
            assert said in text, f"{name}: {said}"
            text = text.replace(said, "")
        unknown += [f"{name}: {found[0]}" for found in TYPED.finditer(re.sub(r"`[^`]*`", "", text))]
    assert unknown == []


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
