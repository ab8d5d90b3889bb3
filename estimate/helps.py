"""Which parameter of the configuration would help: each is changed in turn, and the exact cycle model says what comes.

Every size that a network's time can depend on is doubled and halved, if the hardware and the network allow it. The
cycles are exact. What a change costs of an FPGA is estimated (:mod:`reprise.estimate.area.model`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np

from ..compiler import compile_network
from ..compiler.golden.interpreter import Interpreter
from ..hw.arch.config import ConfigError, HardwareConfig
from ..model.network.network import Network
from ..support.errors import RepriseError
from .area import model, structure
from .network import Estimator, SystemTiming

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]

SIZES = (
    "tile_m",
    "tile_k",
    "lanes",
    "load_rows",
    "queries",
    "banks",
    "weight_banks",
    "weight_tiles",
    "neuron_lanes",
    "bus_bits",
    "feature_words",
    "segments",
    "one_bit_matches",
)
"""The fields of a configuration on which time depends; the others are widths of numbers."""

SWITCHES = ("one_bit_matches",)
"""Fields that are 0 or 1."""

TOGETHER = ("queries", "banks")
"""Fields that are also changed together: two rows at a time help little if only one of them can be stored."""

LONG = 0.5
"""Seconds that one run takes if all are worth processes of their own, each of which takes seconds to start."""

WORSE = 0.05
"""A change that costs a larger part of the time is not asked for its area, which takes seconds the first time."""

AREA = {"lut": "luts_percent", "ff": "flip_flops_percent", "ram": "block_rams_percent", "dsp": "multipliers_percent"}
"""How the report calls the changes of an area."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The cycles of a network on a configuration: of the whole job, and of each layer by its name."""

    total: int
    layers: dict[str, int]


def timed(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    timing: SystemTiming,
    *,
    keep_features: bool = False,
) -> Timed:
    """Return the cycles of a batch by the exact cycle model, and nothing else.

    ``keep_features`` keeps the memory of every feature map, as a co-simulation does.

    Raises
    ------
    RepriseError
        The configuration cannot run the network.
    """
    compiled = compile_network(network, config, len(images), keep_features=keep_features)
    estimator = Estimator(compiled, timing)
    Interpreter(compiled, compiled.initial_memory(images), estimator.observe).run()
    ends = estimator.schedule()
    layers: dict[str, int] = {}
    before = 0
    for entry in compiled.layers:
        end = max(ends[entry.first : entry.last])
        layers[entry.name] = layers.get(entry.name, 0) + end - before
        before = end
    return Timed(total=int(ends[-1]), layers={name: int(cycles) for name, cycles in layers.items()})


