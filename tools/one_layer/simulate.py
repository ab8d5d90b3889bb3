"""Runs a program on the accelerator in Amaranth's simulator, and watches the ports of its boxes in every cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from amaranth.hdl import Fragment, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator
from amaranth.sim._async import SimulatorContext

from reprise.hw.accelerator import Accelerator
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.hw.arch.program import COMMAND_BYTES, pack
from reprise.hw.csr.register_map import OFFSETS
from reprise.hw.csr.start import start_registers
from reprise.hw.datapath import Datapath
from reprise.hw.detector.pruner import Pruner
from reprise.hw.frontend import FrontEnd
from reprise.hw.im2col.im2col import Im2col
from reprise.hw.interface.row_order import to_channels
from reprise.hw.loader.loader import Loader
from reprise.hw.loader.weights import WeightLoader
from reprise.hw.neurons.array import NeuronArray
from reprise.hw.output.line_packer import LinePacker
from reprise.hw.output.max_pool import MaxPool
from reprise.hw.output.plane_encoder import PlaneEncoder
from reprise.hw.processor.issue import Issue
from reprise.hw.processor.pe_array import PEArray
from reprise.hw.processor.processor import Processor
from reprise.hw.psum.bank import PsumBank
from reprise.hw.sequencer.scheduler import JobScheduler
from reprise.hw.sorter.sorter import Sorter
from tests.support.axi_memory import AxiMemory

LATENCY = 20
"""Cycles from an address to the first answer of the simulated memory, as in ``reprise cosim``."""

LIMIT = 20_000
"""Cycles after which a run that has not ended counts as a failure."""

Box = TypeVar("Box", bound=wiring.Component)
Trace = dict[str, np.ndarray]
"""What was watched, by its name: a number for every cycle."""


class Boxes:
    """The components of an elaborated design by class; whoever asks for one knows that there is exactly one of it."""

    def __init__(self, fragment: Fragment) -> None:
        self._found: dict[type, list[wiring.Component]] = {}
        self._walk(fragment)

    def _walk(self, fragment: Fragment) -> None:
        elaborated: Any = fragment  # the stubs lack its attributes
        for origin in elaborated.origins or ():
            if isinstance(origin, wiring.Component):
                self._found.setdefault(type(origin), []).append(origin)
        for inner, *_ in elaborated.subfragments:
            self._walk(inner)

    def __getitem__(self, kind: type[Box]) -> Box:
        (box,) = self._found[kind]
        return box  # type: ignore[return-value]  # a dictionary of lists cannot say that its key is their type


def _moved(stream: Any) -> Value:
    """Return whether an item of the stream is taken in this cycle."""
    return stream.valid & stream.ready


def watched(boxes: Boxes, c: HardwareConfig) -> dict[str, Value]:
    """Return what is recorded, by name.

    It is ports of boxes only, so that this list changes when their contracts do, and for nothing else. Values that
    every lane has are recorded under ``NAME0``, ``NAME1`` and so on, by output channel.
    """
    rows, order, pruned = boxes[Im2col].o, boxes[Sorter].o, boxes[Pruner].o
    compute, reuse, issue = boxes[FrontEnd].o_compute, boxes[FrontEnd].o_reuse[0], boxes[Issue]
    bank, psum, neurons = boxes[PsumBank], boxes[Processor].o_psum, boxes[NeuronArray].o
    pool, planes, words, top = boxes[MaxPool].o, boxes[PlaneEncoder].o, boxes[LinePacker].o, boxes[Accelerator]
    row, found = order.payload.rows[0], pruned.rows[0]
    values = {
        "command": boxes[JobScheduler].take,
        "run_start": boxes[JobScheduler].run_start,
        "features": boxes[Loader].o_features.valid,
        "segments": boxes[Loader].o_segments.valid,
        "params": _moved(boxes[Loader].o_params),
        "weights": _moved(boxes[WeightLoader].o),
        "weights_last": boxes[WeightLoader].o.payload.last,
        "rows": _moved(rows),
        "rows_last": rows.payload.last,
        "sorted": _moved(order) & order.payload.valid[0],
        "sorted_last": _moved(order) & order.payload.last,
        "sorted_row": row.index,
        "pruned": pruned.valid & found.valid,
        "pruned_last": pruned.valid & pruned.last,
        "pruned_row": found.index,
        "pruned_residual": found.residual,
        "pruned_exact": found.exact,
        "compute": _moved(compute),
        "compute_row": compute.payload.row,
        "reuse": _moved(reuse),
        "reuse_row": reuse.payload.row,
        "bit": issue.events.residual_bit,
        "bit_row": issue.weight.banks[0].row,
        "finish": issue.finish.valid,
        "update": bank.slot.valid,
        "update_row": bank.slot.row,
        "psum": _moved(psum),
        "neurons": _moved(neurons),
        "neurons_group": neurons.payload.group,
        "pooled": _moved(pool),
        "planes": _moved(planes),
        "planes_bits": planes.payload.bits,
        "words": _moved(words),
        "words_address": words.payload.address,
        "words_data": words.payload.data,
        "aw": top.m_axi_awvalid & top.m_axi_awready,
        "aw_address": top.m_axi_awaddr,
        "w": top.m_axi_wvalid & top.m_axi_wready,
        "w_data": top.m_axi_wdata,
    }
    operand, bits = boxes[PEArray].o[0], c.result_bits
    results = [Value.cast(operand).word_select(lane, bits).as_signed() for lane in range(c.lanes)]
    values |= {f"operand{n}": value for n, value in enumerate(to_channels(c, results))}
    values |= {f"psum{n}": psum.payload.psum[n] for n in range(c.lanes)}
    values |= {f"level{n}": neurons.payload.level[n] for n in range(c.neuron_lanes)}
    values |= {f"pooled{n}": pool.payload.level[n] for n in range(c.neuron_lanes)}
    return {name: Value.cast(value) for name, value in values.items()}


async def _write(ctx: SimulatorContext, top: Accelerator, register: str, value: int) -> None:
    """Write a register as the host does."""
    for name, what in (("awaddr", OFFSETS[register]), ("wdata", value), ("wstrb", 15)):
        ctx.set(getattr(top, f"s_axil_{name}"), what)
    waiting = {"aw", "w"}
    while waiting:
        for channel in ("aw", "w"):
            ctx.set(getattr(top, f"s_axil_{channel}valid"), channel in waiting)
        *_, aw, w = await ctx.tick().sample(top.s_axil_awready, top.s_axil_wready)
        waiting -= {channel for channel, ready in (("aw", aw), ("w", w)) if ready}
    for channel in ("aw", "w"):
        ctx.set(getattr(top, f"s_axil_{channel}valid"), 0)
    ctx.set(top.s_axil_bready, 1)
    await ctx.tick().until(top.s_axil_bvalid)


def simulate(image: MemoryImage, memory: np.ndarray, first: int, last: int) -> tuple[Trace, np.ndarray]:
    """Run the commands of a program from ``first`` to ``last``, as a job of their own.

    Parameters
    ----------
    image : MemoryImage
    memory : uint8[size], the memory before the job
    first, last : indices of commands; an END takes the place of the command after ``last``

    Returns
    -------
    The trace, whose cycle 0 is the one in which the job begins, and uint8[size], the memory afterwards.

    Raises
    ------
    RuntimeError
        The accelerator does not end.
    """
    c, end = image.config, image.program - image.base + (last + 1) * COMMAND_BYTES
    patched = memory.copy()
    patched[end : end + COMMAND_BYTES] = np.frombuffer(pack("END"), np.uint8)
    top = Accelerator(c)
    fragment = Fragment.get(top, None)
    boxes = Boxes(fragment)
    signals = watched(boxes, c)
    ram = AxiMemory(top, c.bus_bits, prefix="m_axi_", size=len(memory), latency=LATENCY)
    ram.data[:] = patched.tobytes()
    begin, seen = boxes[Datapath].begin, []

    async def host(ctx: SimulatorContext) -> None:
        await _write(ctx, top, "IRQ_ENABLE", 1)
        program = image.program + first * COMMAND_BYTES
        for register, value in start_registers(program, image.windows).items():
            await _write(ctx, top, register, value)
        await _write(ctx, top, "CONTROL", 1)
        await ctx.tick().until(top.irq)

    async def watch(ctx: SimulatorContext) -> None:
        begun = False
        for _ in range(LIMIT):
            _, _, starts, *values = await ctx.tick().sample(begin, *signals.values())
            begun = begun or starts
            if begun:
                seen.append(values)
        raise RuntimeError(f"the accelerator must end within {LIMIT} cycles")

    sim = Simulator(fragment)
    sim.add_clock(1e-6)
    sim.add_testbench(ram.run, background=True)
    sim.add_testbench(watch, background=True)
    sim.add_testbench(host)
    sim.run()
    columns: Mapping[str, tuple[int, ...]] = dict(zip(signals, zip(*seen, strict=True), strict=True))
    after = np.frombuffer(bytes(ram.data), np.uint8).copy()
    after[end : end + COMMAND_BYTES] = memory[end : end + COMMAND_BYTES]
    return {name: np.array(column, dtype=object) for name, column in columns.items()}, after
