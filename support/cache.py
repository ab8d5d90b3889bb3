"""The folder of everything that is made once and kept: ``$REPRISE_CACHE``, else ``build`` in the working folder."""

import os
from pathlib import Path


def root() -> Path:
    """The cache's folder (not created here)."""
    return Path(os.environ.get("REPRISE_CACHE") or "build").absolute()
