"""Small faults that no linter of a language sees: ``python -m tools.check_files FILE...``.

Every text file must end with one newline, no line with blanks, and every YAML file must be read without an error.
Binary files, links and pictures that a program drew are left alone. Part of ``make lint`` and of every commit's check.
"""

import sys
from pathlib import Path

import yaml

DRAWN = (".svg",)


def faults(path: Path) -> list[str]:
    """What is wrong with one file, as ``path:line: what``; of its lines with blanks at the end the first is named."""
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


def main(names: list[str]) -> int:
    found = [fault for name in names for fault in faults(Path(name))]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
