"""The fields of a RUN, the command that computes a layer or a part of one (:mod:`reprise.hw.arch.program`)."""

from __future__ import annotations

from .field import Field

LOOPS = 6  # The row table generates positions by so many nested loops, of which loop 0 is the innermost.


SOURCES = 2  # A layer has up to so many source feature maps (two for a join).


_WEIGHTS_KEEP = "All K tiles fit the weight buffer; they are fetched once and kept for every m tile."

_WHOLE = (
    "Number of K tiles, counted over all m tiles from the RUN's first one on, of which all weight rows are fetched. Of "
    "later ones only those rows are that some row of the tile uses, unless the weights are kept."
)


PRODUCT, BIT, DENSE = range(3)
"""What a RUN leaves out: zero bits and prefixes, zero bits only, or nothing. They are the values of its field ``mode``
(:mod:`reprise.model.prosparsity.modes`)."""

_MODE = (
    "What is left out: 0 is what product sparsity does, 1 only zero bits, so that no row has a prefix, and 2 nothing: "
    "each of the `tile_depth` bits of every row takes its slot, and a zero adds 0."
)

STRINGS = {"x": "a position", "t": "a timestep", "y": "an image row", "image": "an image"}
"""The directions in which the strings of an addend follow each other, as the fields of their strides are named."""


def _addend_fields() -> list[Field]:
    needs = "addend_groups"
    size = "Bytes of an integer of the addend: 1, 2 or 4; 0 if there is none."
    first = "Bus words from `output` to the first string of the addend."
    fields = [
        Field("addend_bytes", 15, 0, 3, size, needs=needs),
        Field(
            "shift", 7, 5, 3, "The sums of products count 2**shift times, to be in the unit of the addend.", needs=needs
        ),
        Field("addend", 51, 0, 32, first, signed=True, needs=needs),
    ]
    for n, (name, what) in enumerate(STRINGS.items()):
        fields.append(
            Field(f"addend_{name}", 52 + n, 0, 32, f"Bytes from {what} of the addend to the next.", needs=needs)
        )
    return fields


def _join_fields() -> list[Field]:
    needs = "joins"
    return [
        Field("join_planes", 15, 8, 8, "Bit planes of a map whose levels are added; 0 if there is none.", needs=needs),
        Field("join_levels", 15, 16, 8, "Largest level of such a sum. What exceeds it is clipped.", needs=needs),
        Field("join", 56, 0, 32, "Bus words from `output` to the first line of that map.", signed=True, needs=needs),
        Field("join_image", 57, 0, 32, "Bytes from an image of that map to the next.", needs=needs),
    ]


OVERLAPS = ("pool_halo_x", "pool_odd_x", "pool_ready", "pool_odd_y")
"""The fields that say how the windows of a pool begin and end along the axes, where they overlap."""


def _pool_fields() -> list[Field]:
    docs = (
        "Of 3x3 windows: the first position of each line belongs to the window before the first one as well.",
        "Of 3x3 windows: the last one of each line has only two columns.",
        "Of 3x3 windows: the lines are those below the lines of the RUN before, which kept its last one (pool_hold).",
        "Of 3x3 windows: the last one of each image has only two lines.",
    )
    fields = [
        Field(name, 14, 4 + n, 1, doc, needs="pool_words")
        for n, (name, doc) in enumerate(zip(OVERLAPS, docs, strict=True))
    ]
    hold = "Of 3x3 windows: the last line is kept for the next RUN (pool_ready)."
    return [*fields, Field("pool_hold", 14, 20, 1, hold, needs="pool_words")]


