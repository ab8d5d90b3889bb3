"""The programs of ``examples/``: short, and each runs and says what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.support import cache

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {path.name: path for path in sorted((ROOT / "examples").glob("*.py"))}
SAYS = {
    "01_estimate.py": ["NetworkFile(digits", "conv2 ", "frames per second at 80 MHz", "with 16 lanes: Estimate("],
    "02_verilog.py": ["reprise.v", "output irq [1 bits]", "ports; m_axi_*"],
    "03_cosim.py": ["Cosimulation(digits", "elements equal the model", "a residual bit is added in"],
    "04_own_module.py": ["changed: ", "mine.yaml", "Estimate(mine: ", "552 of 552 elements equal the model"],
    "05_block_in_simulator.py": [
        "row 0: result 1 = the weights of bits 00000011",
        "row 1: result 2 = result 1 + the weights of bits 00001000",
        "row 3: result 1, no addition at all",
    ],
}


def test_every_example_is_tested():
    assert list(EXAMPLES) == list(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_is_short(name):
    lines = EXAMPLES[name].read_text().splitlines()
    assert len(lines) <= 30 and lines[0].startswith('"""') and max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs(name, tmp_path):
    environment = {**os.environ, "REPRISE_CACHE": str(cache.root()), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(EXAMPLES[name])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for text in SAYS[name]:
        assert text in done.stdout, done.stdout
