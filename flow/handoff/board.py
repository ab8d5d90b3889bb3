"""What the ECP5 constraints need to know of a board: its part, and where its clock comes in (docs/add-a-board.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...support.errors import RepriseError, explain
from ...support.presets import BOARDS, preset_file, preset_names
from ...support.yaml_file import read_yaml

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,32}$")]
"""A name that is written into constraints as it is."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Clock(_Part):
    """The oscillator: its pin or None, its frequency in MHz, its I/O standard."""

    site: Word | None
    mhz: Annotated[float | int, Field(gt=0, le=1000)]
    io: Word


class Board(_Part):
    """A board's FPGA, in nextpnr's words, and its clock."""

    part: Literal["25k", "45k", "85k"]
    package: Word
    grade: Annotated[int, Field(ge=6, le=8)]
    clock: Clock


NO_BOARD = Board(part="85k", package="CABGA381", grade=6, clock=Clock(site=None, mhz=80, io="LVCMOS33"))
"""What is assumed where no board is named."""


def read_board(name: str) -> Board:
    """Read a board of ``configs/boards`` by its name.

    Raises
    ------
    RepriseError
        There is no such board, or a field of its file breaks a rule.
    """
    path = preset_file(BOARDS, name)
    if path is None:
        known = ", ".join(preset_names(BOARDS))
        raise RepriseError(f"board must be one of configs/boards ({known}), not {name!r}")
    try:
        return Board(**read_yaml(path, rule="hold the part and the clock of a board"))
    except ValidationError as error:
        raise explain(str(path), error) from None
