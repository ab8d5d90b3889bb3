"""Says what enables that save energy cost on an FPGA: the core as it is, and with these enables held at one.

    python -m tools.energy.enables --config small --seeds 3 --write

The enables are those of memories and wide registers, by group of channels and by whether anything comes: of tile
results, accumulators and operands, of partial sums, and of the stages in which the neurons add up. Those in which they
decide on levels keep theirs. Without the enables the core computes the same. Both cores are synthesized, and routed
with every seed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from statistics import mean
from typing import Annotated, Any
from unittest.mock import patch

import typer
from amaranth import C, Cat, Module, Value
from amaranth.hdl import Const

from reprise.estimate.area.netlist import NETLIST
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.lib import fanout, wide_memory
from reprise.hw.neurons import integrate
from reprise.hw.processor import pe_array
from reprise.hw.psum import bank
from reprise.support.command_line import Write, commands, example, main
from tools.tables import MEASURED

NAME = "python -m tools.energy.enables"
RECORD = MEASURED / "enables.json"

app = commands()


def _ones(bits: int) -> Value:
    return C((1 << bits) - 1, bits)


def _bits(value: Value) -> list[Value]:
    """Return the parts of a concatenation, and those of what is concatenated in it."""
    parts = getattr(value, "parts", None)
    return [value] if parts is None else [one for part in parts for one in _bits(part)]


def _replicate(m: Module, value: Any, count: int, *, name: str) -> list[Value]:
    """Return what :func:`reprise.hw.lib.fanout.replicate` does, but constants as they are, without a register."""
    parts = _bits(Value.cast(value))
    held = [part for part in parts if not isinstance(part, Const)]
    copies = fanout_replicate(m, Cat(*held), count, name=name) if held else [C(0, 0)] * count
    found: list[Value] = []
    for copy in copies:
        at, shown = 0, list[Value]()
        for part in parts:
            shown.append(part if isinstance(part, Const) else copy[at : at + len(part)])
            at += 0 if isinstance(part, Const) else len(part)
        found.append(Cat(*shown))
    return found


def _opened(first: int, last: int) -> Callable[..., Any]:
    """Return a fan-out whose value has ones in place of its ``first`` lowest and its ``last`` highest bits."""

    def fan_out(m: Module, value: Any, lanes: int, *, name: str, most: int = fanout.COPIES) -> list:
        inner = Value.cast(value)[first : len(value) - last]
        return fanout.fan_out(m, Cat(_ones(first), inner, _ones(last)), lanes, name=name, most=most)

    return fan_out


def _memory(*args: Any, read: tuple, put: tuple, **others: Any) -> Value:
    """Build a memory that is read in every cycle, and written for all channels where it is for any."""
    groups = len(Value.cast(put[0]))
    opened = Value.cast(put[0]).any().replicate(groups)
    return wide_memory.wide_memory(*args, read=(_ones(groups), read[1]), put=(opened, put[1]), **others)


def _any_group(self: Any, valid: Value, buffer: Value) -> Value:
    """Return all groups of channels if there is an access, whichever the RUN has."""
    groups: Value = valid.replicate(self.config.groups)
    return groups


def _pe_fan_out(groups: int) -> Callable[..., Any]:
    """Return a fan-out that lets accumulators load in every cycle."""

    def fan_out(*args: Any, name: str) -> list:
        return (_opened(0, groups) if name == "load" else fanout.fan_out)(*args, name=name)

    return fan_out


def _registers(self: Any, m: Module, values: list, name: str, comes: Value) -> list[Value]:
    return integrate_register(self, m, values, name, C(1))


def _comes(self: Any, m: Module, flags: Any) -> list[tuple[Value, ...]]:
    return [tuple(C(1) for _ in flags)] * self.config.neuron_lanes


fanout_replicate = fanout.replicate
integrate_register = integrate.NeuronIntegrate._register


@contextlib.contextmanager
def without_enables(config: HardwareConfig) -> Iterator[None]:
    """Let cores of a configuration be described with the enables at one while the context lasts."""
    assert not config.narrow_buffers, "halves of the lanes that hold other rows need their enables"
    with contextlib.ExitStack() as stack:
        for where, name, instead in (
            (fanout, "replicate", _replicate),
            (wide_memory, "replicate", _replicate),
            (bank, "wide_memory", _memory),
            (pe_array, "wide_memory", _memory),
            (bank.PsumBank, "_groups", _any_group),
            (pe_array.PEArray, "_wanted", _any_group),
            (bank, "fan_out", _opened(config.groups, 0)),
            (pe_array, "fan_out", _pe_fan_out(config.groups)),
            (integrate.NeuronIntegrate, "_comes", _comes),
            (integrate.NeuronIntegrate, "_register", _registers),
        ):
            stack.enter_context(patch.object(where, name, instead))
        yield


def measure(config: HardwareConfig, name: str, seeds: int, grade: int, part: str) -> dict[str, Any]:
    """Return the resources of a core as it is described now, and its clocks in MHz by seed."""
    from reprise.flow.fpga.route import place_and_route
    from reprise.flow.fpga.synth import synthesize, with_harness

    design = synthesize(config, name=name)
    found: dict[str, Any] = {key: design.resources[key] for key in ("lut", "ff", "ram", "dsp")}
    netlist = with_harness(config, design) if seeds else design.netlist
    routed = [place_and_route(netlist, part=part, grade=grade, seed=1 + n) for n in range(seeds)]
    return found | {"mhz": [one.fmax for one in routed]}


@app.command(epilog=example(f"{NAME} --config small --seeds 3 --write"))
def enables(
    config: Annotated[str, typer.Option(metavar="NAME", help="preset of the hardware")] = "small",
    seeds: Annotated[int, typer.Option(metavar="N", help="seeds of the placer with which both are routed")] = 3,
    grade: Annotated[int, typer.Option(metavar="N", help="speed grade 6, 7 or 8")] = 6,
    part: Annotated[str, typer.Option(metavar="NAME", help="size of the LFE5U")] = "85k",
    write: Write = False,
) -> None:
    """Synthesize and route a core with and without enables; with --write, put the figures into the record."""
    chosen = HardwareConfig.load(config)
    found: dict[str, Any] = {"netlist": NETLIST, "part": part, "grade": grade}
    found["command"] = " ".join([NAME, f"--config {config} --seeds {seeds} --grade {grade} --part {part} --write"])
    found["with"] = measure(chosen, config, seeds, grade, part)
    with without_enables(chosen):
        found["without"] = measure(chosen, f"{config}-without", seeds, grade, part)
    print(json.dumps(found, indent=1))
    for key, (one, other) in {k: (found["with"][k], found["without"][k]) for k in ("lut", "ff", "ram")}.items():
        print(f"{key}: {100 * (one / other - 1):+.2f} %")
    if seeds:
        print(f"clock: {100 * (mean(found['with']['mhz']) / mean(found['without']['mhz']) - 1):+.2f} %")
    if write:
        rows = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
        RECORD.write_text(json.dumps(rows | {config: found}, indent=1) + "\n")


if __name__ == "__main__":
    main(app, NAME)
