"""Commands that pages, docstrings, messages and figures name are commands: each is parsed against the application."""

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from reprise.cli import app
from tests.tools.snippets import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "flow").rglob("*.md.j2")])
SOURCES = sorted(
    path
    for room in ("support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "tools")
    for path in (ROOT / room).rglob("*.py")
)
TOP = get_command(app.app)


def commands_in(text: str, mark: str) -> list[str]:
    """What begins with ``reprise`` in the lines of code blocks, and between pairs of ``mark``."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix(".venv/bin/").removeprefix("$ ") for one in blocks for line in one.splitlines()]
    found = [line.partition("#")[0] for line in lines if line.startswith("reprise ")]
    return found + re.findall(rf"{mark}(?:\.venv/bin/)?(reprise [^`\n]+){mark}", text)


def wrong(command: str) -> str | None:
    """What of a command line there is not: a command or an option."""
    words, at = re.sub(r"[\[\]]|\{[^}]*\}", " ", command).split()[1:], TOP
    while words and hasattr(at, "commands"):
        if words[0].startswith("-"):
            break
        if words[0] not in at.commands:
            return words[0]
        at = at.commands[words.pop(0)]
    options = {option for param in at.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    return next((w for w in words if re.match(r"--?[a-z]", w) and w.partition("=")[0] not in options), None)


def test_a_wrong_command_is_found():
    text = "`reprise show x` and `reprise`\n```\nreprise train digits  # seconds\n```\nreprise is prose"
    assert commands_in(text, "`") == ["reprise train digits  ", "reprise show x"]
    assert wrong("reprise cosim digits --config tiny") is None and wrong("reprise fpga synth --block core") is None
    assert wrong("reprise import-nir x.nir") == "import-nir" and wrong("reprise fpga area") == "area"
    assert wrong("reprise cosim --network digits") == "--network" and wrong("reprise train [--levels 4]") == "--levels"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_pages(path):
    found = commands_in(path.read_text(), "`")
    assert {command: wrong(command) for command in found if wrong(command)} == {}


def test_commands_of_sources():
    found = {c: path.name for path in SOURCES for c in commands_in(path.read_text(), "``")}
    assert len(found) >= 5
    assert {(command, name): wrong(command) for command, name in found.items() if wrong(command)} == {}


def test_commands_of_the_makefile():
    found = [f"reprise {c}" for c in re.findall(r"\$\(REPRISE\) ([^\n]+)", (ROOT / "Makefile").read_text())]
    plain = [re.sub(r"\$\([^()]*(\([^()]*\)[^()]*)*\)", "X", command) for command in found]
    assert len(plain) >= 5 and {command: wrong(command) for command in plain if wrong(command)} == {}


def test_commands_of_figures():
    records = json.loads((ROOT / "docs" / "measured" / "resources.json").read_text())["records"]
    commands = [record["command"] for record in records]
    assert commands and {command: wrong(command) for command in commands if wrong(command)} == {}


def make_commands_in(text: str) -> list[str]:
    """What begins with ``make`` in the lines of code blocks, and in backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix("$ ").partition("#")[0] for one in blocks for line in one.splitlines()]
    return [line for line in lines if line.startswith("make ")] + re.findall(r"`(make [^`\n]+)`", text)


def wrong_make(command: str) -> str | None:
    """What of a ``make`` command the Makefile has not: a target, or a variable."""
    makefile = (ROOT / "Makefile").read_text()
    for word in re.sub(r"[\[\]]|<[^>]*>", " ", command).split()[1:]:
        name, given, _ = word.partition("=")
        if given and not re.search(rf"\$\({name}\)|\$\(if \$\({name}\)", makefile):
            return word
        if not given and not re.search(rf"^{re.escape(word)}:", makefile, re.M):
            return word
    return None


def test_a_wrong_make_command_is_found():
    assert make_commands_in("`make cosim` makes\n```\nmake test  # all\n```\nmake x") == ["make test  ", "make cosim"]
    assert wrong_make("make cosim NETWORK=a.yaml CONFIG=tiny") is None and wrong_make("make verilog [CONFIG=]") is None
    assert wrong_make("make nothing") == "nothing" and wrong_make("make cosim NOTHING=1") == "NOTHING=1"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_commands_of_pages(path):
    found = make_commands_in(path.read_text())
    assert {command: wrong_make(command) for command in found if wrong_make(command)} == {}


def test_programs_of_pages_exist():
    """``python -m tools.NAME`` and its like."""
    for path in PAGES:
        for module in re.findall(r"python -m ((?:tools|tests|reprise)[\w.]*)", path.read_text()):
            file = ROOT.joinpath(*module.split("."))
            assert file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), f"{path.name}: {module}"


SHELL = ("sh", "bash", "console")
COMMAND = re.compile(r"(?:\.venv/bin/)?(?:reprise|make|python|pip|git|cd|fusesoc|sh|source) ")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shell_block_says_why_it_is_not_run(path):
    """What a test runs begins with ``$`` and shows its output (tools/tables/transcript.py)."""
    for why, language, code in blocks(path.read_text()):
        commands = [line for line in code.splitlines() if COMMAND.match(line.strip())]
        assert not commands or language in SHELL, f"write ```sh before {commands[0]}"
        assert language not in SHELL or why, f"write <!-- not run: WHY --> before {code.splitlines()[0]}"
