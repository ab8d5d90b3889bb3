"""Reset by block: each block of a design has a copy of the reset of its own, which the tools can place beside it."""

from __future__ import annotations

from typing import Any

from amaranth import Elaboratable, Module, ResetInserter, Signal, Value
from amaranth.hdl import Fragment

from .fanout import COPIES, replicate

REACH = 2
"""Cycles until a reset has effect: it passes two registers, that of a group of blocks and the block's copy."""

DEPTH = 2
"""How deep blocks have a copy of their own: blocks, and parts of blocks. What is further inside shares its part's."""


class BlockResets(Elaboratable):
    """Resets a design ``REACH`` cycles late, each block and each part of a block by a copy of the reset of its own.

    A single register for the reset of thousands of flip-flops is a net across the whole device, which is slower than
    any logic. Synthesis keeps ``COPIES`` copies of a register apart (:mod:`reprise.hw.lib.fanout`), so there is a copy
    for each group of as many blocks, and the blocks have copies of that. Of more than ``COPIES`` groups some would be
    merged, which would make their nets longer and change nothing else.

    The copies lie in a submodule ``resets`` of the design. In every module the net that resets its registers is called
    ``data_reset``. The copies differ in the first cycles after the reset of everything, when some blocks are reset once
    more.

    Parameters
    ----------
    design : what is reset
    reset : the reset
    depth : how deep blocks have a copy of their own; with 0 there is one copy for all
    """

    def __init__(self, design: Elaboratable, reset: Value, *, depth: int = DEPTH) -> None:
        self.design, self.reset, self.depth = design, reset, depth

    def elaborate(self, platform: object) -> Fragment:
        nets: list[Signal] = []
        made = self._insert(Fragment.get(self.design, platform), self.depth, None, nets)
        m = Module()
        cut = [nets[first : first + COPIES] for first in range(0, len(nets), COPIES)]
        groups = replicate(m, self.reset, min(len(cut), COPIES), name="group")
        for number, mine in enumerate(cut):
            copies = replicate(m, groups[number % COPIES], len(mine), name=f"block{number}_")
            m.d.comb += [net.eq(copy) for net, copy in zip(mine, copies, strict=True)]
        made.add_subfragment(Fragment.get(m, platform), "resets")
        return made

    def _insert(self, module: Fragment, depth: int, shared: Signal | None, nets: list[Signal]) -> Fragment:
        """Return a module and all inside it with resets; ``shared`` is the net of the part around it, if there is one.

        The nets that need a copy are added to ``nets``.
        """
        if type(module) is not Fragment:  # a memory
            return module
        net = Signal(name="data_reset") if shared is None else shared
        if shared is None:
            nets.append(net)
        opened: Any = module
        inside, opened.subfragments = opened.subfragments, []
        made = ResetInserter(net)(module)
        for inner, name, source in inside:
            made.add_subfragment(self._insert(inner, depth - 1, None if depth else net, nets), name, src_loc=source)
        return made
