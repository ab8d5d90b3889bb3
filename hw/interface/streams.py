"""The payloads of the streams between blocks. Each function returns a layout for the configuration ``c``."""

from __future__ import annotations

from amaranth import signed
from amaranth.lib import data

from ..arch.config import HardwareConfig
from .commands import segment_bus_layout

BANK_ENTRIES = 512
"""The fewest entries that a bank of the feature buffer has, if there are more than two: a block RAM holds so many words
of 36 bits, so that more banks of fewer words would need more block RAM."""


def feature_banks(c: HardwareConfig) -> int:
    """Return how many banks of the feature buffer neighbouring words lie in: those of a bus word, and at least two."""
    return max(2, min(c.bus_bits // c.feature_bits, c.feature_words // BANK_ENTRIES))


def feature_write(c: HardwareConfig) -> data.StructLayout:
    """Neighbouring words of the feature buffer, one of each bank, from word ``entry * feature_banks(c)`` on.

    ``mask`` has a bit for each of them, which says that it is to be written.
    """
    banks = feature_banks(c)
    words = data.ArrayLayout(c.feature_bits, banks)
    return data.StructLayout({"entry": range(c.feature_words // banks), "words": words, "mask": banks})


def epoch_bits(c: HardwareConfig) -> int:
    """Return the width of a job's epoch, which each word of the feature buffer keeps beside its bits.

    Block RAM has a bit for parity with every 8 bits of data, so that these bits cost nothing.
    """
    return c.feature_bits // 8


TAG_BITS = 3
"""The width of a tile's tag, in bits. The tag is the tile's sequence number modulo 8; at most 6 tiles are in flight."""


def tile_info(c: HardwareConfig) -> data.StructLayout:
    """What the blocks after the loader must know about a tile."""
    return data.StructLayout(
        {
            "weight_slot": c.weight_slot_bits,  # slot of the weight buffer that holds the tile's weights
            "weight_release": 1,  # the slot may be refilled when this tile is done
            "last_k": 1,  # this is the last K tile of its m tile, after which the partial sums are drained
            "rows": c.count_bits,  # number of rows of the m tile, 1..tile_m; all its K tiles have the same
            "idle_groups": range(c.groups),  # groups of channels, the highest ones, that the RUN does not have
            **(taken(c) if c.modes else {}),
        }
    )


def taken(c: HardwareConfig) -> dict[str, int | range]:
    """What says which bits of a tile's rows are taken: the RUN's mode, and the bits of a row (its ``tile_depth``)."""
    return {"mode": 2, "depth": range(c.tile_k + 1)}


def tile_word(c: HardwareConfig) -> data.StructLayout:
    """A beat of a tile: ``load_rows`` consecutive rows of ``tile_k`` bits. ``last`` marks the tile's last beat."""
    return data.StructLayout({"rows": data.ArrayLayout(c.tile_k, c.load_rows), "last": 1, "tile": tile_info(c)})


def tile_begin(c: HardwareConfig) -> data.StructLayout:
    """The announcement of a tile, which comes before any of its rows."""
    return data.StructLayout({"tag": TAG_BITS, "tile": tile_info(c)})


def tile_end(c: HardwareConfig) -> data.StructLayout:
    """The end of a tile, which comes after all its rows and says how many there were of each kind."""
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "computes": c.count_bits,  # number of compute rows
            "reuses": data.ArrayLayout(c.count_bits, c.banks),  # number of reuse rows of each bank
        }
    )


def compute_row(c: HardwareConfig) -> data.StructLayout:
    """A compute row, that is, one which is no exact match.

    Its result is that of its prefix (or zero, if it has none) plus the weight rows of its ``residual`` bits.
    """
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "residual": c.tile_k,
            "has_prefix": 1,
            "prefix": c.row_bits,  # address of the prefix's tile result
            "result": c.row_bits,  # address to which its own tile result goes
            "row": c.row_bits,  # index of the row in the tile, which is where its partial sum is
            # Where a RUN has a mode: the bits that take a slot, of which only those of the residual add something.
            **({"slots": c.tile_k} if c.modes else {}),
        }
    )


def reuse_row(c: HardwareConfig) -> data.StructLayout:
    """A reuse row, that is, an exact match: its result is that of its prefix."""
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "prefix": c.row_bits,  # address of the prefix's tile result
            "row": c.row_bits,  # index of the row in the tile, which is where its partial sum is
            "after": c.count_bits,  # number of compute rows of this tile that must be issued before it
        }
    )


