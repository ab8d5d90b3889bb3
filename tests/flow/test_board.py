"""Files of boards: what they must hold."""

import pytest
import yaml

from reprise.estimate.area.parts import PARTS
from reprise.flow.handoff import board
from reprise.support.errors import RepriseError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "ecp5"}, "family: .*'zynq' or 'zynqmp', not 'ecp5'"),
        ({"mhz": None, "part": "xc7z045"}, "mhz must be given for a part that is none of .*XC7Z020.*, not None"),
        ({"mhz": 0}, "mhz: .*not 0"),
        ({"part": "A];"}, "part: .*pattern"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_board_that_breaks_a_rule(change, message, tmp_path, monkeypatch):
    good = {"family": "zynq", "part": "xc7z020clg400-1", "board": "pynq-z2", "mhz": 100}
    monkeypatch.setattr(board, "BOARDS", tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(good))
    assert board.read_board("mine").mhz == 100 and list(board.all_boards()) == ["mine"]
    for part, mhz in ((one.name.lower() + "clg", one.mhz) for one in PARTS):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(good | {"mhz": None, "part": part}))
        assert board.read_board("mine").mhz == mhz
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(good | change))
    with pytest.raises(RepriseError, match=f"mine.yaml: {message}"):
        board.read_board("mine")
    with pytest.raises(RepriseError, match="board must be one of"):
        board.read_board("../mine")
