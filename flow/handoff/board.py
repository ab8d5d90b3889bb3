"""What the block design for Vivado needs to know of a board: its part, its preset, its clock (docs/add-a-board.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...estimate.area.parts import PARTS, part_of
from ...support.errors import RepriseError, explain
from ...support.presets import BOARDS, preset_file, preset_names
from ...support.yaml_file import read_yaml

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,48}$")]
"""A name that is written into Tcl as it is."""


class Board(BaseModel):
    """A board with a Zynq: its family, its part and a word of its board part in Vivado's words, and a clock in MHz.

    Without a clock, it is the one that is assumed for the part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    family: Literal["zynq", "zynqmp"]
    part: Word
    board: Word
    mhz: Annotated[float, Field(gt=0, le=1000)] | None = None


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
        board = Board(**read_yaml(path, rule="hold the family, the part, the board part and the clock of a board"))
    except ValidationError as error:
        raise explain(str(path), error) from None
    part = part_of(board.part)
    if board.mhz is None and part is None:
        known = ", ".join(one.name for one in PARTS)
        raise RepriseError(field=f"{path}: mhz", rule="given for a part that is none of " + known, value=None)
    return board if board.mhz or not part else board.model_copy(update={"mhz": part.mhz})


def all_boards() -> dict[str, Board]:
    """Return every board of ``configs/boards`` by its name."""
    return {name: read_board(name) for name in preset_names(BOARDS)}
