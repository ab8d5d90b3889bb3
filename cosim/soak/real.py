"""Runs real networks, trained and recorded, at the sizes that the random configurations of the soak do not reach."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ...hw.arch.config import HardwareConfig

REAL = (
    ("digits", "paper", 8),
    ("digits", "paper2", 8),
    ("digits", "small", 8),
    ("lenet5", "paper", 4),
    ("lenet5-binary", "paper", 4),
    ("resnet-sparse", "paper", 1),
    ("vgg9", "paper", 1),
)
"""The network, the configuration and the number of images of every real job."""


def run_real(data: Path | None, engine: str, out: Path, console: Console) -> dict[str, str]:
    """Run the real networks, and return for each of them "equal", "mismatch", or why it was left out."""
    from ...export.find import available
    from ..command import run_network
    from ..options import Options

    verdicts = {}
    for network, config, images in REAL:
        label = f"{network} on {config}"
        hardware, folder = HardwareConfig.load(config), out / f"{network}-{config}"
        reason = available(network, hardware)
        if reason:
            verdicts[label] = f"left out: {reason}"
            continue
        console.rule(label)
        options = Options(
            config=hardware, config_name=config, images=images, engine=engine, data=data, out=folder, limits=False
        )
        verdicts[label] = "equal" if run_network(network, options, console) == 0 else "mismatch"
    return verdicts
