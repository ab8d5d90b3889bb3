"""docs/model.md: its code runs, and its record is what the program gives."""

import json
import re
from pathlib import Path

import pytest

from reprise.estimate.density import density_report, density_sweep, of_capture
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import load_capture

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "model.md").read_text()
CAPTURE = ROOT.parent / "shared/data/captures/lenet5_mnist.npz"


def test_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) >= 2
    names: dict = {}
    for block in blocks:
        exec(block, names)


@pytest.mark.skipif(not CAPTURE.exists(), reason="the published capture (../shared/data) is absent")
def test_the_record_of_lenet5_is_what_the_command_says():
    """Its table and picture are made from the record (tests/tools/test_doc_tables.py)."""
    capture, config = load_capture(CAPTURE), HardwareConfig.load("paper")
    matrices = of_capture(capture)
    found = density_report(capture.name, matrices, config) | {"sweep": density_sweep(matrices, config)}
    recorded = json.loads((ROOT / "docs" / "measured" / "density_lenet5.json").read_text())
    assert json.loads(json.dumps(found)) == recorded
