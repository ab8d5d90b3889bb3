"""The example under PYNQ: run the samples of the image's folder, and compare their class scores with the model's.

    python3 run_pynq.py reprise.bit ../../image

The accelerator is called reprise_0 in the block design. Where its interrupt goes to an AXI interrupt controller that
pynq knows, the end of a job is waited for, and else STATUS is polled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

DRIVER = Path(__file__).resolve().parents[1] / "python"


def main(bitstream: str, folder: str) -> int:
    """Run the samples twice as two batches; 0 if all scores are those of the model."""
    sys.path.insert(0, str(DRIVER))
    import pynq  # type: ignore[import-not-found]  # it is there on a PYNQ board
    from reprise_driver import Reprise  # type: ignore[import-not-found]  # it lies in DRIVER

    overlay = pynq.Overlay(bitstream)
    core = overlay.reprise_0
    device = Reprise(core, interrupt=getattr(core, "irq", None), reset=overlay.download)
    device.load(folder)
    samples = np.load(Path(folder) / "samples.npz")
    results = device.run(np.concatenate([samples["pixels"], samples["pixels"]]))
    for n, number in enumerate(results.classes):
        print(f"image {n}: class {number}")
    for counters in results.counters:
        print(f"{counters['CYCLES']} cycles")
    device.close()
    right = np.array_equal(results.scores, np.concatenate([samples["scores"], samples["scores"]]))
    print("PASS: all class scores are those of the model" if right else "FAIL: class scores differ from the model's")
    return int(not right)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: run_pynq.py BITSTREAM FOLDER")
    sys.exit(main(sys.argv[1], sys.argv[2]))
