"""The messages of everything that an import refuses are those of tests/golden/refusals.txt, and none is a traceback."""

import re
from pathlib import Path

import pytest
import torch

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")
pytest.importorskip("nir", reason="the optional extra 'import' is not installed")

from tests.export.imports import refusals

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "refusals.txt"
torch.set_num_threads(1)


def test_refusals_are_those_of_the_golden_file():
    """``python -m tests.export.imports.refusals > tests/golden/refusals.txt`` writes it anew."""
    found = "\n".join(refusals.messages()) + "\n"
    assert "IT IS TAKEN" not in found
    assert re.sub(r"[\d.]+(e-?\d+)?", "#", found) == re.sub(r"[\d.]+(e-?\d+)?", "#", GOLDEN.read_text())
