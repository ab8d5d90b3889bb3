"""Files of boards: what they must hold."""

import pytest
import yaml

from reprise.flow.handoff import board
from reprise.support.errors import RepriseError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": "12k"}, "part: .*'25k', '45k' or '85k', not '12k'"),
        ({"clock": None}, "clock: .*not None"),
        ({"package": 'A";'}, "package: .*pattern"),
        ({"grade": 6.0}, "grade: .*integer, not 6.0"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_board_that_breaks_a_rule(change, message, tmp_path, monkeypatch):
    good = {"part": "85k", "package": "CABGA381", "grade": 6, "clock": {"site": "G2", "mhz": 25, "io": "LVCMOS33"}}
    monkeypatch.setattr(board, "BOARDS", tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(good))
    assert board.read_board("mine").clock.mhz == 25
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(good | change))
    with pytest.raises(RepriseError, match=f"mine.yaml: {message}"):
        board.read_board("mine")
    with pytest.raises(RepriseError, match="board must be one of"):
        board.read_board("../mine")
