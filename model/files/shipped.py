"""The network files that come with Reprise, with sample images, so that figures are the same on every machine.

They are what ``reprise train`` made of the presets of the same names (``configs/networks``) for the hardware preset
``paper``. NOTICE names the data sets that their samples come from.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "networks"


def shipped(name: str) -> Path | None:
    """Return the network file of a preset if it comes with Reprise, or None if the preset has to be trained."""
    path = FOLDER / f"{name}.yaml"
    return path if name in shipped_names() else None


def shipped_names() -> list[str]:
    """Return the presets whose network files come with Reprise."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
