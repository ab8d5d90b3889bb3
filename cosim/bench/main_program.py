"""The C++ main program of a simulation: cocotb's own, changed where a bench needs it.

A clock that Python starts costs a callback of the simulator, and two evaluations of the design, for each of its edges,
even if cocotb makes it in C++. A main program that makes the clock only sets a variable. Waveforms are bounded, because
those of a whole job at the paper's size take gigabytes.
"""

from __future__ import annotations

import cocotb_tools.config

from ...support.errors import SimulationError

CYCLE_PS = 10_000
"""The simulated picoseconds of a cycle, in every bench."""

COCOTBS = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"

_LOOP = "    while (!Verilated::gotFinish()) {\n"
_NEXT = "std::min(next_time_cocotb, next_time_timing)"
_TIMED = "        VerilatedVpi::callTimedCbs();\n        settle_value_callbacks();\n"
_DUMP = "        if (tfp) {\n            tfp->dump(main_time);"


def main_program(*, clock: str = "", windowed: bool = False) -> str:
    """Return the C++ text of a main program.

    Parameters
    ----------
    clock : the top's port that gets a clock with rising edges at 0, 1, 2... cycles of :data:`CYCLE_PS`, or none. What
        Python writes after so many whole cycles comes after the edge, as with cocotb's clocks.
    windowed : waveforms begin and end at the cycles ``TRACE_FIRST`` and ``TRACE_LAST`` of the environment

    Raises
    ------
    SimulationError
        cocotb's program is another one than that which is changed here.
    """
    text = COCOTBS.read_text()
    if clock:
        text = _replaced(text, _LOOP, f"    vluint64_t clock_edge = 0;\n{_LOOP}", "the clock")
        text = _replaced(text, _NEXT, f"std::min({_NEXT}, clock_edge)", "the clock")
        toggle = f"            top->{clock} = !top->{clock};\n            clock_edge += {CYCLE_PS // 2};\n"
        text = _replaced(
            text, _TIMED, f"{_TIMED}        if (main_time == clock_edge) {{\n{toggle}        }}\n", "the clock"
        )
    if windowed:
        bounded = (
            '        static const char *first = getenv("TRACE_FIRST"), *last = getenv("TRACE_LAST");\n'
            f"        static const vluint64_t low = first ? {CYCLE_PS}ULL * atoll(first) : 0;\n"
            f"        static const vluint64_t high = last ? {CYCLE_PS}ULL * atoll(last) : ~0ULL;\n"
            "        if (tfp && main_time >= low && main_time <= high) {\n            tfp->dump(main_time);"
        )
        text = "#include <cstdlib>\n" + _replaced(text, _DUMP, bounded, "waveforms")
    return text


def _replaced(text: str, old: str, new: str, what: str) -> str:
    if text.count(old) != 1:
        raise SimulationError(f"cocotb's verilator.cpp has changed: {what} can't be put into it")
    return text.replace(old, new)
