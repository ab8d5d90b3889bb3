"""Makes the Verilog and the simulator of an accelerator in another process, while this one runs the models.

On two cores, a run that finds nothing in the cache then takes half as long as its parts one after the other. The other
process only fills the cache. Whatever becomes of it, the bench is opened from the cache here, and what is not there is
made here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TextIO

from ...hw.arch.config import HardwareConfig
from ...support.progress import Stages
from ..bench import system, verilator
from ..bench.toolchain import require_tools

STEPS = {
    "verilog": ("Verilog", "generating (10 to 60 s the first time)", "generated"),
    "build": ("Verilator model", "building (30 to 100 s the first time)", "built"),
}
"""What is made, in order, with its name for people, and with what is said while it is made and afterwards."""


def memory_bytes(size: int) -> int:
    """Return the bytes of the bench's memory: 32 MiB, or the next power of two that holds ``size``.

    So few models are built, although each is built for one size of memory.
    """
    return max(1 << 25, 1 << (size - 1).bit_length())


class Preparation:
    """A bench that is being made.

    Parameters
    ----------
    config : HardwareConfig
    size : bytes of memory that the jobs need, as far as is known yet
    stages : shows the steps beside those of this process
    trace : build it with waveforms
    """

    def __init__(self, config: HardwareConfig, size: int, stages: Stages, *, trace: bool = False) -> None:
        self._config, self._trace, self._memory, self._stages = config, trace, memory_bytes(size), stages
        self._helper: subprocess.Popen[str] | None = None
        if not system.known(config, trace=trace, memory_bytes=self._memory):
            require_tools()
            text = "Nothing is built for this hardware yet: `paper` takes about a minute, once; seconds afterwards."
            stages.console.print(text, highlight=False)
            self._helper = self._start()
            self._shown = threading.Thread(target=self._show, args=(self._helper.stdout,), daemon=True)
            self._shown.start()

    def _start(self) -> subprocess.Popen[str]:
        helper = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import fill; fill()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # so that its compilers can be ended with it
        )
        asked = {"config": self._config.to_dict(), "trace": self._trace, "memory_bytes": self._memory}
        assert helper.stdin is not None
        with suppress(BrokenPipeError), helper.stdin as pipe:
            pipe.write(json.dumps(asked))
        return helper

    def _show(self, answers: TextIO) -> None:
        """Show a bar for each step, for as long as the other process takes for it."""
        with answers, suppress(EOFError):
            for name, (title, meanwhile, made) in STEPS.items():
                with self._stages.stage(name, title, note=meanwhile, beside=True) as stage:
                    answer = answers.readline().split()
                    if not answer:
                        raise EOFError  # it failed, or was ended, so that nothing says that the step is done
                    stage.remark("cached" if answer[1] == "cached" else made)

    def bench(self, size: int) -> system.SystemBench:
        """Wait until the bench is made, and return it, or make another one if ``size`` bytes of memory are more.

        Raises
        ------
        SimulationError
            It cannot be built.
        """
        if self._helper is not None:
            with self._stages.stage("waiting", "waiting for the Verilator model"):
                self._helper.wait()
                self._shown.join()
        memory = max(self._memory, memory_bytes(size))
        return system.SystemBench(self._config, trace=self._trace, memory_bytes=memory)

    def __enter__(self) -> Preparation:
        return self

    def __exit__(self, *_: object) -> None:
        """End the other process and its compilers if they still run, because nobody waits for them any more."""
        if self._helper is not None and self._helper.poll() is None:
            os.killpg(self._helper.pid, signal.SIGTERM)
            self._helper.wait()
            self._shown.join()


def fill() -> None:
    """Make what the standard input asks for, and say after each step whether it was there; run by the other process."""
    asked = json.load(sys.stdin)
    library = threading.Thread(target=verilator.runtime, args=(asked["trace"],))
    library.start()  # it needs nothing of the design, so that it is compiled while the Verilog is generated

    def watch(name: str, cached: bool) -> None:
        print(name, "cached" if cached else "made", flush=True)

    config = HardwareConfig.from_dict(asked.pop("config"))
    system.SystemBench(config, watch=watch, **asked)
    library.join()
