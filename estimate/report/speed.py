"""How fast a network runs and what the accelerator takes of an FPGA: figures that say what they assume."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...compiler import compile_network
from ...compiler.golden.interpreter import Interpreter
from ...hw.arch.config import HardwareConfig
from ...model.network.network import Network
from ...model.prosparsity.modes import Mode
from ..area import measured, model
from ..area.parts import LARGEST_ECP5, Part
from ..energy import model as energy
from ..network import Estimator, SystemTiming
from .head import head, mode_field
from .shapes import with_shapes

UNITS = {
    "luts": ("lut", "luts", "LUT4s"),
    "flip_flops": ("ff", "luts", "flip-flops"),
    "block_rams": ("ram", "rams", "block RAMs"),
    "multipliers": ("dsp", "dsps", "multipliers"),
}
"""How a report calls a resource, how records call it, how a part calls what it has of it, and how people call it."""


def one_image_cycles(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    timing: SystemTiming,
    *,
    keep_features: bool = False,
    mode: Mode = "product",
) -> int:
    """Return the cycles of a job of the first image alone, by the exact cycle model."""
    compiled = compile_network(network, config, 1, keep_features=keep_features, mode=mode)
    estimator = Estimator(compiled, timing)
    Interpreter(compiled, compiled.initial_memory(images[:1]), estimator.observe).run()
    return int(estimator.schedule()[-1])


def clock_of(config: HardwareConfig, given_mhz: float | None = None, part: Part | None = None) -> dict:
    """Return the clock of a report: the given one, or else that of a routed accelerator, or else an assumed one.

    With ``part``, an accelerator that was routed on another part does not count. Without it, the clock is assumed for
    the largest ECP5.
    """
    if given_mhz is not None:
        return {"mhz": float(given_mhz), "source": "given"}
    for route in measured.routed(config):
        if part is not None and part.name != f"LFE5U-{route['part']}":
            continue
        found = {key: route[key] for key in ("part", "grade", "command", "earlier_netlist")}
        return {"mhz": float(route["fmax_mhz"]), "source": "routed", **found}
    return {"mhz": float((part or LARGEST_ECP5).mhz), "source": "assumed"}


def speed_of(config: HardwareConfig, images: int, cycles: int, image_cycles: int, mhz: float | None = None) -> dict:
    """Return the fields of :class:`reprise.estimate.report.fields.Speed`.

    Parameters
    ----------
    config : HardwareConfig
    images : of the batch
    cycles, image_cycles : of the whole batch, and of one image alone
    mhz : the clock, if somebody gave one
    """
    clock = clock_of(config, mhz)
    shown = ("part", "grade", "fmax_mhz", "command", "earlier_netlist")
    cores = [{key: one[key] for key in shown} for one in measured.routed(config, "core")]
    return {
        "clock": clock,
        "core_routes": [one | {"fmax_mhz": float(one["fmax_mhz"])} for one in cores],
        "image_cycles": image_cycles,
        "image_microseconds": image_cycles / clock["mhz"],
        "batch_cycles": cycles,
        "batch_microseconds": cycles / clock["mhz"],
        "interval_cycles": cycles / images,
        "frames_per_second": images * clock["mhz"] * 1e6 / cycles,
    }


@functools.cache
def _predicted(config: HardwareConfig) -> model.Estimate:
    """Return the estimate of a configuration's area, which takes a second or three for each."""
    return model.predict(config, model.load())


def area_of(config: HardwareConfig) -> dict:
    """Return the fields of :class:`reprise.estimate.report.fields.Area`: as synthesized, or else as estimated."""
    record = measured.synthesized(config)
    resources: dict[str, int]
    said: dict[str, Any]
    if record:
        resources = record
        said = {"source": "synthesized", **{key: record[key] for key in ("command", "earlier_netlist")}}
    else:
        estimate = _predicted(config)
        resources, said = estimate.resources, {"source": "estimated", "extrapolated_fields": sorted(estimate.outside)}
    found = {name: int(resources[key]) for name, (key, *_) in UNITS.items()}
    fits = {f"LFE5U-{part}": model.fits(resources, has) for part, has in measured.ECP5_PARTS.items()}
    return {"family": "ECP5", **said, **found, "fits": fits}


