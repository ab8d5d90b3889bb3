"""Names of folders and modules of the repository, for tests that what is named exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "reprise", "tools", "tests")
OTHERS = ("configs", "docs", "examples", "build")


def module_exists(name: str) -> bool:
    """A module, or a name that one defines at its top (members of classes are not looked for)."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        if file.exists():
            rest = parts[count:]
            return (
                not rest
                or re.search(rf"^\s*(?:def|class|import|from)?.*\b{rest[0]}\b", file.read_text(), re.M) is not None
            )
        if path.is_dir():
            return count == len(parts)
    return False
