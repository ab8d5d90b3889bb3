"""Finds out what a configuration cannot run, before anything gets an address."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..hw.arch.config import HardwareConfig
from ..hw.arch.config_rules import LIMITS
from ..hw.arch.rules import ProgramRules
from ..model.inference.widths import WidthError, Widths, check
from ..model.network.layer import Layer
from ..model.network.network import Network
from ..model.prosparsity.modes import MODES, Mode
from ..support.checks import require, require_int
from .depths import ALL_WHOLE
from .errors import CompileError, IllegalCommand, limit
from .work import Work


def check_layer(work: Work, config: HardwareConfig) -> None:
    """Check one layer against the limits of a configuration.

    Raises
    ------
    CompileError
        The layer exceeds a limit; the message names the layer, the limit, the value and the remedy.
    """
    name, neuron, out = work.layer.name, work.layer.neuron, work.output
    check_sum(work.layer)

    def at_most(field: str, value: int, what: str, remedy: str) -> None:
        most = getattr(config, field)
        remedy = f"{remedy}, or a configuration with more {field}"
        limit(value <= most, name, what, value, f"{field}={most}", remedy)

    at_most("max_timesteps", out.timesteps, "timesteps", "use fewer timesteps")
    levels = max(neuron.levels, work.layer.levels)
    at_most("max_levels", levels, "neuron levels", "use neurons with fewer levels")
    fewer = "use bit planes instead of thermometer planes, fewer levels"
    at_most("max_planes", work.planes, "planes of its input", fewer)
    what = "planes of its input + shift"
    at_most("max_planes", work.planes + work.layer.shift, what, "use a smaller shift, or fewer levels")
    if any(i.masks for i in work.inputs) and not config.masks:
        mask = work.layer.convolutions[0].mask
        raise CompileError(
            f"layer {name!r}: its mask {mask!r} needs masks=1, not 0: join both maps in a layer that fires where both"
            " do, or use a configuration with masks, such as the preset small-t"
        )
    if out.kind == "planes":
        at_most("max_planes", out.planes, "planes of its output", fewer)
    rows = work.rows_per_position
    remedy = "a position's timesteps and planes share a tile: use fewer of them or a larger tile_m"
    limit(rows <= config.tile_m, name, "timesteps x planes", rows, f"tile_m={config.tile_m}", remedy)
    top = (1 << (config.membrane_bits - 1)) - 1
    limit(
        int(neuron.threshold.max()) <= top,
        name,
        "threshold",
        int(neuron.threshold.max()),
        top,
        "use more membrane_bits",
    )
    half = 1 << (config.weight_bits - 1)
    for i in work.inputs:
        low, high = int(np.min(i.weight)), int(np.max(i.weight))
        if low < -half or high >= half:
            raise CompileError(
                f"layer {name!r}: weights must be {-half}..{half - 1} (weight_bits={config.weight_bits}),"
                f" not {low}..{high}: quantize to fewer bits or use more weight_bits"
            )


def check_mode(mode: Mode, config: HardwareConfig) -> None:
    """Refuse a mode that does not exist, or that the configuration does not have.

    Raises
    ------
    RepriseError
        As said; the message names the rule and the remedy.
    """
    require(mode in MODES, "mode", f"one of {', '.join(MODES)}", mode)
    why = "only a configuration with modes=1 has others (--set modes=1)"
    require(mode == "product" or bool(config.modes), "mode", "product", mode, why)


def check_options(
    network: Network,
    joined: Collection[str],
    config: HardwareConfig,
    depths: Mapping[str, int],
    wholes: Mapping[str, int],
    mode: Mode | Mapping[str, Mode],
) -> None:
    """Refuse what is given for layers if there are none of that name, or if it is out of range.

    ``joined`` has names of layers that others compute.

    Raises
    ------
    RepriseError
        As said; the message names the layer, the rule and the value.
    """
    names = sorted({layer.name for layer in network.layers} | set(joined))
    products = {layer.name for layer in network.layers if layer.product}
    modes = {} if isinstance(mode, str) else mode
    for what, given in (("tile_depths", depths), ("whole_tiles", wholes), ("mode", modes)):
        for name in given:
            require(name in names, what, f"of layers of the network, {names}", name)
    for one in (mode,) if isinstance(mode, str) else modes.values():
        check_mode(one, config)
    for name, depth in depths.items():
        why = "its K tiles follow from its heads"
        require(name not in products, f"tile_depths[{name!r}]", "of a layer that is no product", depth, why)
        require_int(f"tile_depths[{name!r}]", depth, 1, config.tile_k, "a K tile has at most tile_k bits")
    for name, whole in wholes.items():
        require_int(f"whole_tiles[{name!r}]", whole, 0, ALL_WHOLE, "the RUN has 16 bits for it")


def check_sum(layer: Layer) -> None:
    """Refuse a sum that is shifted, which no hardware does."""
    remedy = "let the sum clip, or make its weights smaller"
    limit(layer.neuron.shift == 0, layer.name, "shift of a sum", layer.neuron.shift, 0, remedy)


def check_addends(network: Network, config: HardwareConfig) -> None:
    """Refuse addends where the configuration has none.

    Raises
    ------
    CompileError
        A layer has an addend; the message names it.
    """
    least = LIMITS["addend_groups"].low
    for layer in network.layers:
        if layer.addend is not None and not config.addend_groups:
            raise CompileError(
                f"layer {layer.name!r}: its addend {layer.addend!r} needs addend_groups of at least {least}, not 0: "
                "use a configuration that has them, such as the preset small-t"
            )


def check_blocks(work: Work) -> None:
    """Refuse an addend whose blocks of channels are not those that the layer computes.

    Raises
    ------
    CompileError
        They differ, as products of two maps want other blocks; the message names the layer.
    """
    if work.addend is not None and work.addend.block_channels != work.block_channels:
        raise CompileError(
            f"layer {work.layer.name!r}: its addend must have blocks of {work.block_channels} channels, not "
            f"{work.addend.block_channels}, because products read what it writes: add in a layer of its own"
        )


def check_widths(network: Network, config: HardwareConfig) -> None:
    """Prove that no sum can overflow the configuration's registers, for any input.

    Raises
    ------
    CompileError
        A sum can overflow; the message names the layer, the bound and the width.
    """
    try:
        check(network, Widths.of(config), config.tile_k)
    except WidthError as error:
        raise CompileError(str(error)) from None


def check_commands(commands: list[tuple[str, dict[str, int]]], config: HardwareConfig) -> None:
    """Make sure that every command obeys the rules of the hardware.

    What was checked before should guarantee it, so that a command that does not is a fault of the compiler.

    Raises
    ------
    IllegalCommand
        A command breaks a rule; the message names the command, the field, the rule and the value.
    """
    rules = ProgramRules(config)
    for number, (opcode, fields) in enumerate(commands):
        broken = rules.violations(opcode, fields)
        if broken:
            raise IllegalCommand(
                f"command {number}: {broken[0]}: a fault of Reprise's compiler, please report it with the network"
            )
