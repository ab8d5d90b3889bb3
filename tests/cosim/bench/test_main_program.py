"""The C++ main program is cocotb's with a clock, and fails loudly if cocotb's is another one than expected."""

import pytest

from reprise.cosim.bench import main_program
from reprise.support.errors import SimulationError


def test_nothing_is_changed_without_reason():
    assert main_program.main_program() == main_program.COCOTBS.read_text()


def test_the_clock_and_the_window_are_put_in():
    text = main_program.main_program(clock="tick", windowed=True)
    assert "top->tick = !top->tick" in text and 'getenv("TRACE_FIRST")' in text


@pytest.mark.parametrize("options, what", [({"clock": "clk"}, "the clock"), ({"windowed": True}, "waveforms")])
def test_another_program_of_cocotb_is_refused(options, what, tmp_path, monkeypatch):
    other = tmp_path / "verilator.cpp"
    other.write_text("int main() { return 0; }\n")
    monkeypatch.setattr(main_program, "COCOTBS", other)
    with pytest.raises(SimulationError, match=f"has changed: {what} can't be put into it"):
        main_program.main_program(**options)
