"""``reprise``: networks and recorded spikes through the generated RTL."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

# Threads that wait for work must not burn the cores that the simulation needs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

Config = Annotated[str, typer.Option(help="preset of configs/hardware or a YAML file")]
Seed = Annotated[int, typer.Option(help="chooses images (0: the first ones), random stalls and random weights")]
Waves = Annotated[bool, typer.Option("--waves/--no-waves", help="record waveforms (FST) of the whole run")]
Latency = Annotated[int, typer.Option(min=0, max=65535, help="memory: cycles from an address to its first answer")]
Stall = Annotated[float, typer.Option(min=0, max=0.9, help="memory: probability of a stalled cycle, every channel")]
Gap = Annotated[int, typer.Option(min=0, max=255, help="memory: idle cycles after every beat")]
Out = Annotated[Path, typer.Option(help="folder of report.json and report.html")]
Clock = Annotated[float, typer.Option(min=0.001, help="clock at which frames per second are stated, MHz")]
Engine = Annotated[Literal["rtl", "interpreter"], typer.Option(help="the RTL, or the golden interpreter of programs")]


@app.command("cosim")
def run(
    network: Annotated[str, typer.Option(help="preset of configs/networks, or a network file")] = "digits",
    config: Config = "paper",
    images: Annotated[int, typer.Option(min=1, help="images of the batch")] = 8,
    seed: Seed = 0,
    waves: Waves = False,
    capture: Annotated[Path | None, typer.Option(help="replay recorded spikes (.npz, YAML beside it) instead")] = None,
    latency: Latency = 20,
    stall: Stall = 0.0,
    gap: Gap = 0,
    clock_mhz: Clock = 80.0,
    engine: Engine = "rtl",
    data: Annotated[Path | None, typer.Option(help="folder of the data set's files, if it must be trained")] = None,
    out: Out = Path("build/cosim"),
):
    """Run a network (or a capture) and compare every feature map with the model; exit code 1 on a mismatch."""
    from ..cosim.command import Options, run_capture, run_network

    options = Options(
        network=network,
        config=config,
        images=images,
        seed=seed,
        waves=waves,
        latency=latency,
        stall=stall,
        gap=gap,
        clock_mhz=clock_mhz,
        engine=engine,
        data=data,
        out=out,
    )
    _guarded(lambda console: run_capture(options, capture, console) if capture else run_network(options, console))


@app.command()
def capture(
    file: Annotated[Path, typer.Argument(help=".npz of recorded layer inputs, its YAML beside it")],
    config: Config = "paper",
    seed: Seed = 0,
    waves: Waves = False,
    latency: Latency = 20,
    stall: Stall = 0.0,
    gap: Gap = 0,
    clock_mhz: Clock = 80.0,
    engine: Engine = "rtl",
    out: Out = Path("build/cosim"),
):
    """Replay recorded spikes layer by layer with random weights; compare every output with the model."""
    from ..cosim.command import Options, run_capture

    options = Options(
        network="",
        config=config,
        images=1,
        seed=seed,
        waves=waves,
        latency=latency,
        stall=stall,
        gap=gap,
        clock_mhz=clock_mhz,
        engine=engine,
        data=None,
        out=out,
    )
    _guarded(lambda console: run_capture(options, file, console))


@app.command()
def soak(
    networks: Annotated[int, typer.Option(min=0, help="random networks")] = 200,
    seed: Annotated[int, typer.Option(help="of the first random network; the next ones count on")] = 1,
    configs: Annotated[int, typer.Option(min=1, help="random configurations (each is built once)")] = 8,
    processes: Annotated[int, typer.Option(min=1, help="simulations side by side")] = 2,
    real: Annotated[bool, typer.Option("--real/--no-real", help="also the real networks")] = True,
    data: Annotated[Path | None, typer.Option(help="folder with mnist/ and cifar10/ for networks to train")] = None,
    engine: Engine = "rtl",
    out: Out = Path("build/cosim/soak"),
):
    """Random networks x random configurations x random stalls, then real networks; all must equal the model."""
    from ..cosim.soak import run_soak

    _guarded(
        lambda console: run_soak(
            networks=networks,
            seed=seed,
            configs=configs,
            processes=processes,
            real=real,
            data=data,
            engine=engine,
            out=out,
            console=console,
        )
    )


def _guarded(work) -> None:
    """Run and exit: 0 equal, 1 mismatch, 2 a user's mistake, 3 a simulation that failed."""
    from ..cosim.bench.verilator import SimulationError

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    try:
        code = work(console)
    except SimulationError as error:
        Console(stderr=True).print(f"[red]simulation:[/] {error}", highlight=False, markup=True, soft_wrap=True)
        sys.exit(3)
    except (ValueError, OSError) as error:
        Console(stderr=True).print("error:", str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    sys.exit(code)
