"""Deliberate faults in the memories of partial sums and their drain, with the test that must catch each."""

from tests.mutation.runner import fault

TESTS = "tests/hw/processor/test_processor.py::"


def _fault(file, original, mutated, test, what):
    return fault(what, file, original, mutated, TESTS + test)


MUTATIONS = [
    _fault(
        "psum/bank",
        "first.eq(~Mux(following.buffer,",
        "first.eq(~Mux(self.slot.buffer,",
        "test_random_stream",
        "other half",
    ),
    _fault("psum/bank", "fresh.eq(first)", "fresh.eq(0)", "test_corner", "first touch adds to old data"),
    _fault(
        "psum/bank",
        "update.eq((which[0] & dirty_maps[0][0]) | (which[1] & dirty_maps[1][0]))",
        "update.eq(0)",
        "test_random_stream",
        "drain reads before updates",
    ),
    _fault(
        "psum/bank",
        "for buffer in (~following.buffer, following.buffer)]",
        "for buffer in (following.buffer, ~following.buffer)]",
        "test_random_stream",
        "an update looks at the other half's touch map",
    ),
    _fault(
        "psum/bank",
        "dirty.write.value.eq(~clear)",
        "dirty.write.value.eq(1)",
        "test_corner",
        "touch map never cleared",
    ),
    _fault(
        "psum/drain",
        "o.dirty.eq(item.dirty)",
        "o.dirty.eq(1)",
        "test_corner",
        "untouched rows aren't zero",
    ),
    _fault(
        "psum/drain",
        "free.eq(~self.o.valid | self.o.ready)",
        "free.eq(1)",
        "test_corner",
        "rows lost under backpressure",
    ),
    _fault(
        "psum/drain",
        "with m.If(reject | (capture & again)):",
        "with m.If(reject):",
        "test_slow_consumer_gets_every_row",
        "a row twice",
    ),
    _fault(
        "psum/cursor",
        "last.eq(o.row == walk.end)",
        "last.eq(o.row + 1 == walk.end)",
        "test_random_stream",
        "last flag a row early",
    ),
    _fault("psum/drain", "cursor.clear.eq(1)]", "]", "test_random_stream", "a half begins where the other ended"),
    _fault("psum/drain", "with m.If(catch_up):", "with m.If(0):", "test_slow_consumer_gets_every_row", "a row twice"),
    _fault(
        "psum/drain",
        "catch_up.eq(reject & ~again)",
        "catch_up.eq(reject)",
        "test_slow_consumer_gets_every_row",
        "a row is left out after one that was dropped twice",
    ),
    _fault(
        "psum/drain",
        "self._order(m, cursor, buffer ^ ending)",
        "self._order(m, cursor, buffer)",
        "test_corner",
        "the order of rows is that of the m tile before",
    ),
    _fault(
        "psum/drain",
        "self._one_hot(cursor.o.row)).any()",
        "self._one_hot(cursor.o.row ^ 1)).any()",
        "test_random_stream",
        "the other bank's touch map",
    ),
    _fault(
        "psum/bank",
        "dirty.read[1].eq(self.look.row)",
        "dirty.read[1].eq(self.drain.row)",
        "test_corner",
        "a row late",
    ),
    _fault(
        "psum/bank",
        "(update & self.drain.dirty)",
        "(update & self.dirty)",
        "test_random_stream",
        "the row after it decides whether a row is read",
    ),
    _fault(
        "psum/drain",
        "capture | (self.o.valid & ~self.o.ready)",
        "capture",
        "test_slow_consumer_gets_every_row",
        "a row leaves before it is taken",
    ),
]
