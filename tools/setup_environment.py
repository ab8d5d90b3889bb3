"""Makes or completes the environment ``.venv``: ``python3.11 tools/setup_environment.py LEVEL``. It needs Python alone.

The levels are ``base`` (for ``make cosim`` and ``make verilog``), ``fpga``, and ``all`` (for ``make test`` and ``make
lint``). Versions are those of ``constraints.txt``, whose sections say what each level adds. One line counts the missing
packages as pip comes to them. pip's remarks about package folders that do not exist are left out. When pip fails, all
else that it said at the end is shown.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {"base": "", "fpga": "[fpga]", "all": "[train,import,fpga,dev]"}
"""The extras of the project that belong to each level. A level contains those before it."""

NOISE = re.compile(r"Location '.*' is ignored|\[notice\]")
NAMED = re.compile(r"^\s*Collecting ([\w.-]+)|^\s*Processing \S*?([\w.]+)-[\w.!+]+-\S+\.whl")
"""A line in which pip names a package that it has chosen, from an index or from a folder."""


def normal(name: str) -> str:
    """Return a package's name in the form in which PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(constraints: str, level: str) -> dict[str, str]:
    """Return the versions of all packages of a level by their normalized names, from the text of constraints.txt."""
    levels = list(EXTRAS)
    wanted, found, section = levels[: levels.index(level) + 1], {}, ""
    for line in constraints.splitlines():
        if header := re.match(r"# \[(\w+)\]", line):
            section = header[1]
        elif section in wanted and (pin := re.match(r"([\w.-]+)==(\S+)", line)):
            found[normal(pin[1])] = pin[2]
    return found


def missing(wanted: dict[str, str], site: Path) -> set[str]:
    """Return the names of the packages that a site-packages folder does not hold in the wanted version."""
    there = (path.name.removesuffix(".dist-info").rpartition("-") for path in site.glob("*.dist-info"))
    have = {normal(name): version for name, _, version in there}
    return {name for name, version in wanted.items() if have.get(name) != version}


class Progress:
    """One line on the terminal, which counts packages; without a terminal it is not drawn.

    Parameters
    ----------
    expected : names of the packages that will be installed
    terminal : whether the line may be drawn again and again
    """

    def __init__(self, expected: set[str], terminal: bool):
        self.expected, self.terminal = expected, terminal
        self.seen: set[str] = set()
        self._start = time.monotonic()

    def read(self, line: str) -> None:
        """Take a line of pip's output into account."""
        if found := NAMED.match(line):
            name = normal(found[1] or found[2])
            if name in self.expected and name not in self.seen:
                self.seen.add(name)
                self._draw(f"{len(self.seen)} of {len(self.expected)}: {name}")
        elif "Installing collected packages" in line:
            self._draw(f"{len(self.seen)} of {len(self.expected)} found, unpacking them")

    def _draw(self, text: str) -> None:
        if self.terminal:
            print(f"\r\033[K[setup] {text} ({time.monotonic() - self._start:.0f} s)", end="", flush=True)

    def end(self) -> None:
        """Clear the line."""
        if self.terminal:
            print("\r\033[K", end="", flush=True)


def install(python: Path, level: str, progress: Progress) -> str:
    """Run pip in the environment, and return what it said if it failed, and else ""."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    # Python compiles a module when it is imported. To compile all of them now takes as long as all else that pip does.
    command += ["--no-compile", "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}{EXTRAS[level]}"]
    said: list[str] = []

    def listen(stream: Iterable[str] | None, follow: Callable[[str], object]) -> None:
        for line in stream or ():
            if not NOISE.search(line):
                said.append(line)
            follow(line)

    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, errors="replace") as pip:
        errors = threading.Thread(target=listen, args=(pip.stderr, lambda line: None))
        errors.start()
        listen(pip.stdout, progress.read)
        errors.join()
    return "".join(said[-40:]) if pip.wait() else ""


def level_of(arguments: list[str] | None = None) -> str:
    """Return the level that the command line names; the standard library parses it, since nothing is installed yet."""
    parser = argparse.ArgumentParser(
        prog="python3.11 tools/setup_environment.py",
        description="Make or complete the environment .venv with the packages of constraints.txt.",
        epilog="Example: python3.11 tools/setup_environment.py base",
    )
    levels = "base: make cosim, make verilog; fpga: make fpga as well; all: everything, with tests and training"
    parser.add_argument("level", choices=EXTRAS, help=levels)
    return parser.parse_args(arguments).level


def main(level: str, folder: Path) -> int:
    """Bring an environment to a level, leave a stamp for ``make``, and return the exit code."""
    if sys.version_info[:2] != (3, 11):
        print(f"[setup] Python 3.11 is needed, this is {sys.version.split()[0]}: set PYTHON=/path/to/python3.11")
        return 2
    start, python = time.monotonic(), folder / "bin" / "python"
    wanted = packages((ROOT / "constraints.txt").read_text(), level)
    todo = missing(wanted, folder / "lib" / "python3.11" / "site-packages")
    if todo:
        minutes = "half a minute to a minute" if level == "base" else "one to five minutes"
        print(f"[setup] {folder.name} ({level}): {len(todo)} packages, {minutes}, once", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    progress = Progress(todo, sys.stdout.isatty())
    failure = install(python, level, progress)
    progress.end()
    if failure:
        print(f"{failure}[setup] pip failed: see above; `make` tries again", flush=True)
        return 1
    for name in list(EXTRAS)[: list(EXTRAS).index(level) + 1]:
        (folder / f".stamp-{name}").touch()
    print(f"[setup] done in {time.monotonic() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(level_of(), ROOT / ".venv"))
