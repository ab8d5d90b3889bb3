"""The layer program in memory: fixed-size commands, described once for the RTL, the compiler and the documents.

A command is ``COMMAND_BYTES`` bytes of little-endian 32-bit words; a :class:`Field` names some bits of one word (or of
two consecutive words for 64-bit addresses). Bits that no field names are reserved and must be zero. The sequencer
refuses a command whose magic, opcode or reserved bits are wrong, or whose field is out of its range.

The order of commands: the result is that of executing the commands one after the other. A RUN starts when the RUN
before it has ended and all loads before it are complete; the commands after a RUN go on while it works. So a LOAD may
overlap the one RUN before it and never an older one. The compiler guarantees that such a LOAD touches neither the
on-chip words or segments of that RUN nor memory that a RUN writes for which nothing has waited. A LOAD_FEATURES waits
with ``wait``: until the writes of all RUNs but the last one are answered, or until all RUNs have ended and all writes
are answered. The loads behind it wait with it, and the commands go on. So the weights of the RUN behind it may be
fetched before it begins. What else must wait stands behind a BARRIER, which holds up all commands until all runs have
ended and all writes are answered. LOAD_PARAMS is an exception: the hardware holds its parameters back until the RUN
before it has ended.

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

With ``addend_bytes`` the integers of a stored map are added to the sums, one for each position, timestep and channel.
Those of a position and timestep are a string of ``channels`` integers of so many bytes, read in whole bus words, at
``output + addend * bus_bits / 8 + image * addend_image + y * addend_y + t * addend_t + x * addend_x``.
"""

from __future__ import annotations

from enum import IntEnum

from .command.field import Field as Field
from .command.field import built as built
from .command.field import pack_fields as pack_fields
from .command.field import unpack_fields as unpack_fields
from .command.run import BIT as BIT
from .command.run import DENSE as DENSE
from .command.run import LOOPS as LOOPS
from .command.run import OVERLAPS as OVERLAPS
from .command.run import PRODUCT as PRODUCT
from .command.run import SOURCES as SOURCES
from .command.run import STRINGS as STRINGS
from .command.run import run_fields
from .config import HardwareConfig

PARAM_BYTES = 16
"""Bytes of the parameters of a channel, which are bias, threshold, v0 and leak, of 32 bits each."""

COMMAND_BYTES = 256
MAGIC = 0x5250  # It stands in the upper half of word 0 and reads as "PR" in memory.


MAX_POOL = 4
"""Largest kernel, which is also the stride, of the max pool. The output side counts the positions of such a window."""

OVERLAPPING_POOL = MAX_POOL + 1
"""What the field ``pool`` says of 3x3 windows with stride 2 and padding 1, where these are built. The positions of a
run then come line by line, two columns and two lines for each window. One column more comes before them with
``pool_halo_x``, and the last one that would lie beyond the edge of the map is left out with ``pool_odd``. The line
before the first one is the last line of the RUN before with ``pool_ready``, and has no levels otherwise."""

INT_BYTES = (1, 2, 4)
"""How many bytes an integer of an integer map may have."""

OPCODES = {"END": 0, "LOAD_FEATURES": 1, "LOAD_SEGMENTS": 2, "LOAD_PARAMS": 3, "RUN": 4, "BARRIER": 5}


class Wait(IntEnum):
    """What a LOAD_FEATURES waits for, and with it all loads behind it, while the commands go on."""

    NOTHING = 0
    OLDER = 1
    ALL = 2


_WAITS = "none of them (0), those of all RUNs but the last one (1), or those of all RUNs, which have ended then (2)."

_MASK = "Its bits mask those that the segments of the K tile before it have brought: what is 0 here becomes 0 there."

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
        Field("wait", 7, 0, 2, "Which writes must be answered before it begins: " + _WAITS),
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
    "RUN": run_fields(),
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
    KeyError, ValueError
        The command or a field is unknown, or a value does not fit its bits; the message gives the field's range.
    """
    fields = {f.name: f for f in HEADER + COMMANDS[opcode]}
    values = {"opcode": OPCODES[opcode], "magic": MAGIC, **values}
    return pack_fields(fields, values, COMMAND_BYTES, opcode)


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


ADDRESS_BITS = 40
"""Bits of the memory port's byte addresses. Addresses in commands have 64 bits, of which the upper 24 must be zero."""


def row_beats(c: HardwareConfig) -> int:
    """Return the number of bus words of a weight row for all lanes."""
    return max(1, c.lanes * 8 // c.bus_bits)
