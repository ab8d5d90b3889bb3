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
