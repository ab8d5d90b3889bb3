"""Deliberate faults of the address windows and of the order in which the host's requests are taken."""

from tests.mutation.runner import fault

WINDOW = "tests/hw/axi/test_window.py"
SEQ = "tests/hw/sequencer/test_sequencer.py"
RTL = "tests/cosim/test_windows.py"
PRODUCTS = "tests/hw/sequencer/test_products.py"
SCHEDULE = "tests/hw/sequencer/test_scheduler.py"
EPOCH = "tests/hw/sequencer/test_epoch.py"
LOAD = "tests/hw/loader/test_data_rules.py"
UNLOADED = "tests/hw/im2col/test_unloaded.py"
FUZZ = "tests/cosim/fuzz/test_fuzz.py"

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
    fault("reads go on after a bad one", "axi/read", "self.hold[n] | self.outside[n]", "self.hold[n]", WINDOW),
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
    fault("products that overflow pass", "sequencer/products", "(over_left | wrong)", "wrong", PRODUCTS),
    fault("the rest of the division is not looked at", "sequencer/products", "(rest != 0)", "(rest == 1)", PRODUCTS),
    fault("what another RUN left is added", "sequencer/products", "with m.If(step == 1):", "with m.If(0):", PRODUCTS),
    fault("a rule that counts for several images counts for one", "sequencer/products", "& ~skipped)", ")", PRODUCTS),
    fault(
        "runs write before their rules are known",
        "sequencer/scheduler",
        "self.may_write.eq(known)",
        "self.may_write.eq(1)",
        SCHEDULE,
    ),
    fault(
        "rules of the run before let a run write",
        "sequencer/scheduler",
        "known.eq(self.products_done & ~self.front_start)",
        "known.eq(self.products_done)",
        SCHEDULE,
    ),
    fault(
        "an error of a command hides one of a write before it",
        "sequencer/scheduler",
        " & ~self.prepared & self.writes_idle)",
        " & ~self.prepared)",
        SCHEDULE,
    ),
    fault(
        "the next front disturbs the rules",
        "sequencer/scheduler",
        "~self.prepared & ~front_used & known",
        "~self.prepared & ~front_used",
        SCHEDULE,
    ),
    fault("missing parameters pass", "sequencer/scheduler", "lacks.eq(run.groups > loaded)", "lacks.eq(0)", SCHEDULE),
    fault(
        "a bad product passes",
        "sequencer/scheduler",
        "bad_product.eq(self.enable & known & ~self.prepared & self.bad_product)",
        "bad_product.eq(0)",
        SCHEDULE,
    ),
    fault("segments are not looked at", "loader/unpack", "Cat(wrong).any() | (splitter", "(splitter", LOAD),
    fault("unnamed bits of segments pass", "loader/unpack", "(splitter.part & unnamed).any()", "0", LOAD),
    fault(
        "parameters are not looked at",
        "loader/unpack",
        "self.bad.eq(self.o.valid & Cat(wrong).any())",
        "self.bad.eq(0)",
        LOAD,
    ),
    fault(
        "words of other jobs are read", "im2col/extract", "bad.eq(self.stale[r] | beyond[1])", "bad.eq(beyond[1])", FUZZ
    ),
    fault("the second word of a window is not looked at", "im2col/extract", "(mask & ~first).any()", "0", UNLOADED),
    fault(
        "words beyond the end are read",
        "im2col/extract",
        "bad.eq(self.stale[r] | beyond[1])",
        "bad.eq(self.stale[r])",
        UNLOADED,
    ),
    fault("segments of other jobs are used", "im2col/segment_table", "~self._loaded(m, flagged) | ", "", FUZZ),
    fault(
        "segments beyond the table's end are used",
        "im2col/segment_table",
        " | ((flagged == c.segments - 1) & ~(end & (k_left == 1)))",
        "",
        UNLOADED,
    ),
    fault("an epoch comes again", "sequencer/epoch", "self.clear.eq(last)", "self.clear.eq(0)", EPOCH),
    fault(
        "not all words are cleared",
        "sequencer/epoch",
        "self.config.feature_words // 2 - 1",
        "self.config.feature_words // 2 - 2",
        EPOCH,
    ),
    fault(
        "cleared words keep their epoch", "im2col/feature_buffer", "Mux(self.clear, 0, self.epoch)", "self.epoch", FUZZ
    ),
]
