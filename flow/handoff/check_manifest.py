"""Compares the files of this folder with MANIFEST.json: python3 check_manifest.py [FOLDER].

The exit status is 0 when every file that the manifest lists is there and has its SHA-256. Files that it does not list,
such as what a simulation has left, are told and are no fault. It needs Python 3.7 and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def faults(folder: Path) -> tuple[list[str], list[str]]:
    """Return a line for each file that is missing or another, and the names of the files that are not listed."""
    try:
        listed = json.loads((folder / "MANIFEST.json").read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        return [f"MANIFEST.json: {error}"], []
    wrong = []
    for name, digest in sorted(listed.items()):
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name}: missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name}: not the file that was handed over")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return wrong, sorted(there - set(listed) - {"MANIFEST.json"})


def main() -> int:
    """Tell the faults of the folder that is named, or of this one."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    wrong, others = faults(folder if folder.is_dir() else folder.parent)
    for line in wrong:
        print(line)
    if others:
        print("not listed:", ", ".join(others[:5]) + (", ..." if len(others) > 5 else ""))
    print(f"FAIL: {len(wrong)} files" if wrong else "the folder is as it was handed over")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
