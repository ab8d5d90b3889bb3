"""Deliberate faults of im2col, loaders, bus masters, sequencer and registers (see tests.mutation.runner)."""

from tests.mutation.runner import fault

IM2COL = "tests/hw/im2col/test_im2col.py"
AXI = "tests/hw/axi/test_read.py"
AXI_WRITE = "tests/hw/axi/test_write.py"
LOAD = "tests/hw/loader/test_weights.py"
USED = "tests/hw/loader/test_used_rows.py"
LOADER_PROOF = "tests/formal/test_loader_proofs.py"
SEQ = "tests/hw/sequencer/test_sequencer.py"
SEQ_DISPATCH = "tests/hw/sequencer/test_scheduler.py"
SEQ_FETCH = "tests/hw/sequencer/test_fetch.py"
RULES = "tests/hw/sequencer/test_rules.py"
FIFO = "tests/hw/lib/test_fifo.py"
PROOF = "tests/formal/test_stream_proofs.py"
BURSTS = "tests/formal/test_window_proofs.py::test_bursts_make_up_their_request"
CSR = "tests/hw/csr/test_csr.py"


def _fault(file, original, mutated, test, what):
    return fault(what, file, original, mutated, test)


def _compiler(file, original, mutated, test, what):
    return fault(what, f"compiler/{file}.py", original, mutated, test)


