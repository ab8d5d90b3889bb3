"""The layer program in memory: fixed-size commands, described once for the RTL, the compiler and the documents.

A command is ``COMMAND_BYTES`` bytes of little-endian 32-bit words; a :class:`Field` names some bits of one word (or of
two consecutive words for 64-bit addresses). Bits that no field names are reserved and must be zero. The sequencer
refuses a command whose magic, opcode or reserved bits are wrong, or whose field is out of its range.

The order of commands: the result is that of executing the commands one after the other. A RUN starts when the RUN
before it has ended and all loads before it are complete; the commands after a RUN go on while it works. So a LOAD may
overlap the one RUN before it and never an older one. The compiler guarantees that such a LOAD touches neither the
on-chip words or segments of that RUN nor memory that a RUN since the last BARRIER writes. Where it cannot guarantee
this it puts a BARRIER, which waits until all runs have ended and all writes are answered. LOAD_PARAMS is an exception:
the hardware holds its parameters back until the RUN before it has ended.

What LOAD_FEATURES and LOAD_SEGMENTS write begins and ends with whole bus words, which are ``bus_bits / feature_bits``
on-chip words or ``bus_bits / 64`` segments. On-chip words and their addresses count modulo 2**16.

The lines of the output: there is a line for each ``(image, y, q)``, where ``q = t * out_planes + p``. It is at
``output + image * image_stride + (y * T * out_planes + q) * line_bytes``. It is a string of ``out_width * channels``
bits, the lowest bit first, whose bit ``x * channels + c`` belongs to pixel x and channel c. It is filled with zeros to
a whole bus word; only these words are written, also when ``line_bytes`` is more. The first m tile of a run begins with
the run's first output position, and tiles know nothing of lines.

With ``int_bytes`` the output is an integer map instead, which a readout always writes: the potentials of a readout, or
else the levels, as little-endian integers of so many bytes in two's complement, clipped to what these hold. The groups
of a position and timestep are cut into sub-blocks of ``int_groups`` groups. The integers of sub-block b lie one after
the other at ``output + image * image_stride + b * int_block + t * int_t + y * int_y + x * line_bytes``, where all that
is added to ``output`` counts modulo 2**32, and zeros fill them up to a whole bus word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .config import HardwareConfig

PARAM_BYTES = 16
"""Bytes of the parameters of a channel, which are bias, threshold, v0 and leak, of 32 bits each."""


COMMAND_BYTES = 256


MAGIC = 0x5250  # It stands in the upper half of word 0 and reads as "PR" in memory.


LOOPS = 6  # The row table generates positions by so many nested loops, of which loop 0 is the innermost.


SOURCES = 2  # A layer has up to so many source feature maps (two for a join).


MAX_POOL = 4
"""Largest kernel, which is also the stride, of the max pool. The output side counts the positions of such a window."""


INT_BYTES = (1, 2, 4)
"""How many bytes an integer of an integer map may have."""


OPCODES = {"END": 0, "LOAD_FEATURES": 1, "LOAD_SEGMENTS": 2, "LOAD_PARAMS": 3, "RUN": 4, "BARRIER": 5}


@dataclass(frozen=True)
class Field:
    """A field: the bits ``offset .. offset+bits-1`` of word ``word``, in two's complement if ``signed``.

    With ``needs``, only a configuration has it in which the field of that name is not 0. In others its bits are
    reserved.
    """

    name: str
    word: int
    offset: int
    bits: int
    doc: str
    signed: bool = False
    needs: str = ""


def built(c: HardwareConfig, fields: list[Field]) -> list[Field]:
    """Return those of the fields that a configuration has."""
    return [f for f in fields if not f.needs or getattr(c, f.needs)]


_WEIGHTS_KEEP = "All K tiles fit the weight buffer; they are fetched once and kept for every m tile."

_MASK = "Its bits mask those that the segments of the K tile before it have brought: what is 0 here becomes 0 there."

_WHOLE = (
    "Number of K tiles, counted over all m tiles from the RUN's first one on, of which all weight rows are fetched. Of "
    "later ones only those rows are that some row of the tile uses, unless the weights are kept."
)


def _run_fields() -> list[Field]:
    fields = [
        Field("weights", 1, 0, 64, "Byte address of the weights: the K tiles in order, the same for every m tile."),
        Field("weight_beats", 3, 0, 16, "Number of bus words of one weight row. Lanes beyond them have weight zero."),
        Field("weights_keep", 3, 16, 1, _WEIGHTS_KEEP),
        Field("weights_ready", 3, 17, 1, "Nothing is fetched, because the RUN before left the weights (weights_hold)."),
        Field("weights_hold", 3, 18, 1, "The weights stay after the last m tile, for the next RUN (weights_ready)."),
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
        Field("pool", 14, 0, 4, "Kernel and stride of the max pool; 1 means that there is none."),
        Field("out_planes", 14, 8, 8, "Number of planes P' in which an output level is written."),
        Field("out_thermometer", 14, 16, 1, "With 1, thermometer planes are written; with 0, bit planes."),
        Field("int_bytes", 14, 17, 3, "Bytes of an integer of the map that is written: 1, 2 or 4; 0 for planes."),
        Field("int_groups", 14, 24, 8, "Number of groups of a sub-block of an integer map."),
        Field("int_t", 48, 0, 32, "Bytes from a timestep of an integer map to the next."),
        Field("int_y", 49, 0, 32, "Bytes from an image row of an integer map to the next."),
        Field("int_block", 50, 0, 32, "Bytes from a sub-block of an integer map to the next."),
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


HEADER = [
    Field("opcode", 0, 0, 8, "Which command it is; the headings below give the numbers."),
    Field("magic", 0, 16, 16, f"Always 0x{MAGIC:04x}. It tells a command from other data."),
]


COMMANDS: dict[str, list[Field]] = {
    "END": [],
    "BARRIER": [],
    "LOAD_FEATURES": [
        Field("source", 1, 0, 64, "Byte address of the first chunk."),
        Field("bytes", 3, 0, 32, "Number of bytes of a chunk."),
        Field("chunks", 4, 0, 16, "Number of chunks, which are images or blocks of channels."),
        Field("stride", 5, 0, 32, "Bytes from the beginning of one chunk in memory to that of the next."),
        Field("target", 6, 0, 16, "Word of the feature buffer, feature_bits wide, where the first chunk begins."),
        Field("target_stride", 6, 16, 16, "Words of the feature buffer from one chunk's beginning to the next's."),
    ],
    "LOAD_SEGMENTS": [
        Field("source", 1, 0, 64, "Byte address of the segments."),
        Field("count", 3, 0, 16, "Number of segments."),
        Field("target", 3, 16, 16, "Entry of the segment table that the first segment becomes."),
    ],
    "LOAD_PARAMS": [
        Field("source", 1, 0, 64, "Byte address of 16 bytes for each channel: bias, threshold, v0 and leak."),
        Field("groups", 3, 0, 16, "Number of groups of neuron_lanes channels."),
    ],
    "RUN": _run_fields(),
}
"""The fields of each command beside the header. In a RUN the deltas of loop n are added when loop n steps and all loops
inside it start over, so the compiler makes the way back of the inner loops a part of them."""


SEGMENT_BYTES = 8


SEGMENT = [
    Field("address", 0, 0, 16, "On-chip words from the row's line to the segment's, which is of another block or ky."),
    Field("bit", 0, 16, 16, "Bits from the row's first bit to the segment's (kx*Cb + c)."),
    Field("ky", 1, 0, 8, "Row of the kernel. The y of the segment's line is the row's y plus ky."),
    Field("length", 1, 8, 7, "Number of bits, 1..tile_k."),
    Field("shift", 1, 15, 6, "First bit of the row of the tile that it fills."),
    Field("source", 1, 21, 1, "Which source it is cut from, 0 or 1."),
    Field("last", 1, 22, 1, "It is the last segment of its K tile."),
    Field("mask", 1, 23, 1, _MASK, needs="masks"),
]


PARAMETERS = [
    Field("bias", 0, 0, 32, "constant that is added to the sum of every timestep", signed=True),
    Field("threshold", 1, 0, 32, "step of the levels, which is more than 0", signed=True),
    Field("v0", 2, 0, 32, "membrane potential before the first timestep", signed=True),
    Field("leak", 3, 0, 32, "factor of the potential from one timestep to the next, in units of 1/256", signed=True),
]
"""The fields of the parameters of a channel, PARAM_BYTES bytes."""


class Error(IntEnum):
    """How a job ended, as the code in the register STATUS; ``text`` says it in documents, drivers and messages."""

    text: str

    def __new__(cls, code: int, text: str) -> Error:
        self = int.__new__(cls, code)
        self._value_, self.text = code, text
        return self

    NONE = 0, "none"
    COMMAND = 1, "bad magic, opcode or reserved bits in a command"
    FIELD = 2, "command field out of range"
    READ = 3, "AXI read answered with an error"
    WRITE = 4, "AXI write answered with an error"
    WATCHDOG = 5, "watchdog: no progress"
    STOPPED = 6, "stopped by the host"
    READ_WINDOW = 7, "a read would have left the host's read window"
    WRITE_WINDOW = 8, "a write would have left the host's write window"
    START = 9, "the program's address or a window is not whole bus words, or a window ends beyond the address space"
    DATA = 10, "a loaded segment or a channel's parameters break a rule"
    UNLOADED = 11, "a RUN needs feature words, segments or parameters that no load of its job has brought"


def pack(opcode: str, **values: int) -> bytes:
    """Return one command as COMMAND_BYTES bytes; fields that are not given are 0.

    Raises
    ------
    KeyError
        When the command is unknown.
    ValueError
        When a field is unknown, or a value does not fit its bits; the message gives the field's range.
    """
    fields = {f.name: f for f in HEADER + COMMANDS[opcode]}
    values = {"opcode": OPCODES[opcode], "magic": MAGIC, **values}
    return pack_fields(fields, values, COMMAND_BYTES, opcode)


def pack_fields(fields: dict[str, Field], values: dict[str, int], size: int, what: str) -> bytes:
    """Return fields packed into ``size`` little-endian bytes; ``what`` names the whole in errors (see :func:`pack`)."""
    word = 0
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{what}: unknown field {name!r}")
        f = fields[name]
        low, high = (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, (1 << f.bits) - 1)
        if not low <= value <= high:
            raise ValueError(f"{what}.{name} must be {low}..{high}, not {value}: it has {f.bits} bits")
        word |= (int(value) & ((1 << f.bits) - 1)) << (32 * f.word + f.offset)
    return word.to_bytes(size, "little")


def unpack(command: bytes) -> tuple[str, dict[str, int]]:
    """Return the opcode's name and every field of one command; this is the inverse of :func:`pack`.

    Raises
    ------
    ValueError
        When the opcode is unknown.
    """
    word = int.from_bytes(command[:COMMAND_BYTES], "little")
    names = {code: name for name, code in OPCODES.items()}
    opcode = names.get(word & 0xFF)
    if opcode is None:
        raise ValueError(f"opcode must be one of {sorted(names)}, not {word & 0xFF}")
    return opcode, unpack_fields(COMMANDS[opcode], command[:COMMAND_BYTES])


def unpack_fields(fields: list[Field], data: bytes) -> dict[str, int]:
    """Return the values of fields that are packed in little-endian bytes."""
    word = int.from_bytes(data, "little")
    values = {}
    for f in fields:
        value = (word >> (32 * f.word + f.offset)) & ((1 << f.bits) - 1)
        values[f.name] = value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value
    return values


ADDRESS_BITS = 40
"""Bits of the memory port's byte addresses. Addresses in commands have 64 bits, of which the upper 24 must be zero."""


def row_beats(c: HardwareConfig) -> int:
    """Return the number of bus words of a weight row for all lanes."""
    return max(1, c.lanes * 8 // c.bus_bits)
