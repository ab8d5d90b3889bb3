"""Chooses spoiled programs that the delivered testbench plays, and says how the accelerator must refuse each.

The programs are those of the fuzz, and how they end is the golden interpreter's.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ....compiler.golden.errors import OrderBroken, ProgramError
from ....compiler.golden.interpreter import Interpreter
from ....cosim.fuzz.mutate import Mutant, mutate
from ....hw.arch.memory_image import MemoryImage
from ....hw.arch.products import SUM_BITS
from ....hw.arch.program import LOOPS, Error

SEED = 22

REFUSED, TRIED, MOST_WORDS = 90, 900, 3
"""How many spoiled programs the testbench plays, of how many they are chosen, and how many bus words each spoils."""

LINES = 5
"""How many programs of the same rule go together where what is read has not been loaded: each line that the row builder
reads at once has its own check, and no program says which one it is for."""

AHEAD = 2
"""Commands that can have been issued behind a RUN that is refused: loads for the next one."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A spoiled program: the words of memory that differ, (index, value), and the error code and command of STATUS.

    ahead : by how much STATUS.command may be larger. Products of a RUN are checked while later commands are issued.
    stale : whether a RUN reads feature words that no load of its job has brought
    """

    words: list[tuple[int, int]]
    code: int
    name: str
    command: int
    ahead: int
    stale: bool


def refused_programs(image: MemoryImage, before: np.ndarray) -> list[Refused]:
    """Return spoiled programs that the accelerator must refuse, with as many different errors as there are.

    Each spoils a few words of the memory, and no command is moved. The first have a code each. Then, of every rule that
    a kind of command breaks, as the interpreter's error words it, one goes before a second one. Those that end early go
    first.
    """
    r, found = np.random.default_rng(SEED), list[tuple[str, Refused]]()
    for mutant in [_wrapped(image, r), *(mutate(image, r) for _ in range(TRIED))]:
        if len(mutant.commands) != len(image.commands()):
            continue
        spoiled = before.copy()
        for address, raw in {image.program: mutant.program(), **mutant.data}.items():
            spoiled[address - image.base : address - image.base + len(raw)] = np.frombuffer(raw, np.uint8)
        words = _changed(before, spoiled, image.config.bus_bits // 8)
        end = _end(image, spoiled) if 0 < len(words) <= MOST_WORDS or not found else None
        if end is not None:
            rule = image.commands()[end[1]][0] + re.sub(r"0x[0-9a-f]+|[\d-]+|\(.*?\)", "", end[2])
            ahead = AHEAD if image.commands()[end[1]][0] == "RUN" else 0
            stale = end[0] is Error.UNLOADED and "the features that a RUN reads" in end[2]
            case = Refused(words=words, code=end[0].value, name=end[0].name, command=end[1], ahead=ahead, stale=stale)
            found.append(("" if not found else rule, case))
    found.sort(key=lambda pair: pair[1].command)
    ranks: Counter[str | int] = Counter()
    ranked: list[tuple[bool, int, int, int, Refused]] = []
    for rule, case in found:
        ranks.update((rule, case.code))
        rank = -(-ranks[rule] // (LINES if case.code == Error.UNLOADED else 1))
        ranked.append((ranks[case.code] > 1, rank, case.command, len(ranked), case))
    return [case for *_, case in sorted(ranked)[:REFUSED]]


def _wrapped(image: MemoryImage, r: np.random.Generator) -> Mutant:
    """Return the program with far too large loops in its first RUN, whose product is right in its lowest bits.

    It is right in those that the hardware multiplies (:data:`SUM_BITS`).
    """
    commands = [(op, dict(fields)) for op, fields in image.commands()]
    run = next(fields for op, fields in commands if op == "RUN")
    rows = np.uint64((run["m_tiles"] - 1) * run["rows"] + run["rows_last"])
    first, second = r.integers(1 << 14, 1 << 15, (2, 1 << 22)).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    product = first * second
    inverse = product.copy()
    for _ in range(5):  # Newton's method doubles the bits that are right, of which there are three at first
        inverse *= np.uint64(2) - product * inverse
    third = (rows * inverse) & np.uint64((1 << SUM_BITS) - 1)
    good = int(np.flatnonzero((third > 0) & (third < 1 << 16))[0])
    for n, count in enumerate((first, second, third)):
        run[f"loop{n}_count"] = int(count[good])
    run |= {f"loop{n}_count": 1 for n in range(3, LOOPS)}
    return Mutant(commands=commands, flips=[], data={}, what=["wrapped"])


def _changed(old: np.ndarray, new: np.ndarray, word: int) -> list[tuple[int, int]]:
    """Return the bus words of a memory that differ from another one: the index and the new value of each."""
    padded = [np.append(memory, np.zeros(-len(memory) % word, np.uint8)).reshape(-1, word) for memory in (old, new)]
    at = np.flatnonzero((padded[0] != padded[1]).any(axis=1))
    return [(int(n), int.from_bytes(padded[1][n].tobytes(), "little")) for n in at]


def _end(image: MemoryImage, memory: np.ndarray) -> tuple[Error, int, str] | None:
    """Return the error with which the program in a memory is refused, the command, and the interpreter's words.

    If it is not refused, return None.
    """
    interpreter = Interpreter(image, memory.copy(), strict=False)
    try:
        interpreter.run()
    except OrderBroken:
        return None
    except ProgramError as error:
        found = re.match(r"command (\d+):", str(error))
        return (error.code, int(found[1]), str(error)) if error.code and found else None
    return None