def weight_row(c: HardwareConfig) -> data.StructLayout:
    """A weight row: the weights of input bit ``row`` of a K tile for all lanes. ``last`` completes the weight slot.

    The weight slots take turns, from slot 0 on.
    """
    return data.StructLayout(
        {
            "weight_slot": c.weight_slot_bits,
            "row": range(c.tile_k),
            "last": 1,
            "data": data.ArrayLayout(signed(c.weight_bits), c.lanes),
        }
    )


def psum_row(c: HardwareConfig) -> data.StructLayout:
    """The finished partial sums of one row, that is, of one plane of one output position."""
    return data.StructLayout(
        {
            "psum": data.ArrayLayout(signed(c.psum_bits), c.lanes),
            "dirty": 1,  # if 0, nothing was added to the row: its partial sums are zero, whatever ``psum`` says
            "plane": range(c.max_planes),
            "first": 1,  # the first row of its position and timestep; clean rows of all but the last plane are left out
            "last_plane": 1,
            "last_position": 1,  # its position is the last of its block, so the next timestep follows (row_order)
            "last": 1,  # the last row of the m tile
            **({"upper": 1} if c.narrow_buffers else {}),  # they are in the upper half of the lanes
        }
    )


def layer_config(c: HardwareConfig) -> data.StructLayout:
    """What the neuron array and the output side must know about a layer. It is constant during a run."""
    return data.StructLayout(
        {
            "readout": 1,  # the layer does not fire, and its potentials are written
            "reset": 2,  # 0: soft, 1: hard, 2: none
            "levels": c.level_bits,  # N, the highest level
            "planes": range(c.max_planes + 1),  # P, the number of planes of the input
            "weigh": 1,  # 1: plane p weighs 2**p (bitplane encoding), 0: every plane weighs 1 (thermometer encoding)
            "signed": 1,  # the highest plane is a sign plane in two's complement
            "timesteps": range(c.max_timesteps + 1),  # T, the number of timesteps
            "groups": range(c.groups + 1),  # number of groups of neuron_lanes channels that are in use
            # An addend is added to the sums if its bytes are not 0; plane p weighs 2**shift times as much then.
            **({"addend_bytes": 3, "shift": range(c.max_planes)} if c.addend_groups else {}),
        }
    )


def addend_group(c: HardwareConfig) -> data.ArrayLayout:
    """The integers of an addend for one group of channels at one output position and timestep."""
    return data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes)


def neuron_params(c: HardwareConfig) -> data.StructLayout:
    """The integer parameters of the neurons of one group of ``neuron_lanes`` channels (arXiv 2510.24637)."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "group": range(c.groups),
            "bias": data.ArrayLayout(signed(c.membrane_bits), n),
            "threshold": data.ArrayLayout(c.membrane_bits - 1, n),  # D, greater than 0
            "v0": data.ArrayLayout(signed(c.membrane_bits), n),  # the initial potential
            "leak": data.ArrayLayout(9, n),  # l in 0..256, in units of 1/256
        }
    )


def neuron_out(c: HardwareConfig) -> data.StructLayout:
    """The levels, or the potentials of a readout, of one group of channels at one output position and timestep."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, n),
            "potential": data.ArrayLayout(signed(c.membrane_bits), n),  # means nothing if positions are interleaved
            "group": range(c.groups),
            "last_group": 1,  # the last group of its position and timestep
            "last_t": 1,  # the last timestep
            "last": 1,  # the last item of the m tile
        }
    )


def segment_write(c: HardwareConfig) -> data.StructLayout:
    """A segment on its way to entry ``index`` of the segment table."""
    return data.StructLayout({"index": range(c.segments), "segment": segment_bus_layout(c)})
