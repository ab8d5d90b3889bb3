"""Makes mutated programs out of a compiled one, with fields, bits, commands and loaded data changed at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...hw.arch.program import (
    ADDRESS_BITS,
    COMMAND_BYTES,
    COMMANDS,
    PARAM_BYTES,
    PARAMETERS,
    SEGMENT,
    SEGMENT_BYTES,
    Field,
    pack,
    pack_fields,
    unpack_fields,
)

KINDS = ("field", "field", "field", "field", "bit", "segment", "parameters", "swap", "drop", "barrier", "repeat")
"""What one mutation changes; what stands here more often is drawn more often."""

NUMBERS = (1, 1, 1, 1, 2, 3)
"""How many mutations a program gets; one is drawn."""


@dataclass
class Mutant:
    """A mutated program, with the copies of loaded data that it has changed.

    Members
    -------
    commands : (opcode, fields)
    flips : bits to invert in the packed program
    data : changed bytes by their address in the image
    what : a word for each mutation
    """

    commands: list[tuple[str, dict[str, int]]]
    flips: list[int]
    data: dict[int, bytes]
    what: list[str]

    def program(self) -> bytes:
        """Return the packed program."""
        blob = bytearray(b"".join(pack(opcode, **fields) for opcode, fields in self.commands))
        for bit in self.flips:
            blob[bit // 8] ^= 1 << bit % 8
        return bytes(blob)


def _bounds(field: Field) -> tuple[int, int]:
    bits = min(field.bits, ADDRESS_BITS)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if field.signed else (0, (1 << bits) - 1)


def _other(r: np.random.Generator, field: Field, old: int) -> int:
    """Return another value of a field: near, far, an end of its range, a bit inverted, or a few bus words away."""
    low, high = _bounds(field)
    choices = [old + 1, old - 1, low, high, int(r.integers(low, high, dtype=np.int64, endpoint=True))]
    choices += [old ^ (1 << int(r.integers(min(field.bits, 20)))), old + 8 * int(r.integers(-8, 9)), 2 * old, old // 2]
    return min(max(int(choices[r.integers(len(choices))]), low), high)


def _field(r: np.random.Generator, compiled: MemoryImage, m: Mutant) -> None:
    """Change one field, most often of a RUN, and of that more often its sizes than its loops."""
    for _ in range(8):
        i = int(r.integers(len(m.commands)))
        opcode, fields = m.commands[i]
        if fields and (opcode == "RUN" or r.random() < 0.5):
            break
    else:
        return
    candidates = COMMANDS[opcode]
    if opcode == "RUN" and r.random() < 0.6:
        candidates = [f for f in candidates if f.word < 16]
    f = candidates[r.integers(len(candidates))]
    new = _other(r, f, fields[f.name])
    if new != fields[f.name]:
        m.what.append(f"{i} {opcode}.{f.name} {fields[f.name]}->{new}")
        m.commands[i] = (opcode, {**fields, f.name: new})


def _data(r: np.random.Generator, compiled: MemoryImage, m: Mutant, kind: str) -> None:
    """Change one field of a segment or of a channel's parameters."""
    size, fields = (SEGMENT_BYTES, SEGMENT) if kind == "segments" else (PARAM_BYTES, PARAMETERS)
    regions = [region for region in compiled.regions if region.kind == kind and region.bytes >= size]
    region = regions[r.integers(len(regions))]
    n = int(r.integers(region.bytes // size))
    at = region.address + n * size
    raw = m.data.get(at, compiled.data[at - compiled.base : at - compiled.base + size])
    values = unpack_fields(fields, raw)
    f = fields[r.integers(len(fields))]
    new = _other(r, f, values[f.name])
    if new != values[f.name]:
        m.what.append(f"{region.name}[{n}].{f.name} {values[f.name]}->{new}")
        m.data[at] = pack_fields({one.name: one for one in fields}, values | {f.name: new}, size, kind)


def _order(r: np.random.Generator, compiled: MemoryImage, m: Mutant, kind: str) -> None:
    """Swap two commands, drop one, drop a BARRIER or let a load wait for less, or repeat one; END stays last."""
    i, j = (int(n) for n in r.integers(len(m.commands) - 1, size=2))
    if kind == "barrier":
        barriers = [n for n, (opcode, f) in enumerate(m.commands) if opcode == "BARRIER" or f.get("wait")]
        if not barriers:
            return
        i = barriers[r.integers(len(barriers))]
        opcode, fields = m.commands[i]
        if fields.get("wait"):
            less = int(r.integers(fields["wait"]))
            m.what.append(f"{i} {opcode}.wait {fields['wait']}->{less}")
            m.commands[i] = (opcode, {**fields, "wait": less})
            return
    m.what.append(f"{kind} {i} {m.commands[i][0]}" + (f" with {j} {m.commands[j][0]}" if kind == "swap" else ""))
    if kind == "swap":
        m.commands[i], m.commands[j] = m.commands[j], m.commands[i]
    elif kind == "repeat":
        m.commands.insert(j, m.commands[i])
    else:
        del m.commands[i]


def mutate(compiled: MemoryImage, r: np.random.Generator) -> Mutant:
    """Return a program with one to three mutations; each of them may turn out to change nothing."""
    m = Mutant(commands=list(compiled.commands()), flips=[], data={}, what=[])
    for _ in range(int(NUMBERS[r.integers(len(NUMBERS))])):
        kind = KINDS[r.integers(len(KINDS))]
        if kind == "field":
            _field(r, compiled, m)
        elif kind in ("segment", "parameters"):
            _data(r, compiled, m, "segments" if kind == "segment" else kind)
        elif kind == "bit":
            m.flips.append(int(r.integers(len(m.commands) * COMMAND_BYTES * 8)))
            m.what.append(f"bit {m.flips[-1]}")
        elif len(m.commands) > 2:
            _order(r, compiled, m, kind)
    m.flips = [bit for bit in m.flips if bit < len(m.commands) * COMMAND_BYTES * 8]
    return m