def changes(config: HardwareConfig) -> list[dict[str, int]]:
    """Return the changes that are tried, as far as they are legal.

    They are double and half of every size, the other value of every switch, and some fields together.
    """
    found = [
        {name: value}
        for name in SIZES
        for now in (getattr(config, name),)
        for value in ((1 - now,) if name in SWITCHES else (2 * now, now // 2))
    ]
    for turned in ({name: 2 for name in TOGETHER}, {name: 1 for name in TOGETHER}):
        if all(getattr(config, name) != value for name, value in turned.items()):
            found.append(turned)
    return [change for change in found if _legal(config, change)]


def _legal(config: HardwareConfig, change: dict[str, int]) -> bool:
    """Return whether the hardware can be built with a change."""
    try:
        config.replace(**change)
    except ConfigError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every change is tried on."""

    network: Network
    config: HardwareConfig
    images: np.ndarray
    timing: SystemTiming
    keep_features: bool = False


def area(config: HardwareConfig) -> dict[str, int]:
    """Return the estimated resources of an accelerator by their names in :data:`AREA`."""
    return model.predict(config, model.load()).resources


def tried(work: Work, change: dict[str, int]) -> Timed | str:
    """Return the cycles after a change, or why it is not possible."""
    try:
        config = work.config.replace(**change)
        return timed(work.network, config, work.images, work.timing, keep_features=work.keep_features)
    except RepriseError as error:
        return str(error)


def _each(function: Callable[[Argument], Result], arguments: Sequence[Argument], long: bool) -> Iterator[Result]:
    """Yield the results in the order of their arguments; long work goes to a process for each core.

    Processes are spawned, because Numba's threads do not survive a fork.
    """
    cores = min(os.cpu_count() or 1, len(arguments))
    if cores < 2 or not long:
        yield from map(function, arguments)
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, arguments)


def _percent(after: int, before: int) -> float:
    """Return by how many percent a figure changed."""
    return round(100 * (after - before) / before, 2) if before else 0.0


def add_helps(
    report: dict[str, Any],
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    *,
    timing: SystemTiming | None = None,
    keep_features: bool = False,
    areas: bool = True,
    progress: Progress | None = None,
) -> None:
    """Put ``helps`` into every layer and into the total of a report of :func:`reprise.estimate.network.estimate`.

    Parameters
    ----------
    report : of this network, configuration, batch and memory
    network, config, images, timing : as for :func:`reprise.estimate.network.estimate`
    keep_features : keep the memory of every feature map, as a co-simulation does
    areas : estimate what each change costs, too, which takes seconds for a configuration that was never asked for
    progress : called after each step with how many are done, how many there are, and what the step was
    """
    timing = timing or SystemTiming()
    work = Work(network=network, config=config, images=images, timing=timing, keep_features=keep_features)
    start = time.perf_counter()
    base = timed(network, config, images, timing, keep_features=keep_features)
    long = time.perf_counter() - start > LONG
    wanted = changes(config)
    found: list[Timed | str] = []
    for result in _each(partial(tried, work), wanted, long):
        found.append(result)
        if progress:
            progress(len(found), len(wanted), "cycles")
    area_of: dict[int, dict[str, float]] = {}
    if areas:
        cheap = [n for n, one in enumerate(found) if isinstance(one, Timed) and one.total <= (1 + WORSE) * base.total]
        area_of = dict(zip(cheap, _areas(config, [wanted[n] for n in cheap], progress), strict=True))
    helps: list[dict[str, Any]] = []
    for n, (change, result) in enumerate(zip(wanted, found, strict=True)):
        if isinstance(result, str):
            helps.append({"change": change, "refused": result})
            continue
        helps.append({"change": change, **_cycles(result.total, base.total), **area_of.get(n, {})})
    report["total"]["helps"] = sorted(helps, key=lambda one: one.get("cycles_percent", np.inf))
    for layer in report["layers"]:
        name = layer["name"]
        changed = [
            {"change": change, **_cycles(result.layers[name], base.layers[name])}
            for change, result in zip(wanted, found, strict=True)
            if isinstance(result, Timed)
        ]
        layer["helps"] = sorted(changed, key=lambda one: one["cycles_percent"])


def _areas(config: HardwareConfig, wanted: list[dict[str, int]], progress: Progress | None) -> list[dict[str, float]]:
    """Return for every change by how many percent it changes the resources."""
    configs = [config, *(config.replace(**change) for change in wanted)]
    found: list[dict[str, int]] = []
    for one in _each(area, configs, not all(structure.known(each) for each in configs)):
        found.append(one)
        if progress:
            progress(len(found), len(configs), "area")
    return [{name: _percent(one[key], found[0][key]) for key, name in AREA.items()} for one in found[1:]]


def _cycles(after: int, before: int) -> dict[str, Any]:
    """Return the fields of a help that tell cycles."""
    return {"cycles": after, "cycles_percent": _percent(after, before)}


def fields_alone(work: Work, base: int, other: HardwareConfig) -> list[dict[str, Any]]:
    """Return what each field in which ``other`` differs does alone to the configuration of ``work``, the worst first.

    ``base`` are the cycles without any change.
    """
    now = work.config.to_dict()
    found = []
    for name, value in other.to_dict().items():
        if value == now[name] or name not in SIZES:
            continue
        result = tried(work, {name: value})
        found.append(
            {"change": {name: value}}
            | ({"refused": result} if isinstance(result, str) else _cycles(result.total, base))
        )
    return sorted(found, key=lambda one: -one.get("cycles_percent", -np.inf))
