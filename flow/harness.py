"""Makes designs with a handful of pins out of blocks, so that a block alone can be placed and routed."""

from __future__ import annotations

from collections.abc import Callable

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.arch.config import HardwareConfig
from ..support.errors import RepriseError


def _core(config: HardwareConfig) -> wiring.Component:
    from ..hw.core import Core

    return Core(config)


def _accelerator(config: HardwareConfig) -> wiring.Component:
    from ..hw.accelerator import Accelerator

    return Accelerator(config)


def _frontend(config: HardwareConfig) -> wiring.Component:
    from ..hw.frontend import FrontEnd

    return FrontEnd(config)


def _processor(config: HardwareConfig) -> wiring.Component:
    from ..hw.processor.processor import Processor

    return Processor(config)


def _neurons(config: HardwareConfig) -> wiring.Component:
    from ..hw.neurons.array import NeuronArray

    return NeuronArray(config)


def _im2col(config: HardwareConfig) -> wiring.Component:
    from ..hw.im2col.im2col import Im2col

    return Im2col(config)


def _output(config: HardwareConfig) -> wiring.Component:
    from ..hw.output.writer import OutputWriter

    return OutputWriter(config)


BLOCKS: dict[str, Callable[[HardwareConfig], wiring.Component]] = {
    "core": _core,
    "accelerator": _accelerator,
    "frontend": _frontend,
    "processor": _processor,
    "neurons": _neurons,
    "im2col": _im2col,
    "output": _output,
}
"""Blocks that can be synthesized alone, by the name of the command line."""


def make_block(name: str, config: HardwareConfig) -> wiring.Component:
    """Return the component called ``name``.

    Raises
    ------
    RepriseError
        There is no such block.
    """
    if name not in BLOCKS:
        raise RepriseError(f"block must be one of {', '.join(BLOCKS)}, not {name!r}")
    return BLOCKS[name](config)


class Harness(wiring.Component):
    """A block between two shift registers, which has three pins whatever the ports of the block.

    The inputs of the block are the bits of a shift register, and its outputs are XORed into a second one. So every bit
    of a port lies between flip-flops, as it does inside a larger design. The harness costs one flip-flop for each input
    bit, and one flip-flop and one LUT for each output bit. Routing reports count them; synthesis reports are of the
    bare block and do not.

    Members
    -------
    i, o : In(1), Out(1), serial data
    """

    def __init__(self, block: wiring.Component) -> None:
        self.block = block
        super().__init__({"i": In(1), "o": Out(1)})

    def _ports(self) -> tuple[Value, Value]:
        """Return the inputs and the outputs of the block, each as one value."""
        inputs: list[Value] = []
        outputs: list[Value] = []
        for _, member, value in self.block.signature.flatten(self.block):
            value = value.as_value() if hasattr(value, "as_value") else value
            (inputs if member.flow == In else outputs).append(value)
        return Cat(inputs), Cat(outputs)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.block
        given, taken = self._ports()
        shift_in = Signal(len(given), name="harness_in", reset_less=True)
        shift_out = Signal(len(taken), name="harness_out", reset_less=True)
        m.d.sync += [
            shift_in.eq(Cat(self.i, shift_in)),
            shift_out.eq(Cat(taken[0], taken[1:] ^ shift_out)),
        ]
        m.d.comb += [given.eq(shift_in), self.o.eq(shift_out[-1])]
        return m
