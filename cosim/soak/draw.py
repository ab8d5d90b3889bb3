"""Draws the jobs of the soak: a configuration, networks, images, and how the memory behaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...compiler import CompileError, compile_network
from ...compiler.place import PAGE
from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import MemoryImage
from ...model.network.network import Network
from ...support.cache import source
from ..bench.system import Traffic
from ..jobs import random_configs, random_networks
from . import attention, joins, maker, shortcuts
from .attention import random_attention
from .joins import random_joins
from .shortcuts import random_shortcuts

PRESETS = ("tiny", "small")
"""Which are taken before random configurations."""

CASES = 25
"""Networks of a shard, which are run one after the other in one simulation."""

ATTENTIONS, SHORTCUTS, JOINS = 0.2, 0.4, 0.25
"""The share of networks with attention, with membrane shortcuts in a configuration that has addends, and with levels
that pile up in one that adds them behind neurons."""

ATTEMPTS = 8
"""How many networks are tried where the compiler refuses one for its configuration."""

PLACES = 1_000_000
"""Seeds of a configuration's networks: so many shards times CASES are far away."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A configuration of the soak with its name and its number, from which the seeds of its networks follow."""

    number: int
    name: str
    config: HardwareConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One random job.

    Members
    -------
    seed : of the network and its images
    network, images : what is run
    compiled : the memory image
    traffic : how the memory behaves
    refusals : what the compiler said of the networks that were tried before
    """

    seed: int
    network: Network
    images: np.ndarray
    compiled: MemoryImage
    traffic: Traffic
    refusals: tuple[str, ...]

    @property
    def end(self) -> int:
        """First byte address behind the job's memory where that of the next one may begin."""
        return -(-(self.compiled.base + self.compiled.size) // PAGE) * PAGE

    @property
    def kept(self) -> bool:
        """Whether no feature map takes the place of another one in memory, so that all can be compared."""
        spans = sorted((f.address, f.address + f.bytes) for f in self.compiled.features.values())
        return all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The compiler refused every network that was tried; ``reason`` is what it said of the last one."""

    seed: int
    reason: str


def hardware(count: int) -> list[Hardware]:
    """Return the first ``count`` configurations of the soak: the presets, and then random ones."""
    made = [(name, HardwareConfig.load(name)) for name in PRESETS]
    made += [(f"random{seed}", random_configs.random_config(seed)) for seed in range(count)]
    return [Hardware(number=n, name=name, config=config) for n, (name, config) in enumerate(made[:count])]


def generator() -> list[str]:
    """Return digests of the files that decide which jobs a seed gives."""
    modules = (
        __file__,
        attention.__file__,
        maker.__file__,
        shortcuts.__file__,
        joins.__file__,
        random_configs.__file__,
        random_networks.__file__,
    )
    return [source(Path(str(module))) for module in modules]


def cases(on: Hardware, shard: int) -> Iterator[Case | Refused]:
    """Yield the jobs of a shard. Each image lies in memory behind the one before, so that all fit into one memory."""
    base = 0
    for place in range(CASES):
        drawn = _case(on, on.number * PLACES + shard * CASES + place, base)
        yield drawn
        if isinstance(drawn, Case):
            base = drawn.end


def _case(on: Hardware, seed: int, base: int) -> Case | Refused:
    r = np.random.default_rng([seed, 123])
    batch, keep = int(r.integers(1, 4)), bool(r.random() < 0.7)
    stall = float(r.choice([0, 0, 0.1, 0.5]))
    gap, latency = int(r.choice([0, 0, 1, 3])), int(r.choice([0, 1, 7, 20, 40]))
    kind = r.random()
    first = random_attention if kind < ATTENTIONS else None
    if on.config.addend_groups and kind >= 1 - SHORTCUTS:
        first = random_shortcuts
    if on.config.joins and ATTENTIONS <= kind < ATTENTIONS + JOINS:
        first = random_joins
    refusals: list[str] = []
    while len(refusals) < ATTEMPTS:
        one = seed * ATTEMPTS + len(refusals)
        network = (
            first(one, on.config)
            if first and not refusals
            else random_networks.random_network(one, on.config, wide=True)
        )
        try:
            cuts = random_networks.random_tiles(one, network, on.config)
            compiled = compile_network(network, on.config, batch, base=base, keep_features=keep, **cuts)
        except CompileError as error:
            refusals.append(str(error))
            continue
        return Case(
            seed=one,
            network=network,
            images=random_networks.random_images(one, network, batch),
            compiled=compiled,
            traffic=Traffic(latency=latency, stall=stall, gap=gap),
            refusals=tuple(refusals),
        )
    return Refused(seed=seed * ATTEMPTS, reason=refusals[-1])
