"""Deliberate faults of the address windows and of the order in which the host's requests are taken."""

from tests.mutation.runner import fault

WINDOW = "tests/hw/axi/test_window.py"
SEQ = "tests/hw/sequencer/test_sequencer.py"
RTL = "tests/cosim/test_windows.py"

MUTATIONS = [
    fault("the last word of a burst is not looked at", "axi/window", "(last <= allowed.last)", "1", WINDOW),
    fault("the first word of a burst is not looked at", "axi/window", "(word >= allowed.first)", "1", WINDOW),
    fault("an empty window allows a word", "axi/window", "allowed.open & ", "", WINDOW),
    fault(
        "a window is a word too long",
        "axi/window",
        "out.last.eq((end >> shift) - 1)",
        "out.last.eq(end >> shift)",
        WINDOW,
    ),
    fault("a window may end beyond the top", "axi/window", ", end > 1 << ADDRESS_BITS]", "]", WINDOW),
    fault(
        "windows move during a job",
        "axi/window",
        "with m.If(self.start):",
        "with m.If(1):",
        WINDOW,
    ),
    fault("a read outside is issued", "axi/read", "self.arvalid.eq(allowed)", "self.arvalid.eq(1)", WINDOW),
    fault("reads go on after a bad one", "axi/read", "~self.halt & ~self.outside & ", "~self.halt & ", WINDOW),
    fault("a write outside is issued", "axi/write", "begin.eq(take & allowed)", "begin.eq(take)", WINDOW),
    fault("a write's address outside is issued", "axi/write", "self.awvalid.eq(allowed)", "self.awvalid.eq(1)", WINDOW),
    fault("writes go on after a bad one", "axi/write", "                & ~self.outside\n", "", WINDOW),
    fault(
        "bursts begin while no job runs",
        "sequencer/sequencer",
        "m.d.comb += self.halt.eq(1)\n                with",
        "with",
        SEQ,
    ),
    fault("a start cuts a burst", "sequencer/sequencer", "with m.If(self.bus_quiet):\n", "with m.If(1):\n", SEQ),
    fault(
        "a stop with the start is lost",
        "sequencer/sequencer",
        "with m.If(self.busy | self.start):",
        "with m.If(self.busy):",
        SEQ,
    ),
    fault("a bad start fetches", "sequencer/sequencer", "self.begin.eq(~self.bad_start)", "self.begin.eq(1)", SEQ),
    fault(
        "a start at the job's end is lost",
        "accelerator",
        "registers.control_start & ~ending",
        "registers.control_start",
        RTL,
    ),
    fault(
        "the program's address moves",
        "accelerator",
        "datapath.program.eq(windows.program)",
        "datapath.program.eq(windows.i_program)",
        RTL,
    ),
]
