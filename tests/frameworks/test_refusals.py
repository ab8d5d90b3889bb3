"""The messages of everything that is refused of these frameworks are those of tests/golden/refusals-frameworks.txt."""

import re
from pathlib import Path

import pytest

for needed in ("snntorch", "brevitas", "norse", "onnx", "qonnx"):
    pytest.importorskip(needed, reason="`make frameworks` has it in an environment of its own")

from tests.frameworks import refusals  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "refusals-frameworks.txt"


def test_refusals_are_those_of_the_golden_file():
    """``python -m tests.frameworks.refusals > tests/golden/refusals-frameworks.txt`` writes it anew."""
    found = "\n".join(refusals.messages()) + "\n"
    assert "IT IS TAKEN" not in found
    assert re.sub(r"[\d.]+(e-?\d+)?", "#", found) == re.sub(r"[\d.]+(e-?\d+)?", "#", GOLDEN.read_text())
