"""Deliberate faults of the bus and its windows, of the order in which requests are taken, and of all that is proven."""

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
SYSTEM = "tests/cosim/test_system.py::test_traffic"
IN_WINDOW, WRITE, JOB = (f"tests/formal/test_{name}_proofs.py" for name in ("window", "write", "write"))
FRONT, STREAM = "tests/formal/test_frontend_proofs.py", "tests/formal/test_stream_proofs.py"

MUTATIONS = [
    fault("the last word of a burst is not looked at", "axi/window", "(last <= allowed.last[:low])", "1", WINDOW),
    fault("the first word of a burst is not looked at", "axi/window", "(word >= allowed.first)", "1", WINDOW),
    fault("an empty window allows a word", "axi/window", "allowed.open & ", "", WINDOW),
    fault(
        "a window is a word too long",
        "axi/window",
        "out.last.eq((end >> shift) - 1)",
        "out.last.eq(end >> shift)",
        WINDOW,
    ),
    fault("a window may end beyond the top", "axi/window", ", beyond]", "]", WINDOW),
    fault(
        "windows move during a job",
        "axi/window",
        "with m.If(self.start):\n                m.d.sync += taken",
        "with m.If(1):\n                m.d.sync += taken",
        WINDOW,
    ),
    fault("a read outside is issued", "axi/read", "self.arvalid.eq(chosen.inside)", "self.arvalid.eq(1)", WINDOW),
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
        "m.d.comb += following.eq(known)",
        "m.d.comb += following.eq(1)",
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
    fault(
        "weights outside the read window pass",
        "sequencer/scheduler",
        "outside.eq(self.enable & known & ~self.prepared & self.weights_outside)",
        "outside.eq(0)",
        SCHEDULE,
    ),
    fault(
        "the last word of the weights is not looked at",
        "sequencer/products",
        "(sums > room)",
        "(sums - 1 > room)",
        PRODUCTS,
    ),
    fault(
        "the first word of the weights is not looked at",
        "sequencer/products",
        "(first >= self.window.first) & ",
        "",
        PRODUCTS,
    ),
    fault("weights that are held must lie in the window", "sequencer/products", " & ~run.weights_ready", "", PRODUCTS),
    fault("segments are not looked at", "loader/unpack", "Cat(wrong).any() | (splitter", "(splitter", LOAD),
    fault("unnamed bits of segments pass", "loader/unpack", "(splitter.part & unnamed).any()", "0", LOAD),
    fault(
        "parameters are not looked at",
        "loader/unpack",
        "self.bad.eq(looked & found.any())",
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
        "feature_banks(self.config) - 1",
        "feature_banks(self.config) - 2",
        EPOCH,
    ),
    fault(
        "cleared words keep their epoch", "im2col/feature_buffer", "Mux(self.clear, 0, self.epoch)", "self.epoch", FUZZ
    ),
    # Only the checker of AXI's rules sees these: our memory takes no notice of the signals.
    fault("bursts are of the kind that is reserved", "axi/ports", '"burst": 0b01', '"burst": 0b11', SYSTEM),
    fault("the memory's type is reserved", "axi/ports", '"cache": 0b0011', '"cache": 0b0100', SYSTEM),
    fault("beats are called half as wide", "axi/ports", ".bit_length() - 1", ".bit_length() - 2", SYSTEM),
    # Each of these breaks what a proof says.
    fault(
        "a burst's length is not looked at when it is written",
        "axi/write",
        "inside(self.window, bursts.payload.word, bursts.payload.length)",
        "inside(self.window, bursts.payload.word, 0)",
        f"{IN_WINDOW}::test_windows_hold_forever[writes]",
    ),
    fault(
        "the last word of a burst is not looked at when it is read",
        "axi/read",
        "inside(self.window, word, beats - 1)",
        "inside(self.window, word, beats - 2)",
        f"{IN_WINDOW}::test_bursts_make_up_their_request",
    ),
    fault(
        "a burst goes on over a multiple of BURST_BEATS words",
        "axi/write",
        "& ~aligned & ~finished",
        "& ~finished",
        f"{IN_WINDOW}::test_bursts_end_at_their_group",
    ),
    fault(
        "a job ends in every cycle after its end",
        "sequencer/sequencer",
        "        m.d.sync += self.done.eq(0)\n        with m.FSM",
        "        with m.FSM",
        f"{IN_WINDOW}::test_jobs_forever",
    ),
    fault(
        "WLAST comes with every 16th beat",
        "axi/write",
        "self.wlast.eq(left == 0)",
        "self.wlast.eq(left[:4] == 0)",
        f"{WRITE}::test_every_address_gets_its_data[beats]",
    ),
    fault(
        "data is sent without an address",
        "axi/write",
        "lengths.i.valid.eq(begin)",
        "lengths.i.valid.eq(take)",
        f"{WRITE}::test_every_address_gets_its_data[beats]",
    ),
    fault(
        "two unanswered bursts count as none",
        "axi/write",
        "quiet.eq(answered & (waiting == 1))",
        "quiet.eq(answered & waiting[0])",
        f"{WRITE}::test_every_address_gets_its_data[answers]",
    ),
    fault(
        "a burst is longer than its data",
        "axi/write",
        "bursts.payload.length.eq(count - 1)",
        "bursts.payload.length.eq(count)",
        f"{WRITE}::test_data_never_waits",
    ),
    fault(
        "a halt keeps a burst open, and a word joins that does not fit",
        "axi/write",
        "bursts.valid.eq(close)",
        "bursts.valid.eq(close & ~self.halt)",
        f"{IN_WINDOW}::test_bursts_end_at_their_group",
    ),
    fault(
        "bursts are written after the end of a job",
        "axi/write",
        "                & ~self.halt\n                & ~self.outside",
        "                & ~self.outside",
        f"{JOB}::test_nothing_moves_without_a_job",
    ),
    fault(
        "bursts are read after the end of a job",
        "axi/read",
        "free.eq(~self.halt & owners",
        "free.eq(owners",
        f"{JOB}::test_nothing_moves_without_a_job",
    ),
    fault(
        "a job ends while it waits for data",
        "axi/read",
        "self.idle.eq(~self.arvalid & (owners.level == 0))",
        "self.idle.eq(~self.arvalid)",
        f"{JOB}::test_nothing_moves_without_a_job",
    ),
    fault(
        "an item that waits at the memory's output is replaced",
        "lib/fifo",
        "take.eq((stored != 0) & (~some | leaves))",
        "take.eq(stored != 0)",
        f"{STREAM}::test_nothing_is_lost_or_reordered[stream2]",
    ),
    fault(
        "an item that waits at the memory's output goes",
        "lib/fifo",
        "        with m.Elif(leaves):\n            m.d.sync += some.eq(0)",
        "        with m.Else():\n            m.d.sync += some.eq(0)",
        f"{STREAM}::test_stream_rule_forever[stream2]",
    ),
    fault(
        "rows of one bit fewer are taken for those of a class",
        "sorter/row_memory",
        "bits.eq(self.i.payload.cls + 1)",
        "bits.eq(self.i.payload.cls)",
        f"{FRONT}::test_sorting_is_a_permutation[1-8]",
    ),
    fault(
        "a visit that waits is replaced by the next",
        "sorter/row_memory",
        "self.i.ready.eq(~self.o.valid | self.o.ready)",
        "self.i.ready.eq(1)",
        f"{FRONT}::test_stream_rule_forever[RowMemory-1]",
    ),
    fault(
        "the third tile has the tag of the second",
        "detector/dispatcher",
        "tag.eq(tag + closes)",
        "tag.eq(tag + (closes & ~tag[0]))",
        f"{FRONT}::test_rows_are_steered[1-None]",
    ),
]
