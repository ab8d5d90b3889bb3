"""Deliberate faults in the processor and the test that must catch each (run by tests/mutation/runner.py)."""

from tests.mutation.runner import fault

TESTS = "tests/hw/processor/test_processor.py::"


def _fault(file, original, mutated, test, what):
    return fault(what, file, original, mutated, TESTS + test)


PREFIX = "test_prefix_finished_just_before"
AGAIN = "test_partial_sum_updated_again_in_the_next_tile"
RANDOM = "test_random_stream"
LATE = "test_partial_sum_of_an_exact_match_updated_by_a_late_row"

MUTATIONS = [
    _fault(
        "processor/issue",
        "~busy[-1] | (steals & ready)",
        "~busy[-1]",
        "test_a_start_from_a_prefix_takes_a_slot_of_exact_matches_that_differ",
        "an impatient row reads the prefix of the exact match before it",
    ),
    _fault(
        "processor/issue",
        "self.steal_due.eq(self.steal_left == 1)",
        "self.steal_due.eq(0)",
        "test_a_start_from_a_prefix_takes_a_slot_of_exact_matches_that_differ",
        "a row's patience never runs out",
    ),
    _fault(
        "processor/bases",
        "staged = issue.claiming[b] | issue.steal_port[b]",
        "staged = issue.claiming[b]",
        "test_random_stream",
        "an idle start reads any prefix",
    ),
    _fault(
        "processor/bases",
        "in_place.eq(issue.active_valid &",
        "in_place.eq(0 &",
        PREFIX,
        "no continuation in place (distance 1)",
    ),
    _fault(
        "processor/lookahead",
        "return issue.claim.valid & finished",
        "return 0 & finished",
        PREFIX,
        "no forward at distance 2, two banks",
    ),
    _fault(
        "processor/lookahead",
        "late_mux(issue.claim.valid, finished, late_mux(",
        "0 & late_mux(issue.claim.valid, finished, late_mux(",
        PREFIX,
        "no forward at distance 2",
    ),
    _fault(
        "processor/pe_array",
        "previous = Signal.like(total, reset_less=True)\n        m.d.sync += previous.eq(total)",
        "previous = total",
        PREFIX,
        "forward a cycle too early (two banks)",
    ),
    _fault(
        "processor/issue",
        "(one.after <= self.tiles",
        "(one.after <= 1 + self.tiles",
        "test_random_stream",
        "a row too early",
    ),
    _fault(
        "processor/bases",
        "issue.load.zero.eq(issue.loading & ~stage.has_prefix)",
        "issue.load.zero.eq(0)",
        "test_random_stream",
        "no base 0",
    ),
    _fault(
        "processor/lookahead",
        "*(_finishes(issue, row) for row in rows)",
        "*(issue.active.result == row.prefix for row in rows)",
        "test_equal_slots_in_neighbouring_tiles",
        "forward from another tile",
    ),
    _fault(
        "processor/lookahead",
        "_flies(issue.slot[b], buffer, row.row)",
        "0",
        "test_exact_match_updates_the_row_that_the_last_exact_match_did",
        "read-modify-write two slots apart",
    ),
    _fault(
        "processor/lookahead",
        "pair[1] & apart)",
        "pair[1])",
        "test_exact_matches_of_a_row_in_neighbouring_slots",
        "read-modify-write in neighbouring slots",
    ),
    _fault("processor/lookahead", "quiet[-1] & ~same)", "quiet[-1])", LATE, "the same, with the row that is loaded"),
    _fault(
        "processor/issue",
        "conflicts.append(slot.valid & self.in_slot[b] & (slot.buffer == buffer))",
        "pass",
        AGAIN,
        "compute row",
    ),
    _fault(
        "processor/lookahead",
        "Mux(issue.claiming[b], _finishes(issue, row),",
        "Mux(issue.claiming[b], issue.active.result == row.prefix,",
        "test_exact_matches_with_the_slot_of_a_row_in_the_next_tile",
        "the operand of another tile's row, which has just finished",
    ),
    _fault(
        "processor/lookahead",
        "_shared(now, new)",
        "now.prefix == new.prefix",
        "test_exact_matches_with_the_slot_of_a_row_in_the_next_tile",
        "the operand of another tile's row, which has just been taken",
    ),
    _fault(
        "processor/lookahead",
        "taken = precompute(m, _shared(now, new))",
        "taken = precompute(m, stays[1])",
        "test_random_stream",
        "the operand of the row before the last",
    ),
    _fault(
        "processor/issue",
        "self.eligible[b] & self.same_row[b] &",
        "0 &",
        LATE,
        "the same row is taken and loaded at once",
    ),
    _fault(
        "processor/issue",
        "~self.claiming[b] & (~self.steal_idle",
        "(~self.steal_idle",
        "test_random_stream",
        "two rows in a slot",
    ),
    _fault(
        "processor/issue",
        "(~self.steal_idle[b] | self.same[b])",
        "1",
        "test_a_start_from_a_prefix_takes_a_slot_of_exact_matches_that_differ",
        "an exact match reads the prefix of the row that borrowed its port",
    ),
    _fault(
        "processor/issue",
        "m.d.sync += held.valid.eq(0)",
        "pass",
        "test_a_held_result_is_not_that_of_an_older_tile",
        "a held result outlives its tile",
    ),
    _fault(
        "processor/issue",
        "held.result.eq(active.result)",
        "held.result.eq(reuse.prefix)",
        "test_random_stream",
        "a finished row isn't noted as held",
    ),
    _fault(
        "processor/lookahead",
        "& (held.tag == row.tag)",
        "",
        "test_equal_slots_in_neighbouring_tiles",
        "a held result serves another tile",
    ),
    _fault(
        "processor/issue",
        "busy.eq(self.eligible & ~self.same)",
        "busy.eq(self.eligible)",
        "test_a_start_from_a_prefix_takes_no_slot_of_repeated_exact_matches",
        "the port of an exact match without a read isn't lent",
    ),
    _fault(
        "processor/pe_array",
        "self.finish.bank[b] | self.fetch[b],",
        "self.finish.bank[b] | ~self.finish.bank[b],",
        "test_random_stream",
        "the operand doesn't stay",
    ),
    _fault(
        "processor/issue",
        "bank = bank_of(self.config, row)",
        "bank = ~bank_of(self.config, row)",
        "test_random_stream",
        "banks swapped",
    ),
    _fault(
        "processor/scoreboard",
        "with m.If(self.tiles[oldest].valid):",
        "with m.If(retiring.any()):",
        "test_corner",
        "the number of rows comes late",
    ),
    _fault("processor/scoreboard", "& reuse_done)", ")", "test_random_stream", "a tile retires before its reuse rows"),
    _fault(
        "processor/scoreboard",
        "& (older.weight_slot == tile.weight_slot)",
        "& 0",
        "test_a_tile_in_the_slot_that_its_elder_releases",
        "old weights",
    ),
    _fault(
        "processor/scoreboard",
        "| (tile.valid & filled & ~stale)",
        "| tile.valid",
        "test_weights_that_come_late",
        "weights aren't awaited",
    ),
    _fault(
        "processor/scoreboard",
        "free.eq(~Cat(tile.valid for tile in self.tiles) | retiring)",
        "free.eq(-1)",
        "test_random_stream",
        "a tile enters before the one two before it has retired",
    ),
    _fault(
        "processor/issue",
        "self._known(tag) & self.tiles",
        "self.tiles",
        "test_random_stream",
        "a row is issued into the tile before its own",
    ),
    _fault(
        "processor/scoreboard",
        "waits.eq(fresh & taken)",
        "waits.eq(0)",
        "test_slow_consumer_gets_every_row",
        "drain overrun",
    ),
    _fault(
        "processor/weight_buffer",
        "~self.filled.bit_select(n, 1) | ",
        "1 | ",
        "test_random_stream",
        "overwrites weights in use",
    ),
    _fault(
        "processor/pe_array",
        "Cat(self.finish.result, self.finish.parity)",
        "Cat(self.finish.result, 0)",
        "test_random_stream",
        "one result buffer for two tiles",
    ),
    _fault(
        "processor/processor",
        "Cat(to_channels(c, drain.o.payload.psum))",
        "drain.o.payload.psum",
        "test_random_stream",
        "partial sums go out in the order of the lanes",
    ),
    _fault(
        "lib/wide_memory",
        "port.addr.eq(written[groups:])",
        "port.addr.eq(writes[0][groups + 1 :])",
        "test_random_stream",
        "a wide memory is written to another address",
    ),
    _fault(
        "processor/weight_buffer", "Mux(some, row[at : at + bits], 0)", "row[at : at + bits]", RANDOM, "idle banks add"
    ),
    _fault(
        "processor/weight_buffer", "row.row[:low] == bank if", "row.row[:low] == 0 if", RANDOM, "one bank has all rows"
    ),
    _fault(
        "processor/weight_buffer", "Cat(row.row[low:], row", "Cat(row.row, row", RANDOM, "rows of a bank lie too far"
    ),
    _fault(
        "processor/issue",
        "bank_bits(self.bits, bank, banks)",
        "bank_bits(self.bits, 0, banks)",
        RANDOM,
        "one bank's bits",
    ),
    _fault("processor/layouts", "range(bank, len(x), banks)", "range(bank, len(x), 1)", RANDOM, "banks share bits"),
]