def run_fields() -> list[Field]:
    """Return the fields of a RUN, some of which need what not every configuration has."""
    fields = [
        Field("weights", 1, 0, 64, "Byte address of the weights: the K tiles in order, the same for every m tile."),
        Field("weight_beats", 3, 0, 16, "Number of bus words of one weight row. Lanes beyond them have weight zero."),
        Field("weights_keep", 3, 16, 1, _WEIGHTS_KEEP),
        Field("weights_ready", 3, 17, 1, "Nothing is fetched, because the RUN before left the weights (weights_hold)."),
        Field("weights_hold", 3, 18, 1, "The weights stay after the last m tile, for the next RUN (weights_ready)."),
        Field("mode", 3, 20, 2, _MODE, needs="modes"),
        Field("tile_depth", 3, 24, 8, "Bits of a row in a K tile, and its weight rows. Bits beyond count as zero."),
        Field("segment_first", 4, 0, 16, "Index of the first segment in the segment table."),
        Field("k_tiles", 4, 16, 16, "Number of K tiles."),
        Field("m_tiles", 5, 0, 16, "Number of m tiles."),
        Field("whole_tiles", 5, 16, 16, _WHOLE),
        Field("rows", 6, 0, 16, "Number of rows of every m tile except the last."),
        Field("rows_last", 6, 16, 16, "Number of rows of the last m tile."),
        # These fields are the configuration of the layer (reprise.hw.interface.streams.layer_config).
        Field("readout", 7, 0, 1, "The layer does not fire, and its potentials are written."),
        Field("reset", 7, 1, 2, "What firing does to the potential: 0 is a soft reset, 1 a hard one, 2 none."),
        Field("weigh", 7, 3, 1, "With 1, input plane p weighs 2**p; with 0, every plane weighs 1."),
        Field("signed", 7, 4, 1, "The highest input plane is the sign of two's complement, and is subtracted."),
        Field("planes", 7, 8, 8, "Number of planes P of an input position."),
        Field("levels", 7, 16, 8, "Largest level N that the neurons fire."),
        Field("groups", 7, 24, 8, "Number of groups of neuron_lanes channels that are computed."),
        Field("timesteps", 8, 0, 16, "Number of timesteps T."),
        # These fields say where and how the output is written (reprise.hw.output.writer).
        Field("channels", 8, 16, 16, "Number of channels Cb of the block that is written."),
        Field("output", 9, 0, 64, "Byte address of the first line that is written."),
        Field("image_stride", 11, 0, 32, "Bytes from the first line of an image to that of the next."),
        Field("line_bytes", 12, 0, 16, "Bytes from one output line to the next; of an integer map, from x to x + 1."),
        Field("out_width", 12, 16, 16, "Number of output positions in a line, counted after pooling."),
        Field("out_lines", 13, 0, 16, "Number of output lines of an image in this RUN, counted after pooling."),
        Field("images", 13, 16, 16, "Number of images of this RUN."),
        Field("pool", 14, 0, 4, "Kernel and stride of the max pool; 1 for none; 5 for 3x3 windows with stride 2."),
        *_pool_fields(),
        Field("out_planes", 14, 8, 8, "Number of planes P' in which an output level is written."),
        Field("out_thermometer", 14, 16, 1, "With 1, thermometer planes are written; with 0, bit planes."),
        Field("int_bytes", 14, 17, 3, "Bytes of an integer of the map that is written: 1, 2 or 4; 0 for planes."),
        Field("int_groups", 14, 24, 8, "Number of groups of a sub-block of an integer map."),
        Field("int_t", 48, 0, 32, "Bytes from a timestep of an integer map to the next."),
        Field("int_y", 49, 0, 32, "Bytes from an image row of an integer map to the next."),
        Field("int_block", 50, 0, 32, "Bytes from a sub-block of an integer map to the next."),
        *_addend_fields(),
        *_join_fields(),
    ]
    for s in range(SOURCES):
        base = 16 + 2 * s
        fields += [
            Field(f"line_bits{s}", base, 0, 16, f"Bits of a line of source {s} (W*Cb). Bits outside read as zero."),
            Field(
                f"lines{s}",
                base,
                16,
                16,
                f"Number of image rows of source {s} on chip. A y outside 0..lines{s}-1 reads as zero.",
            ),
        ]
    for s in range(SOURCES):
        base = 20 + 2 * s
        word = f"On-chip word where the line of source {s} begins from which the first row is cut."
        bit = f"First bit of the first row in its line of source {s} (x0*Cb); it may be negative."
        line = f"Image row of source {s} at ky=0 of the first row; 0 is the first one on chip, and it may be negative."
        fields += [
            Field(f"row_address{s}", base, 0, 16, word, signed=True),
            Field(f"row_x{s}", base, 16, 16, bit, signed=True),
            Field(f"row_y{s}", base + 1, 0, 16, line, signed=True),
        ]
    for n in range(LOOPS):
        base = 24 + 4 * n
        inner = " Loop 0 is the innermost." if n == 0 else ""
        fields.append(Field(f"loop{n}_count", base, 0, 16, f"Number of iterations of loop {n}.{inner}"))
        for s in range(SOURCES):
            what = f"{{}} of source {s} changes by this when loop {n} steps.".format
            fields += [
                Field(f"loop{n}_y{s}", base + 1, 16 * s, 16, what("The image row"), signed=True),
                Field(f"loop{n}_x{s}", base + 2, 16 * s, 16, what("The first bit"), signed=True),
                Field(f"loop{n}_address{s}", base + 3, 16 * s, 16, what("The line's word"), signed=True),
            ]
    return fields
