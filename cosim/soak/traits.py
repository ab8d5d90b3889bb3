"""Says what is special about a job of the soak, so that it can be counted what has really been run.

:data:`NAMED` are the traits that a soak must have, and :data:`NEVER` is what the generator cannot draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..jobs.random_configs import LANES, MAX_LEVELS, TILE_K, TILE_M
from ..jobs.random_networks import MANY, WIDE_TIMESTEPS

if TYPE_CHECKING:
    from .draw import Case

CONFIGURATION = {
    "lanes": LANES,
    "tile_k": tuple(sorted(TILE_K)),
    "tile_m": tuple(sorted(TILE_M)),
    "queries": (1, 2),
    "banks": (1, 2),
}
"""Fields of a configuration with the values that are counted; presets and small configurations have others."""

MOST_KERNEL = 7

KINDS = {
    "input": ("pixels", "signed input", "binary input", "input repeat", "input once", "input given", "several images"),
    "maps": ("map not square", "map of one line", "one channel", f"{MANY} channels", "maps kept", "maps reused"),
    "sources": ("kernel not square", "stride 2", "padding", "grouped weights", "flattened", "join"),
    "layers": (
        *("bit planes", "thermometer planes", "max pool", "overlapping pool", "attention", "mask"),
        *("addend", "shifted sums", "join behind neurons"),
    ),
    "neurons": ("IF", "LIF", "readout", "sum", "soft reset", "hard reset", "no reset"),
    "memory": ("no stalls", "stalls", "bandwidth limited"),
}
"""Traits that are there or not, by what they are traits of."""

NUMBERED = {
    **CONFIGURATION,
    "T": tuple(range(1, WIDE_TIMESTEPS + 1)),
    "N": tuple(range(1, MAX_LEVELS + 1)),
    "kernel": tuple(range(1, MOST_KERNEL + 1)),
}
"""Traits that are a number, such as "lanes 24": the name with the numbers that are counted."""

NAMED = (
    *(f"{name} {value}" for name, values in NUMBERED.items() for value in values),
    *(name for names in KINDS.values() for name in names),
)
"""All traits that are counted."""

NEVER = (
    ("more than 56 `lanes`, or `tile_m` of 8, 128, 256 and 1024", "a simulator of them takes minutes to build; `paper`"
     " and `paper2` (128 lanes, 256 rows) are run by the real networks of `reprise soak`"),
    ("`tile_m` 512 with `tile_k` 64", "the same"),
    ("24, 40 or 56 `lanes` with a memory port of more than 64 bits", "a rule of configurations forbids it: a weight row"
     " is whole bus words, or a bus word whole rows"),
    ("T above 8 or N above 15", "`max_timesteps` is at most 16 and `max_levels` 15 in all configurations of the soak"),
    ("`weight_bits` other than 4, 7 and 8, `max_planes` other than 8", "the generator has no others"),
    ("grouped convolutions as such", "a network has none: importers make them dense kernels with zeros, which are"
     " drawn"),
    ("a join with a shift, more than two sources, average pools", "a network has none"),
    ("stride above 2, kernels above 7", "importers refuse them; the hardware only knows segments"),
    ("257 channels at large maps, kernels and T at once", "a layer's tiles have at most some thousand rows, so that a"
     " simulation takes well under a second"),
    ("networks that the compiler refuses for their configuration", "another is drawn instead, and both are counted"),
)  # fmt: skip
"""What the generator cannot draw, with the reason."""


def traits(case: Case) -> tuple[str, ...]:
    """Return the traits of a job, in the order of :data:`NAMED`."""
    found = set(_traits(case))
    return tuple(name for name in NAMED if name in found)


def _traits(case: Case) -> Iterator[str]:
    config, network, traffic = case.compiled.config, case.network, case.traffic
    yield from (f"{field} {getattr(config, field)}" for field in CONFIGURATION)
    yield f"T {network.timesteps}"
    yield "stalls" if traffic.stall else "no stalls"
    yield "maps kept" if case.kept else "maps reused"
    if traffic.gap:
        yield "bandwidth limited"
    if len(case.images) > 1:
        yield "several images"
    yield f"input {network.input_mode}"
    if network.input_levels == 255:
        yield "signed input" if network.input_signed else "pixels"
    if network.input_levels == 1:
        yield "binary input"
    if any(fields.get("join_planes") for opcode, fields in case.compiled.commands() if opcode == "RUN"):
        yield "join behind neurons"
    shapes = [network.input_shape, *(geometry.feature for geometry in network.geometry.values())]
    if any(height != width for _, height, width in shapes):
        yield "map not square"
    if any(min(height, width) == 1 < max(height, width) for _, height, width in shapes):
        yield "map of one line"
    for number in {channels for channels, _, _ in shapes} & {1, MANY}:
        yield "one channel" if number == 1 else f"{MANY} channels"
    for layer in network.layers:
        neuron = layer.neuron
        if not neuron.fires:
            yield neuron.kind
        else:
            yield from (f"N {neuron.levels}", neuron.kind.upper(), f"{neuron.reset} reset".replace("none", "no"))
        yield {"bitplane": "bit planes", "thermometer": "thermometer planes"}[layer.encoding]
        if layer.pool:
            yield "overlapping pool" if layer.pool.overlaps else "max pool"
        if layer.addend:
            yield "addend"
        if layer.shift:
            yield "shifted sums"
        if layer.product:
            yield "attention"
        if len(layer.sources) > 1:
            yield "join"
        for source in layer.convolutions:
            height, width = source.weight.shape[2:]
            if source.mask:
                yield "mask"
            yield from ("flattened",) if source.flatten else (f"kernel {height}", f"kernel {width}")
            yield from (name for name, there in (
                ("kernel not square", height != width), ("stride 2", source.stride == 2), ("padding", source.padding),
                ("grouped weights", not source.flatten and grouped(source.weight)),
            ) if there)  # fmt: skip


def grouped(weight: np.ndarray) -> bool:
    """Return whether weights (O, C, KH, KW) are those of a grouped convolution: channels are in groups of their own."""
    most = math.gcd(*weight.shape[:2])
    used = (weight != 0).sum(axis=(2, 3)) > 0
    for groups in (n for n in range(2, most + 1) if most % n == 0):
        mine = [np.arange(channels) * groups // channels for channels in used.shape]
        if used.any() and not used[mine[0][:, None] != mine[1]].any():
            return True
    return False