def whole_estimate(
    report: dict[str, Any],
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    *,
    name: str,
    preset: dict[str, int] | None = None,
    clock_mhz: float | None = None,
    area: bool = True,
    mode: Mode = "product",
) -> dict[str, Any]:
    """Return what :func:`reprise.estimate.network.estimate` gave for these images, with all that a report adds to it.

    ``name`` is that of the configuration, ``preset`` holds the values that its preset or file has for the fields that
    were changed, and ``clock_mhz`` is a clock that somebody gave. Without ``area``, resources are in the report only if
    this configuration was synthesized, and not estimated, which takes a second or three. ``mode`` is that of the RUNs.
    """
    cycles = report["total"]["cycles"]["cycle_model"]
    timing = SystemTiming(latency=report["memory"]["latency_cycles"], gap=report["memory"]["gap_cycles"])
    alone = cycles if len(images) == 1 else one_image_cycles(network, config, images, timing, mode=mode)
    speed = speed_of(config, len(images), cycles, alone, clock_mhz)
    resources = {"area": area_of(config)} if area or measured.synthesized(config) else {}
    report = report | energy.fields(report, config)
    return {
        **head("estimate"),
        "configuration_name": name,
        "configuration_preset": preset or {},
        **mode_field(mode),
        **report,
        "layers": with_shapes(report["layers"], network),
        **resources,
        "speed": speed,
    }


def area_source(area: dict) -> str:
    """Say where the resources of an accelerator are known from."""
    return f"{area['source']}{_when(area)}"


def _when(record: dict) -> str:
    """Say that a figure is not of the present netlist, if it is not."""
    return " with an earlier netlist" if record.get("earlier_netlist") else ""


def clock_line(speed: dict) -> str:
    """Say at which clock times are stated, and where it comes from."""
    clock, cores = speed["clock"], speed["core_routes"]
    at = f"{clock['mhz']:g} MHz"
    if clock["source"] == "routed":
        routed = f"routed on LFE5U-{clock['part']}, speed grade {clock['grade']}{_when(clock)}"
        return f"{at}, at which the accelerator was {routed}"
    said = f"{at}, which was given" if clock["source"] == "given" else f"{at}, which is assumed"
    if not cores:
        return f"{said}: this configuration was not routed"
    routes = " and ".join(
        f"{one['fmax_mhz']:g} MHz (LFE5U-{one['part']}, speed grade {one['grade']}{_when(one)})" for one in cores
    )
    return f"{said}: the whole accelerator was not routed, its core was at {routes}"


def speed_lines(speed: dict, images: int) -> list[str]:
    """Say how fast it is, in two lines."""
    each = f"{speed['interval_cycles']:,.0f} cycles an image"
    many = f"a batch of {images} takes {speed['batch_microseconds']:,.1f} us ({each})"
    lines = [
        f"{speed['frames_per_second']:,.0f} frames per second; one image alone takes {speed['image_cycles']:,} cycles, "
        f"{speed['image_microseconds']:,.1f} us{f', {many}' if images > 1 else ''}",
        f"at a clock of {clock_line(speed)}",
    ]
    return lines


def memory_text(bus_bits: int, memory: dict) -> str:
    """Say how wide the bus to the memory is, and how fast the memory answers."""
    said = f"{bus_bits}-bit bus, latency of {memory['latency_cycles']} cycles"
    if memory["gap_cycles"]:
        said += f", {memory['gap_cycles']} idle after every beat"
    if memory.get("stall_probability"):
        said += f", {100 * memory['stall_probability']:g} % stalled"
    return said


def memory_line(report: dict) -> str:
    """Say of a report on which memory its cycles depend."""
    return f"memory: {memory_text(report['configuration']['bus_bits'], report['memory'])}"


def too_small(area: dict) -> str | None:
    """Say of what the largest part has too little, or nothing if it holds the accelerator."""
    part, has = list(measured.ECP5_PARTS.items())[-1]
    short = [f"{has[key]:,} {told}" for name, (_, key, told) in UNITS.items() if area[name] > has[key]]
    return f"LFE5U-{part} has only {' and '.join(short)}" if short else None


def area_line(area: dict) -> str:
    """Say what the accelerator takes of an FPGA, where that is known from, and which part holds it."""
    part = next((name for name, fits in area["fits"].items() if fits), None)
    verdict = f"fits {part}" if part else f"does not fit: {too_small(area)}"
    shown = ", ".join(f"{area[name]:,} {told}" for name, (*_, told) in UNITS.items())
    beyond = area.get("extrapolated_fields")
    more = f", extrapolated in {', '.join(beyond)}" if beyond else ""
    return f"{area['family']}: {shown} ({area_source(area)}{more}); {verdict}"
