"""A second bench of the accelerator, with the masters and the memory of cocotbext-axi instead of ours.

It is slow, because Python runs in every cycle, and so it is for small networks. What it adds is a memory and a host
that others wrote, with random backpressure on all ten channels.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import MemoryImage
from ...hw.csr.start import start_registers
from ...hw.emission import TOP, verilog_of
from ...support.errors import SimulationError
from . import verilator


def run_axi(
    config: HardwareConfig,
    compiled: MemoryImage,
    images: np.ndarray,
    *,
    pause: float = 0.3,
    seed: int = 1,
    fill: int = 0xA5,
    timeout: int = 200_000,
) -> tuple[np.ndarray, int]:
    """Run a job twice, and return the memory and the cycles of the second time.

    Parameters
    ----------
    pause : probability that a channel pauses; each channel does so by itself
    seed : of the pauses
    fill : what memory holds at first where nothing has been written
    timeout : cycles within which the interrupt must come

    Raises
    ------
    SimulationError
        The status is wrong, no interrupt comes, or cocotbext-axi finds that a rule of the protocol is broken.
    """
    emitted = verilog_of(config)
    ports = sorted(emitted.sidecar["ports"])
    model = verilator.build({f"{TOP}.v": emitted.text}, TOP, ports=ports)
    with tempfile.TemporaryDirectory(prefix="axi-") as name:
        folder = Path(name)
        (folder / "memory.bin").write_bytes(compiled.initial_memory(images, fill).tobytes())
        env = {
            "AXI_MEMORY": folder / "memory.bin",
            "AXI_RESULT": folder / "result.bin",
            "AXI_CYCLES": folder / "cycles",
            "AXI_START": json.dumps(start_registers(compiled.program, compiled.windows)),
            "AXI_TIMEOUT": timeout,
            "AXI_PAUSE": pause,
            "AXI_SEED": seed,
        }
        try:
            verilator.run(
                model,
                "reprise.cosim.bench.axi_cocotb",
                folder=folder / "run",
                env={key: str(value) for key, value in env.items()},
                seed=seed,
                log=folder / "log",
            )
        except SimulationError as error:
            log = (folder / "log").read_text()[-3000:] if (folder / "log").exists() else ""
            raise SimulationError(f"{error}\n{log}") from None
        memory = np.frombuffer((folder / "result.bin").read_bytes(), np.uint8)
        return memory, int((folder / "cycles").read_text())
