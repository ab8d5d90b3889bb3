"""Loads that overtake a RUN: what they bring while it works, it may find or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ...hw.arch.config import HardwareConfig


def chunks(c: HardwareConfig, f: dict[str, int]) -> Iterator[slice]:
    """Yield the on-chip words that each chunk of a LOAD_FEATURES fills."""
    count = f["bytes"] // (c.feature_bits // 8)
    for n in range(f["chunks"]):
        first = f["target"] + n * f["target_stride"]
        yield slice(first, first + count)


def overtaken(
    c: HardwareConfig, rule: str, missing: Collection[int], loads: Iterable[tuple[str, dict[str, int]]]
) -> bool:
    """Return whether loads behind a RUN may bring, while the RUN works, all that no load before it has brought.

    Parameters
    ----------
    rule : "features" or "segments", which is also the name of the rule of order that is broken then
    missing : on-chip words or entries of the segment table
    loads : the loads that follow the RUN, as opcodes and fields, up to the next other command
    """
    left = set(missing)
    for opcode, f in loads:
        if (opcode, rule) == ("LOAD_FEATURES", "features"):
            for words in chunks(c, f):
                left -= set(range(words.start, words.stop))
        elif (opcode, rule) == ("LOAD_SEGMENTS", "segments"):
            left -= set(range(f["target"], f["target"] + f["count"]))
    return bool(missing) and not left
