"""Connects the loaders of stored maps, which are read while a run computes another one."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import wiring

from .arch.config import HardwareConfig
from .core import Core
from .interface.memory import ADDEND_WORDS, JOIN_WORDS
from .loader.addends import AddendLoader
from .loader.loader import Loader
from .loader.weights import WeightLoader
from .output.joins.loader import JoinLoader
from .output.writer import OutputWriter
from .sequencer.fetch import CommandFetch
from .sequencer.scheduler import JobScheduler

Reader = tuple[str, CommandFetch | WeightLoader | Loader | AddendLoader | JoinLoader, int]
"""What reads from memory, with its name and the bus words that are buffered before it."""


def stored_maps(
    m: Module, config: HardwareConfig, scheduler: JobScheduler, core: Core, output: OutputWriter
) -> list[Reader]:
    """Build those that are wanted, for which the neurons, and the output behind them, of the run in progress wait."""
    found: list[Reader] = []
    if config.addend_groups:
        m.submodules.addends = addends = AddendLoader(config)
        wiring.connect(m, addends.o, core.i_addend)
        m.d.comb += [addends.run.eq(scheduler.run), addends.start.eq(scheduler.run_start)]
        found.append(("addends", addends, ADDEND_WORDS))
    if config.joins:
        m.submodules.joins = joins = JoinLoader(config)
        wiring.connect(m, joins.o, output.i_stored)
        m.d.comb += [joins.run.eq(scheduler.run), joins.i_start.eq(scheduler.run_start)]
        found.append(("joins", joins, JOIN_WORDS))
    return found
