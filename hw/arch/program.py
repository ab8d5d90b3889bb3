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
a whole bus word; only these words are written, also when ``line_bytes`` is more. The line ``(image, y)`` of a readout
is at ``output + image * image_stride + y * line_bytes``. It holds the little-endian 32-bit integers
``[x][t][channels]`` and is filled in the same way. The first m tile of a run begins with the run's first output
position, and tiles know nothing of lines.
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


OPCODES = {"END": 0, "LOAD_FEATURES": 1, "LOAD_SEGMENTS": 2, "LOAD_PARAMS": 3, "RUN": 4, "BARRIER": 5}


@dataclass(frozen=True)
class Field:
    """A field: the bits ``offset .. offset+bits-1`` of word ``word``, in two's complement if ``signed``."""

    name: str
    word: int
    offset: int
    bits: int
    doc: str
    signed: bool = False


def _run_fields() -> list[Field]:
    fields = [
        Field("weights", 1, 0, 64, "byte address of the weights: m tile independent, K tiles in order"),
        Field("weight_beats", 3, 0, 16, "bus words of one weight row (lanes beyond it are zero)"),
        Field("weights_keep", 3, 16, 1, "all K tiles fit the weight buffer: fetched once, kept for every m tile"),
        Field("weights_ready", 3, 17, 1, "the run before held them (weights_hold): nothing is fetched"),
        Field(
            "weights_hold",
            3,
            18,
            1,
            "with weights_keep: not released by the last m tile, the next run is weights_ready",
        ),
        Field("segment_first", 4, 0, 16, "index of the first segment"),
        Field("k_tiles", 4, 16, 16, "K tiles"),
        Field("m_tiles", 5, 0, 16, "m tiles"),
        Field("rows", 6, 0, 16, "rows of every m tile but the last"),
        Field("rows_last", 6, 16, 16, "rows of the last m tile"),
        # These fields are the configuration of the layer (reprise.hw.interface.streams.layer_config).
        Field("readout", 7, 0, 1, "does not fire: potentials are written"),
        Field("reset", 7, 1, 2, "0 soft, 1 hard, 2 none"),
        Field("weigh", 7, 3, 1, "1: input plane p weighs 2**p, 0: every plane weighs 1"),
        Field("signed", 7, 4, 1, "the highest input plane is a two's-complement sign plane"),
        Field("planes", 7, 8, 8, "planes P of the input rows"),
        Field("levels", 7, 16, 8, "levels N of the neurons"),
        Field("groups", 7, 24, 8, "active groups of neuron_lanes channels"),
        Field("timesteps", 8, 0, 16, "timesteps T"),
        # These fields say where and how the output is written (reprise.hw.output.writer).
        Field("channels", 8, 16, 16, "channels of the output block (Cb)"),
        Field("output", 9, 0, 64, "byte address of the first line written"),
        Field("image_stride", 11, 0, 32, "bytes from one image's block to the next"),
        Field("line_bytes", 12, 0, 16, "bytes from one output line to the next"),
        Field("out_width", 12, 16, 16, "output positions in a line, after pooling"),
        Field("out_lines", 13, 0, 16, "output lines of an image in this run, after pooling"),
        Field("images", 13, 16, 16, "images of this run"),
        Field("pool", 14, 0, 4, "max pool kernel = stride, 1: none"),
        Field("out_planes", 14, 8, 8, "planes P' of an output level"),
        Field("out_thermometer", 14, 16, 1, "1: thermometer planes, 0: bit planes"),
    ]
    for s in range(SOURCES):
        base = 16 + 2 * s
        fields += [
            Field(f"line_bits{s}", base, 0, 16, f"bits of a line of source {s} (W*Cb); bits outside read zero"),
            Field(f"lines{s}", base, 16, 16, f"image rows of source {s} on chip; y outside 0..lines-1 reads zero"),
        ]
    for s in range(SOURCES):
        base = 20 + 2 * s
        fields += [
            Field(f"row_address{s}", base, 0, 16, f"source {s}: on-chip word of the first row's line", signed=True),
            Field(
                f"row_x{s}",
                base,
                16,
                16,
                f"source {s}: first bit of the first row (x0*Cb, may be negative)",
                signed=True,
            ),
            Field(
                f"row_y{s}",
                base + 1,
                0,
                16,
                f"source {s}: y of the first row's ky=0 line, 0: first one on chip (may be negative)",
                signed=True,
            ),
        ]
    for n in range(LOOPS):
        base = 24 + 4 * n
        fields.append(Field(f"loop{n}_count", base, 0, 16, f"iterations of loop {n} (0 innermost)"))
        for s in range(SOURCES):
            fields += [
                Field(
                    f"loop{n}_y{s}", base + 1, 16 * s, 16, f"change of y, source {s}, when loop {n} steps", signed=True
                ),
                Field(f"loop{n}_x{s}", base + 2, 16 * s, 16, f"change of x bits, source {s}", signed=True),
                Field(
                    f"loop{n}_address{s}", base + 3, 16 * s, 16, f"change of the line address, source {s}", signed=True
                ),
            ]
    return fields


HEADER = [Field("opcode", 0, 0, 8, "see OPCODES"), Field("magic", 0, 16, 16, f"0x{MAGIC:04x}")]


COMMANDS: dict[str, list[Field]] = {
    "END": [],
    "BARRIER": [],
    "LOAD_FEATURES": [
        Field("source", 1, 0, 64, "byte address of the first chunk"),
        Field("bytes", 3, 0, 32, "bytes of a chunk"),
        Field("chunks", 4, 0, 16, "chunks (images, blocks)"),
        Field("stride", 5, 0, 32, "bytes from one chunk to the next in memory"),
        Field("target", 6, 0, 16, "first on-chip word (feature_bits wide)"),
        Field("target_stride", 6, 16, 16, "on-chip words from one chunk to the next"),
    ],
    "LOAD_SEGMENTS": [
        Field("source", 1, 0, 64, "byte address of the segments"),
        Field("count", 3, 0, 16, "segments"),
        Field("target", 3, 16, 16, "first entry of the segment table"),
    ],
    "LOAD_PARAMS": [
        Field("source", 1, 0, 64, "byte address: 16 bytes a channel (bias, threshold, v0, leak)"),
        Field("groups", 3, 0, 16, "groups of neuron_lanes channels"),
    ],
    "RUN": _run_fields(),
}
"""The fields of each command beside the header. In a RUN the deltas of loop n are added when loop n steps and all loops
inside it start over, so the compiler makes the way back of the inner loops a part of them."""


SEGMENT_BYTES = 8


SEGMENT = [
    Field("address", 0, 0, 16, "on-chip words from the row's line to the segment's line (block, ky)"),
    Field("bit", 0, 16, 16, "bits from the row's x to the segment's first bit (kx*Cb + c)"),
    Field("ky", 1, 0, 8, "kernel row: the line's y is the row's y plus ky"),
    Field("length", 1, 8, 7, "bits, 1..tile_k"),
    Field("shift", 1, 15, 6, "first bit of the tile row it fills"),
    Field("source", 1, 21, 1, "source 0 or 1"),
    Field("last", 1, 22, 1, "last segment of its K tile"),
]


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
