"""Finds small faults that no linter of a language sees: ``python -m tools.check_files FILE...``.

Every text file must end with one newline, no line may end with blanks, and every YAML file must be readable. Binary
files, links and pictures that a program drew are left alone. This is part of ``make lint`` and of the check of every
commit.
"""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from reprise.support.command_line import commands, example, main

NAME = "python -m tools.check_files"
DRAWN = (".svg",)
app = commands()


def faults(path: Path) -> list[str]:
    """Return what is wrong with one file, as ``path:line: what``.

    Of its lines that end with blanks, the first is named.
    """
    if path.is_symlink() or not path.is_file() or path.suffix in DRAWN:
        return []
    content = path.read_bytes()
    if b"\0" in content:
        return []
    found = []
    blanks = [number for number, line in enumerate(content.split(b"\n"), 1) if line != line.rstrip()]
    if blanks:
        found.append(f"{path}:{blanks[0]}: blanks at the end of {len(blanks)} lines")
    if content and (not content.endswith(b"\n") or content.endswith(b"\n\n")):
        found.append(f"{path}:{content.count(bytes([10])) + 1}: the file must end with one newline")
    if path.suffix in (".yaml", ".yml"):
        try:
            list(yaml.safe_load_all(content))
        except yaml.YAMLError as error:
            found.append(f"{path}: {error}")
    return found


@app.command(epilog=example(f"{NAME} README.md docs/*.md"))
def check_files(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="of any kind")]) -> None:
    """Find blanks at the ends of lines, missing ends of files, and YAML that cannot be read. Exit code 1 if any."""
    found = [fault for file in files for fault in faults(file)]
    print("\n".join(found), end="\n" if found else "")
    raise typer.Exit(int(bool(found)))


if __name__ == "__main__":
    main(app, NAME)
