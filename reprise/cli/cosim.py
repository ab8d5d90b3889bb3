"""``reprise cosim`` and ``soak`` run networks and recorded spikes in the generated RTL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..support.checks import require
from ..support.command_line import INPUT_FILE, INPUT_FOLDER, OUTPUT_FOLDER, at_least, commands, example
from ..support.errors import RepriseError
from .options import ClockMhz, Config, Images, Json, Set, Sparsity, hardware, named, terminal

app = commands()

Engine = Annotated[
    Literal["rtl", "interpreter"], typer.Option(help="what to compare: the RTL, or the golden interpreter")
]


def _threads_that_wait() -> None:
    """Make threads that wait for work sleep, so that they leave the cores to the simulation."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


ONLY_OF_NETWORKS = {
    "network": ("NETWORK", "a capture is run instead of a network"),
    "images": ("--images", "a capture holds one sample"),
    "data": ("--data", "a capture's weights are random, so nothing is trained"),
    "helps": ("--helps", "a capture holds some layers of a network"),
    "mode": ("--mode", "a capture is run product-sparse"),
    "clock_mhz": ("--clock-mhz", "a capture holds some layers of a network, so it has no frames per second"),
}
"""Arguments that a capture would ignore, as the user writes them, and why."""


def _only_of_networks(context: typer.Context) -> None:
    """Refuse arguments that a capture would ignore."""
    for name, (told, why) in ONLY_OF_NETWORKS.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            given = context.params[name]
            raise RepriseError(field=told, rule="left out beside --capture", value=given, remedy=why)


@app.command(epilog=example("reprise cosim digits --config small --images 4"))
def cosim(
    context: typer.Context,
    network: Annotated[
        str | None,
        typer.Argument(metavar="NETWORK", help="network file (.yaml) or preset", show_default="digits", hidden=True),
    ] = None,
    config: Config = "paper",
    changes: Set = None,
    capture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=INPUT_FILE, help="replay recorded spikes (.npz) instead of a network"),
    ] = None,
    one_program: Annotated[
        bool, typer.Option("--one-program", help="run all layers of the capture as one program")
    ] = False,
    images: Images = 8,
    seed: Annotated[
        int, typer.Option(metavar="N", callback=at_least(0), help="seed of images (0: the first ones), stalls, weights")
    ] = 0,
    latency: Annotated[int, typer.Option(metavar="CYCLES", help="memory: cycles from an address to its answer")] = 20,
    stall: Annotated[float, typer.Option(metavar="P", help="memory: probability of a stalled cycle")] = 0.0,
    gap: Annotated[int, typer.Option(metavar="CYCLES", help="memory: idle cycles after every beat")] = 0,
    mode: Annotated[
        Sparsity, typer.Option(hidden=True, help="product, bit or dense, as of reprise estimate")
    ] = "product",
    clock_mhz: ClockMhz = None,
    engine: Engine = "rtl",
    limits: Annotated[bool, typer.Option("--limits/--no-limits", help="say what limits each layer")] = True,
    helps: Annotated[bool, typer.Option("--helps", help="try which change of the configuration would help")] = False,
    waves: Annotated[bool, typer.Option("--waves", help="record waveforms (FST) of the whole run")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="write trace.json: what each block does when")] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", callback=INPUT_FOLDER, hidden=True, help="data set's folder, to train it"),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="where report.json and report.html go")
    ] = Path("build/cosim"),
) -> None:
    """Run NETWORK, a file or a preset, in RTL. Exit code 1 if a feature map differs from the model."""
    _threads_that_wait()
    if capture is not None:
        _only_of_networks(context)
    elif one_program:
        remedy = "a network is always one program"
        raise RepriseError(field="--one-program", rule="left out without --capture", value=True, remedy=remedy)
    elif network is not None and Path(network).suffix == ".npz":
        remedy = f"recorded spikes are replayed by reprise cosim --capture {network}"
        raise RepriseError(field="NETWORK", rule="a network file (.yaml) or a preset", value=network, remedy=remedy)
    from ..cosim.command import run_network
    from ..cosim.options import Options

    chosen = named(hardware(config, changes), mode)
    require(mode == "product" or not helps, "--helps", "left out beside another mode than product", helps)
    options = Options(
        config=chosen.config,
        config_name=chosen.name,
        preset=chosen.preset,
        images=images,
        seed=seed,
        waves=waves,
        trace=trace,
        latency=latency,
        stall=stall,
        gap=gap,
        clock_mhz=clock_mhz,
        mode=mode,
        engine=engine,
        limits=limits,
        one_program=one_program,
        helps=helps,
        data=data,
        out=out,
    )
    if capture is not None:
        from ..cosim.capture import run_capture

        code = run_capture(capture, options, terminal())
    else:
        code = run_network(network or "digits", options, terminal())
    raise typer.Exit(code)


@app.command(hidden=True, epilog=example("reprise soak --networks 1000 --no-real"))
def soak(
    networks: Annotated[
        int, typer.Option(metavar="N", callback=at_least(0), help="random networks, with those of earlier calls")
    ] = 200,
    configs: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1), help="how many configurations; each is built once")
    ] = 8,
    processes: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1), help="how many simulations at a time")
    ] = 2,
    real: Annotated[bool, typer.Option(help="run the real networks, too")] = True,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", callback=INPUT_FOLDER, help="folder with mnist/ and cifar10/, for training"),
    ] = None,
    engine: Engine = "rtl",
    json_file: Json = None,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="of soak.json and results, which are continued"),
    ] = Path("build/cosim/soak"),
) -> None:
    """Run random networks on random configurations with random stalls, then real networks.

    All must equal the models, in all cycles where no stalls are. A further call goes on where this one stops.
    """
    _threads_that_wait()
    from ..cosim.soak.run import run_soak

    code = run_soak(
        networks=networks,
        configs=configs,
        processes=processes,
        real=real,
        data=data,
        engine=engine,
        out=out,
        json_file=json_file,
        console=terminal(),
    )
    raise typer.Exit(code)


# It is for whoever changes the hardware, and not in the list, which must fit a screen; docs/memory-map.md names it.
@app.command(hidden=True, epilog=example("reprise fuzz --config tiny --cases 2000"))
def fuzz(
    config: Config = "tiny",
    changes: Set = None,
    cases: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1), help="mutated programs, with those of earlier calls")
    ] = 1000,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", callback=at_least(1), help="simulations side by side", show_default="one a core"),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="of the file of shards, which is continued")
    ] = Path("build/cosim/fuzz"),
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="add the counts to this record")
    ] = None,
) -> None:
    """Mutated programs in RTL and in the golden interpreter. Both must end alike, and nothing outside is written."""
    _threads_that_wait()
    from ..cosim.fuzz.run import run_fuzz

    chosen = hardware(config, changes)
    code = run_fuzz(
        chosen.name,
        chosen.config,
        cases=cases,
        processes=processes or os.cpu_count() or 1,
        out=out,
        json_file=json_file,
        console=terminal(),
    )
    raise typer.Exit(code)
