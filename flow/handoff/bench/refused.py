"""Chooses spoiled programs that the delivered testbench plays, and says how the accelerator must refuse each.

The programs are those of the fuzz, and those at the boundaries of the rules. How they end is the golden interpreter's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ....compiler.golden.errors import OrderBroken, ProgramError
from ....compiler.golden.interpreter import Interpreter
from ....compiler.golden.order import chunks
from ....cosim.fuzz.mutate import Mutant, mutate
from ....hw.arch.memory_image import MemoryImage
from ....hw.arch.products import SUM_BITS
from ....hw.arch.program import COMMAND_BYTES, LOOPS, Error, unpack
from ....hw.arch.rules import violations
from .boundaries import Boundary

SEED = 22

REFUSED, TRIED, MOST_WORDS = 90, 900, 3
"""How many spoiled programs the testbench plays, of how many they are chosen, and how many bus words each spoils."""

LINES = 5
"""How many programs of the same rule go together where what is read has not been loaded: each line that the row builder
reads at once has its own check, and no program says which one it is for."""

AHEAD = 2
"""Commands that can have been issued behind a RUN that is refused: loads for the next one. The rules that speak of one
command without products are checked before it is issued."""

MAGIC_BIT = 16
"""A bit of a command's magic, from the command's first bit on."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A spoiled program: the words of memory that differ, (index, value), and the error code and command of STATUS.

    ahead : by how much STATUS.command may be larger. Products of a RUN are checked while later commands are issued.
    stale : whether a RUN reads feature words that no load of its job has brought, but loads of the job before
    """

    words: list[tuple[int, int]]
    code: int
    name: str
    command: int
    ahead: int
    stale: bool


@dataclass(frozen=True, kw_only=True)
class _End:
    """How a program is refused: an error, a command, the interpreter's words, and whether the command was issued.

    ``stale`` says whether it lacks feature words which the good program loads.
    """

    code: Error
    command: int
    told: str
    late: bool
    stale: bool = False


def refused_programs(image: MemoryImage, before: np.ndarray) -> list[Refused]:
    """Return spoiled programs that the accelerator must refuse, with as many different errors as there are.

    Each spoils a few words of the memory, and no command is moved. The first have a code each. Then, of every rule that
    a kind of command breaks, as the interpreter's error words it, one goes before a second one. Those that end early go
    first.
    """
    r, found = np.random.default_rng(SEED), list[tuple[str, Refused]]()
    for mutant in [_wrapped(image, r), *_short_loads(image), *(mutate(image, r) for _ in range(TRIED))]:
        if len(mutant.commands) != len(image.commands()):
            continue
        spoiled = _spoiled(image, before, mutant)
        words = _changed(before, spoiled, image.config.bus_bits // 8)
        end = _end(image, spoiled) if 0 < len(words) <= MOST_WORDS or not found else None
        if end is not None:
            rule = image.commands()[end.command][0] + re.sub(r"0x[0-9a-f]+|[\d-]+|\(.*?\)", "", end.told)
            found.append(("" if not found else rule, _case(image, words, end)))
    found.sort(key=lambda pair: pair[1].command)
    ranks: Counter[str | int] = Counter()
    ranked: list[tuple[bool, int, int, int, Refused]] = []
    for rule, case in found:
        ranks.update((rule, case.code))
        rank = -(-ranks[rule] // (LINES if case.code == Error.UNLOADED else 1))
        ranked.append((ranks[case.code] > 1, rank, case.command, len(ranked), case))
    return [case for *_, case in sorted(ranked)[:REFUSED]]


def boundary_programs(image: MemoryImage, before: np.ndarray, at: list[Boundary]) -> list[Refused]:
    """Return the programs at both sides of the rules' boundaries.

    On the one side the command, or what it loads, is refused. On the other side it is not, and so the command behind it
    is spoiled, which must be refused instead; unless the command fails in another way.
    """
    found = []
    for one in at:
        spoiled = _spoiled(image, before, one.mutant)
        ends = [(spoiled, _end(image, spoiled))]
        if not one.broken:
            stopped = _spoiled(image, before, replace(one.mutant, flips=[(one.at + 1) * 8 * COMMAND_BYTES + MAGIC_BIT]))
            ends = [(stopped, end) for end in [_end(image, stopped)] if end and end.command > one.at] or ends
        for memory, end in ends:
            if end is not None:
                found.append(_case(image, _changed(before, memory, image.config.bus_bits // 8), end))
    return found


def _case(image: MemoryImage, words: list[tuple[int, int]], end: _End) -> Refused:
    ahead = AHEAD if end.late and image.commands()[end.command][0] == "RUN" else 0
    return Refused(
        words=words, code=end.code.value, name=end.code.name, command=end.command, ahead=ahead, stale=end.stale
    )


def _spoiled(image: MemoryImage, before: np.ndarray, mutant: Mutant) -> np.ndarray:
    """Return the memory with a mutated program in it."""
    spoiled = before.copy()
    for address, raw in {image.program: mutant.program(), **mutant.data}.items():
        spoiled[address - image.base : address - image.base + len(raw)] = np.frombuffer(raw, np.uint8)
    return spoiled


def _short_loads(image: MemoryImage) -> Iterator[Mutant]:
    """Yield programs in which a load of features lacks its last bus word, which an earlier job has brought."""
    word = image.config.bus_bits // 8
    for n, (opcode, fields) in enumerate(image.commands()):
        if opcode == "LOAD_FEATURES" and fields["bytes"] > word:
            commands = image.commands()
            commands[n] = (opcode, {**fields, "bytes": fields["bytes"] - word})
            yield Mutant(commands=commands, flips=[], data={}, what=["short load"])


def _wrapped(image: MemoryImage, r: np.random.Generator) -> Mutant:
    """Return the program with far too large loops in its first RUN, whose product is right in its lowest bits.

    It is right in those that the hardware multiplies (:data:`SUM_BITS`).
    """
    commands = [(op, dict(fields)) for op, fields in image.commands()]
    run = next(fields for op, fields in commands if op == "RUN")
    rows = np.uint64((run["m_tiles"] - 1) * run["rows"] + run["rows_last"])
    good = np.zeros(0, np.int64)
    while not len(good):
        first, second = r.integers(1 << 14, 1 << 15, (2, 1 << 18)).astype(np.uint64) * np.uint64(2) + np.uint64(1)
        product = first * second
        inverse = product.copy()
        for _ in range(5):  # Newton's method doubles the bits that are right, of which there are three at first
            inverse *= np.uint64(2) - product * inverse
        third = (rows * inverse) & np.uint64((1 << SUM_BITS) - 1)
        good = np.flatnonzero((third > 0) & (third < 1 << 16))
    for n, count in enumerate((first, second, third)):
        run[f"loop{n}_count"] = int(count[good[0]])
    run |= {f"loop{n}_count": 1 for n in range(3, LOOPS)}
    return Mutant(commands=commands, flips=[], data={}, what=["wrapped"])


def _changed(old: np.ndarray, new: np.ndarray, word: int) -> list[tuple[int, int]]:
    """Return the bus words of a memory that differ from another one: the index and the new value of each."""
    padded = [np.append(memory, np.zeros(-len(memory) % word, np.uint8)).reshape(-1, word) for memory in (old, new)]
    at = np.flatnonzero((padded[0] != padded[1]).any(axis=1))
    return [(int(n), int.from_bytes(padded[1][n].tobytes(), "little")) for n in at]


def _end(image: MemoryImage, memory: np.ndarray) -> _End | None:
    """Return how the program in a memory is refused, or None if it is not, or if it breaks a rule of order."""
    interpreter = Interpreter(image, memory.copy(), strict=False)
    try:
        interpreter.run()
    except OrderBroken:
        return None
    except ProgramError as error:
        found = re.match(r"command (\d+):", str(error))
        if not error.code or not found:
            return None
        command, late = int(found[1]), error.code is not Error.COMMAND
        if error.code is Error.FIELD:
            at = image.program - image.base + command * COMMAND_BYTES
            late = not violations(image.config, *unpack(memory[at : at + COMMAND_BYTES].tobytes()))
        what, missing = error.missing or ("", ())
        stale = what == "features" and set(missing) <= _loaded(image)
        return _End(code=error.code, command=command, told=str(error), late=late, stale=stale)
    return None


def _loaded(image: MemoryImage) -> set[int]:
    """Return the words of the feature buffer that a program loads."""
    loads = [f for opcode, f in image.commands() if opcode == "LOAD_FEATURES"]
    return {n for f in loads for words in chunks(image.config, f) for n in range(words.start, words.stop)}
