"""Where the presets lie: ``configs/`` of the checkout, and the same folder inside an installed package."""

from pathlib import Path

# The path is not resolved because in a checkout this file is reached through the link ``reprise/support``, and
# ``reprise/configs`` lies beside that link.
PACKAGE = Path(__file__).parents[1]
"""The folder of the package ``reprise``."""

CONFIGS = PACKAGE / "configs"
HARDWARE = CONFIGS / "hardware"
NETWORKS = CONFIGS / "networks"
BOARDS = CONFIGS / "boards"


def preset_names(folder: Path) -> list[str]:
    """Return the names of the presets in one of the folders above, in alphabetical order."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def preset_file(folder: Path, name: str) -> Path | None:
    """Return the file of a preset, or None if there is no such preset. A name is no path: ``../tiny`` is no preset."""
    return folder / f"{name}.yaml" if name in preset_names(folder) else None
