"""The Python API: a handful of verbs that do the same work as the commands of ``reprise``.

Networks are given as what :func:`load` and :func:`quantize` return, or as anything that :func:`load` takes;
configurations as a :class:`~reprise.hw.arch.config.HardwareConfig`, or as anything that ``HardwareConfig.load`` takes.
A mistake in an argument is a :class:`~reprise.support.errors.RepriseError` (a ValueError) that names the field, the
rule, the value and the remedy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .arguments import batch_of, hardware_of, labelled, name_of
from .results import Cosimulation, Estimate
from .support.checks import require, require_int, require_positive
from .support.errors import missing_package

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from .arguments import AnyConfig, AnyImages, AnyNetwork
    from .model.files.network_file import NetworkFile


def load(network: AnyNetwork, config: AnyConfig = "paper", *, data: str | Path | None = None) -> NetworkFile:
    """Return a network: its integers, its sample images, and what is known of it.

    Parameters
    ----------
    network : the path of a network file (``NAME.yaml``), or a preset of ``configs/networks`` such as ``"digits"``; a
        preset that does not come with Reprise and was not trained before is trained now.
    config : the hardware for which encodings are chosen, if the network must be trained.
    data : the folder of the data set's files, if the network must be trained and its data set is not embedded.

    Raises
    ------
    RepriseError
        When there is no such preset, or the file breaks a rule of its format (docs/network-format.md).
    FileNotFoundError
        When the file, its tensors or the data are not there.
    """
    from .export.find import find_network
    from .model.files.network_file import NetworkFile

    if isinstance(network, NetworkFile):
        return network
    kind = "a preset, the path of a network file, or what load or quantize returned"
    require(isinstance(network, str | Path), "network", kind, network)
    try:
        return find_network(str(network), hardware_of(config), data=None if data is None else Path(data))[0]
    except ImportError as error:
        raise missing_package(error) or error from None


def quantize(
    module: nn.Module,
    images: np.ndarray,
    config: AnyConfig = "paper",
    *,
    name: str = "mine",
    levels: int = 255,
    scale: float = 1.0,
    timesteps: int = 1,
    labels: np.ndarray | None = None,
    relu_levels: int | None = None,
    accept_differences: bool = False,
    allow_silent: bool = False,
    explain: bool = False,
) -> NetworkFile:
    """Quantize a trained PyTorch module, and return the network of integers.

    Batch norms are folded, weights become int8 with one scale for each output channel, and each layer gets the encoding
    that is cheaper on ``config``. Before anything is rounded, the module's own forward pass is compared with what was
    made of it, spike for spike in float64; the integers are compared with PyTorch's before they are returned. The
    result's ``changes`` list every numerical difference from the module.

    Parameters
    ----------
    module : a module of ``torch.nn`` layers with the neurons of :mod:`reprise.export.nn.neurons`, SpikingJelly or
        snnTorch, or of Brevitas' layers (docs/imports.md).
    images : uint8[n, C, H, W] of levels 0..``levels``. Encodings are chosen by them, and they become the network's
        samples.
    config : the hardware. Its tiles and banks decide on encodings, and its registers must hold every sum.
    name : the name of the network.
    levels : the largest value of a pixel, 1..255.
    scale : the factor by which pixels were multiplied when the module was trained.
    timesteps : the number of timesteps T. Neurons that have one of their own keep it.
    labels : int[n], the classes of the images. The result's ``accuracy`` is that on these images, and co-simulations
        compute one.
    relu_levels : each ``nn.ReLU`` becomes a multi-level neuron of so many levels, chosen on the images; presets run 15.
    accept_differences : record in ``changes`` where the module fires differently, instead of refusing it.
    allow_silent : take a module of which a layer fires for none of the images.
    explain : say in ``changes`` which rounding (weights, leak, threshold, layers before) changes how many spikes.

    Raises
    ------
    UnsupportedError
        When the accelerator cannot run a layer. It is a RepriseError, and names the layer and what to do.
    DifferentError
        When the module computes something else than what was made of it. It is a RepriseError.
    WidthError
        When a sum could overflow a register of ``config``. It is a RepriseError.
    """
    from .model.files.network_file import NetworkFile

    images, known = labelled(images, levels, labels)
    require_positive("scale", scale)
    try:
        from .export import ptq
        from .export.importers import relu
    except ImportError as error:
        raise missing_package(error) or error from None
    if relu_levels is None:
        graph = ptq.graph_of(module, timesteps=timesteps)
    else:
        require(timesteps == 1, "timesteps", "1 with relu_levels", timesteps)
        graph = relu.read(module, images, scale=scale, levels=relu_levels)
    result = ptq.quantize(
        graph,
        images,
        hardware_of(config),
        name=name,
        timesteps=timesteps,
        input_levels=levels,
        input_scale=scale,
        accept_differences=accept_differences,
        allow_silent=allow_silent,
        explain=explain,
    )
    accuracy = None if labels is None else ptq.accuracy_of(result.network, images, known, name)
    return NetworkFile(
        network=result.network,
        images=images,
        labels=known,
        accuracy=accuracy,
        statistics=result.statistics,
        widths=result.widths,
        hardware=result.hardware,
        changes=result.changes,
    )


def estimate_cycles(
    network: AnyNetwork,
    config: AnyConfig = "paper",
    *,
    images: AnyImages = 1,
    latency: int = 20,
    gap: int = 0,
    clock_mhz: float | None = None,
    area: bool = False,
    limits: bool = False,
    helps: bool = False,
) -> Estimate:
    """Return the cycles that a network takes in the RTL, layer by layer, without simulating it.

    Parameters
    ----------
    network : a network, or what :func:`load` takes.
    config : the hardware: a HardwareConfig, or the preset or file of one.
    images : how many of the network's samples are taken (random ones if it has none), or integers [n, C, H, W].
    latency, gap : the memory's cycles from an address to its first beat, and its idle cycles after every beat.
    clock_mhz : the clock at which times are stated; by default, that at which it was routed, or an assumed one.
    area : whether resources are estimated where none were synthesized, which takes a second or three.
    limits : whether layers also say what limits them (docs/limits-and-helps.md), which takes some thirty times as long.
    helps : whether changes of the configuration are tried that would help, which takes some twenty times as long, and
        with ``area`` seconds more.

    Raises
    ------
    CompileError
        When the configuration cannot run the network. It is a RepriseError, and names the layer, the limit, the value
        and the remedy.
    """
    from .estimate.network import SystemTiming, estimate
    from .estimate.report.speed import whole_estimate

    require_int("latency", latency, 0)
    require_int("gap", gap, 0)
    require(clock_mhz is None or clock_mhz > 0, "clock_mhz", "above 0", clock_mhz)
    hardware = hardware_of(config)
    file = load(network, hardware)
    batch = batch_of(file, images)
    timing = SystemTiming(latency=latency, gap=gap)
    found = estimate(file.network, hardware, batch.images, timing=timing, limits=limits)
    if helps:
        from .estimate.helps import add_helps

        add_helps(found, file.network, hardware, batch.images, timing=timing, areas=area)
    name = name_of(config, hardware)
    report = whole_estimate(found, file.network, hardware, batch.images, name=name, clock_mhz=clock_mhz, area=area)
    return Estimate(
        network=report["network"],
        images=len(batch.images),
        cycles=report["total"]["cycles"]["cycle_model"],
        layers=tuple(report["layers"]),
        report=report,
    )


def write_verilog(
    config: AnyConfig, folder: str | Path, *, top: Literal["accelerator", "core"] = "accelerator"
) -> tuple[Path, Path]:
    """Write the Verilog of an accelerator and the JSON file that explains its ports, and return the two paths.

    The same configuration gives the same bytes. A configuration of the paper's size takes up to a minute, once.

    Parameters
    ----------
    config : the hardware: a HardwareConfig, or the preset or file of one.
    folder : where the files go. It is made if it is not there.
    top : what is written: the whole accelerator (``reprise.v``), or its core alone (``core.v``).
    """
    require(top in ("accelerator", "core"), "top", "accelerator or core", top)
    hardware, folder = hardware_of(config), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)  # better now than after a minute
    from .hw.emission import CORE, TOP, verilog_of

    return verilog_of(hardware, TOP if top == "accelerator" else CORE).write(folder)


def cosimulate(
    network: AnyNetwork,
    config: AnyConfig = "paper",
    *,
    images: AnyImages = 4,
    seed: int = 0,
    latency: int = 20,
    stall: float = 0.0,
    gap: int = 0,
    clock_mhz: float | None = None,
    engine: Literal["rtl", "interpreter"] = "rtl",
    progress: bool = False,
) -> Cosimulation:
    """Run a network in the generated RTL and compare every feature map, element by element, with the model.

    The Verilog and its Verilator model are built once and kept; that takes minutes for a configuration of the paper's
    size. A mismatch is no exception: look at ``equal``.

    Parameters
    ----------
    network : a network, or what :func:`load` takes.
    config : the hardware: a HardwareConfig, or the preset or file of one.
    images : how many of the network's samples are taken (random ones if it has none), or integers [n, C, H, W].
    seed : which samples are taken (with 0 the first ones), and how the memory stalls.
    latency, gap : the memory's cycles from an address to its first beat, and its idle cycles after every beat.
    clock_mhz : the clock at which times are stated; by default, that at which it was routed, or an assumed one.
    stall : the probability of a stalled cycle on every channel of the memory, 0..0.9.
    engine : what is compared with the model: the RTL, or the golden interpreter of the accelerator's programs, which
        needs no Verilator.
    progress : whether the stages are shown on the terminal.

    Raises
    ------
    CompileError
        When the configuration cannot run the network. It is a RepriseError, and names the layer, the limit, the value
        and the remedy.
    SimulationError
        When the simulation could not be built, or ended early. It is a RuntimeError.
    """
    from rich.console import Console

    from .cosim.command import simulate
    from .cosim.options import Options
    from .support.progress import Stages

    hardware = hardware_of(config)
    file = load(network, hardware)
    batch = batch_of(file, images, seed)
    options = Options(
        config=hardware,
        config_name=name_of(config, hardware),
        images=len(batch.images),
        seed=seed,
        latency=latency,
        stall=stall,
        gap=gap,
        clock_mhz=clock_mhz,
        engine=engine,
    )
    with Stages(Console(stderr=True), quiet=not progress) as stages:
        _, report = simulate(file, batch, options, stages)
    return Cosimulation(
        network=report["network"],
        images=report["images"],
        elements=report["elements"],
        mismatches=report["mismatches"],
        first_mismatch=report["first_mismatch"],
        cycles=report["total"]["cycles"]["rtl"],
        predictions=tuple(report["predictions"] or ()),
        accuracy=report["accuracy_percent"],
        layers=tuple(report["layers"]),
        report=report,
    )