MUTATIONS = [
    _fault("im2col/extract", "(y < lines)", "(y <= lines)", IM2COL, "a line below the map is read"),
    _fault("im2col/extract", "(y >= 0) & ", "", IM2COL, "a line above the map is read"),
    _fault("im2col/extract", "room >= k, ones", "room > k, ones", IM2COL, "a full word at the line's end is lost"),
    _fault("im2col/extract", "bit2 <= -k, 0,", "bit2 < -k, 0,", IM2COL, "bits left of the line are read"),
    _fault("im2col/extract", "(row >= controls[1].tile.rows) | ", "", IM2COL, "rows beyond the m tile aren't zero"),
    _fault(
        "im2col/feature_buffer",
        "(entry + self.address[r][:inside].all())",
        "(entry)",
        IM2COL,
        "last words get a wrong successor",
    ),
    _fault("im2col/loop_counter", "inner_done[n] & ~at_end[n]", "~at_end[n]", IM2COL, "several loops step at once"),
    _fault(
        "im2col/row_table", "put.same_word, -ways[1],", "put.same_word, 0,", IM2COL, "a turn of the loop is a step off"
    ),
    _fault("im2col/row_table", "second.eq(self.source)", "second.eq(0)", IM2COL, "positions of one source serve both"),
    _fault("im2col/row_table", "put.mask.eq(Cat(begun))", "put.mask.eq(-1)", IM2COL, "rows before are written again"),
    _fault("im2col/row_table", "reach <= tile + word", "reach <= word", IM2COL, "a turn behind an m tile seems far"),
    _fault("im2col/row_table", "run.loop0_count + turn <= word", "1", IM2COL, "a turn within a word seems near"),
    _fault("im2col/row_table", "m, following <= word", "m, 0", IM2COL, "small m tiles have no end"),
    _fault("im2col/row_table", "left == 2", "left == 1", IM2COL, "the last m tile is as long as the others"),
    _fault("im2col/row_table", "Mux(put.same_word, turn, 0)", "0", IM2COL, "a turn within a word is too short"),
    _fault(
        "im2col/row_table",
        "tile_ends.eq(tile_near & ~(turn_near & turn_first))",
        "tile_ends.eq(tile_near & ~turn_near)",
        IM2COL,
        "an m tile that ends with a turn goes on",
    ),
    _fault("im2col/row_table", "full[read_buffer].eq(0), ", "", IM2COL, "a half isn't given back"),
    _fault("im2col/segment_table", "segment.bit - segment.shift", "segment.bit", IM2COL, "segments aren't shifted"),
    _fault("im2col/row_builder", "(credits != 0)", "1", IM2COL, "words are lost under backpressure"),
    _fault("im2col/im2col", "& ~self.run.weights_hold", "", IM2COL, "held weights are released"),
    _fault("im2col/extract", "(shift[few:] << few)", "shift[few:]", IM2COL, "the upper part of a shift counts as bits"),
    _fault("axi/read", "some.eq(rest != 0)", "some.eq(0)", BURSTS, "a request ends with its first burst"),
    _fault("axi/read", "inside(self.window, word, beats - 1)", "1", BURSTS, "no burst is outside of the window"),
    _fault("axi/read", "(free >= beats) & ", "", AXI, "a burst is asked for without room"),
    _fault(
        "axi/read", "room.eq(BURST_BEATS - begin[: clog2(BURST_BEATS)])", "room.eq(BURST_BEATS)", AXI, "4 KiB crossed"
    ),
    _fault("axi/read", "length[low:].any() | ", "", BURSTS, "a long request ends with its first burst"),
    _fault("axi/read", "Mux(leaves, less + 1, less)", "Mux(leaves, free + 1, less)", BURSTS, "room is given twice"),
    _fault("axi/read", "~self.halt & ", "", AXI, "bursts begin after a halt"),
    _fault("axi/read", "free & ~earlier & ", "free & ", AXI, "two readers get one burst"),
    _fault("axi/write", "& ~aligned ", "", AXI_WRITE, "a write burst crosses 4 KiB"),
    _fault("axi/write", "(word == following)", "1", AXI_WRITE, "scattered words share a burst"),
    _fault("axi/write", "following.eq(word + 1)", "following.eq(word)", AXI_WRITE, "the same word again joins a burst"),
    _fault("axi/write", "count.eq(0), some.eq(0)", "count.eq(0)", AXI_WRITE, "a burst stays open behind its end"),
    _fault("axi/write", "waiting + begin - answered", "waiting + begin", AXI_WRITE, "answers aren't counted"),
    _fault("lib/fifo", "(stored != 0) & ", "", FIFO, "the FIFO gives what it hasn't"),
    _fault(
        "lib/fifo", "self.i.ready.eq(~stored[-1])", "self.i.ready.eq(1)", FIFO, "what isn't read yet is overwritten"
    ),
    _fault(
        "lib/fifo", "leaves = ~self.o.valid | self.o.ready", "leaves = self.o.ready", FIFO, "a cycle more of latency"
    ),
    _fault(
        "lib/fifo", "with m.If(leaves):", "with m.If(1):", PROOF, "an item is lost in the register behind the memory"
    ),
    _fault("lib/fifo", "inside = inside + some", "pass", FIFO, "the level forgets what stands at the memory's output"),
    _fault("lib/skid", "self.i.ready.eq(open_)", "self.i.ready.eq(1)", PROOF, "an item is lost in the skid buffer"),
    _fault(
        "loader/weights",
        "with m.Elif(beat == 0):",
        "with m.Elif(0):",
        LOAD,
        "lanes beyond a short row keep old weights",
    ),
    _fault(
        "loader/unpack",
        "every << address[:inside]",
        "every << ~address[:inside]",
        LOAD,
        "single words go to the wrong bank",
    ),
    _fault("loader/loader", "single.eq(one), last", "single.eq(0), last", LOAD, "chunks of a word take the next ones"),
    _fault("loader/loader", "single, beats == 2)", "single, beats == 1)", LOAD, "a chunk ends a word late"),
    _fault("loader/loader", "[left.eq(left - 1), some.eq(left != 1)]", "left.eq(left - 1)", LOAD, "no load ever ends"),
    _fault("loader/unpack", "splitter.valid & (left != 0)", "splitter.valid", LOAD, "more segments than asked for"),
    _fault("loader/unpack", "wanted.eq(left != 1)", "wanted.eq(1)", LOAD, "more parameters than asked for"),
    _fault("loader/unpack", "valid.eq(full == words - 1)", "valid.eq(1)", LOAD, "parameters of half a group"),
    _fault("sequencer/sequencer", "(self.watchdog != 0) & ", "", SEQ, "watchdog 0 isn't off"),
    _fault(
        "sequencer/scheduler",
        "self.prepared & self.loads_idle & ~self.run_busy",
        "self.prepared & ~self.run_busy",
        SEQ_DISPATCH,
        "no wait",
    ),
    _fault(
        "sequencer/scheduler",
        "~self.prepared & ~front_used",
        "~self.prepared",
        SEQ_DISPATCH,
        "the front is taken from a run",
    ),
    _fault(
        "sequencer/sequencer",
        "[self.reset.eq(1), self.halt.eq(1)]",
        "[self.reset.eq(1)]",
        SEQ,
        "a burst begins before the reset",
    ),
    _fault("sequencer/sequencer", "self.bus_quiet | (left == 0)", "self.bus_quiet", SEQ, "a dead bus is waited for"),
    _fault("sequencer/fetch", "more = ~self.bad_header & ", "more = ", SEQ_FETCH, "fetches behind a bad command"),
    _fault("sequencer/fetch", "number.eq(beat)", "number.eq(0)", SEQ_FETCH, "every word is taken for the first"),
    _fault(
        "sequencer/fetch",
        "with m.Elif(came & reserved):",
        "with m.Elif(0):",
        SEQ_FETCH,
        "reserved bits beyond the first word pass",
    ),
    _fault(
        "interface/checker",
        "value > rule.high.value",
        "value >= rule.high.value",
        RULES,
        "the largest value is refused",
    ),
    _fault("interface/checker", "value < rule.low]", "value <= rule.low]", RULES, "the smallest value is refused"),
    _fault(
        "interface/checker",
        "view[rule.field][rule.bits :].any()",
        "view[rule.field][rule.bits + 1 :].any()",
        RULES,
        "an address of one bit too many",
    ),
    _fault(
        "interface/checker",
        "[: rule.step.value.bit_length() - 1].any()",
        "[1 : rule.step.value.bit_length() - 1].any()",
        RULES,
        "an odd address passes",
    ),
    _fault("interface/checker", "sum(others, first)", "first", RULES, "segments beyond the table"),
    _fault(
        "interface/checker",
        "_is_set(view[rule.flag]) & (view[rule.field] > rule.most.value)",
        "view[rule.field] > rule.most.value",
        RULES,
        "many K tiles are refused although they are not kept",
    ),
    _fault("interface/checker", "[first & ~view[rule.flag]]", "[]", RULES, "weights that are not kept are held"),
    _fault(
        "interface/checker",
        "(view[rule.flag] == 0) & (view[rule.field] == 0)",
        "view[rule.field] == 0",
        RULES,
        "a readout without levels is refused",
    ),
    _fault(
        "sequencer/scheduler",
        "| (held & differs)",
        "",
        SEQ_DISPATCH,
        "held weights of another number of K tiles",
    ),
    _fault(
        "arch/rules",
        'same=("k_tiles", "tile_depth"))',
        'same=("k_tiles",))',
        "tests/tools/test_doc_tables.py::test_pages_show_what_a_maker_makes[memory-map]",
        "held weights of K tiles with other bits",
    ),
    _fault("im2col/extract", "segment.mask & inside", "segment.mask", IM2COL, "bits beyond the K tile count"),
    _fault("im2col/extract", "(bits | ~places[2])", "bits", IM2COL, "a mask clears bits that it doesn't fill"),
    _fault("im2col/extract", "~places[2]", "~places[1]", IM2COL, "the bits of a mask are those of the next segment"),
    _fault("im2col/extract", "Mux(masking[4]", "Mux(masking[3]", IM2COL, "the segment before a mask masks"),
    _fault("im2col/segment_table", "entry.masks.eq(segment.mask)", "entry.masks.eq(0)", IM2COL, "masks are added"),
    _fault(
        "loader/weights",
        "last.eq(none | (row + 1 == run.rows))",
        "last.eq(none | (row + 1 == c.tile_k))",
        LOAD,
        "rows beyond the run",
    ),
    _fault("loader/weights", "row.eq(run.first + row)", "row.eq(row)", LOAD, "used rows go to the first places"),
    _fault(
        "loader/weights", "last.eq(last & run.last)", "last.eq(last)", LOAD, "a K tile is complete with its first run"
    ),
    _fault(
        "loader/weights",
        "| (move & self.i_run.valid & none)",
        "| (self.i_run.valid & none)",
        LOAD,
        "a K tile that uses no row overwrites the row before it",
    ),
    _fault(
        "loader/weights",
        "tile + (below << word)",
        "tile",
        LOAD,
        "used rows are fetched from the first row on",
    ),
    _fault(
        "loader/weights",
        "run.weights_keep | (whole_left != 0)",
        "(whole_left != 0)",
        LOAD,
        "weights that are kept lack rows",
    ),
    _fault(
        "loader/weights",
        "whole.eq(run.weights_keep | (whole_left != 0))",
        "whole.eq(1)",
        LOAD,
        "every K tile is fetched whole",
    ),
    _fault("loader/used_rows", "before.eq(used)", "before.eq(of_word)", USED, "only the last word's rows count"),
    _fault(
        "loader/used_rows", "with m.If(finished):", "with m.If(ends):", USED, "rows of whole K tiles count for the next"
    ),
    _fault(
        "loader/used_rows",
        "(whole_left == 0) & ~run.weights_keep",
        "(whole_left == 0)",
        USED,
        "kept weights are told of",
    ),
    _fault(
        "loader/used_rows",
        "after != self.most",
        "after <= self.most",
        f"{LOADER_PROOF}::test_no_tile_is_forgotten",
        "a K tile is forgotten",
    ),
    _fault(
        "loader/row_runs", "end - first", "end", f"{LOADER_PROOF}::test_runs_make_up_their_set", "runs are too long"
    ),
    _fault("loader/row_runs", "~Cat(left, C(0, 1))", "~left", USED, "a run up to the last row has no end"),
    _fault("loader/row_runs", "several(begins)[1]", "several(left)[1]", USED, "a run of several rows is not the last"),
    _fault("im2col/row_builder", "Mux(last_word, 1, following + 1)", "following + 1", IM2COL, "words are left out"),
    _fault("im2col/row_builder", "== self.word, self", "== following, self", IM2COL, "a word that is not full is lost"),
    _fault(
        "loader/weights",
        "row.eq(Mux(last, 0, row + 1))",
        "row.eq(row + 1)",
        LOAD,
        "the next K tile begins in the middle",
    ),
    _fault(
        "arch/rules",
        '("rows_last", 1, most("tile_m")),',
        "",
        "tests/tools/test_doc_tables.py::test_pages_show_what_a_maker_makes[memory-map]",
        "a rule is lost in RTL and software alike",
    ),
    _compiler(
        "checks", "if broken:", "if False:", "tests/compiler/test_rules.py", "an illegal command leaves the compiler"
    ),
    _compiler(
        "golden/interpreter",
        "            if broken:\n                raise ProgramError.refused(index",
        "            if False:\n                raise ProgramError.refused(index",
        "tests/compiler/test_interpreter_errors.py",
        "the interpreter knows no rules",
    ),
    _fault("arch/rules", "if c.pool_words else MAX_POOL)", "if 1 else MAX_POOL)", SEQ_FETCH, "a pool it can't count"),
    _fault("arch/program", "MAX_POOL = 4", "MAX_POOL = 5", SEQ_FETCH, "a pool of 5 is accepted"),
    _fault("csr/registers", "new & enable, 0))", "new, 0))", CSR, "pulses ignore strobes"),
    _fault("csr/registers", "(stored & ~cleared) | ", "stored | ", CSR, "the interrupt can't be cleared"),
    _fault(
        "csr/counters",
        "with m.If(self.snapshot):\n                m.d.sync += self.value",
        "with m.If(1):\n                m.d.sync += self.value",
        CSR,
        "live counters",
    ),
]
