"""Deliberate faults in copies of registers and in what is known a cycle ahead, and the test that must catch each."""

from tests.mutation.runner import fault

IM2COL = "tests/hw/im2col/test_im2col.py::test_random_geometries"


def _ends(what: str, original: str, mutated: str) -> dict:
    return fault(what, "im2col/row_table", original, mutated, IM2COL)


MUTATIONS = [
    dict(
        file="hw/lib/fanout.py",
        original="reset_less=not at_reset",
        mutated="reset_less=True",
        test="tests/hw/lib/test_fanout.py::test_synthesis_keeps_every_copy",
        fault="copies that synthesis merges",
    ),
    dict(
        file="hw/lib/fanout.py",
        original="copy >> 1 & 1, 3 <= copy < 7",
        mutated="copy >> 1 & 1, False",
        test="tests/hw/lib/test_fanout.py::test_synthesis_keeps_every_copy",
        fault="no copy keeps the opposite",
    ),
    dict(
        file="hw/lib/resets.py",
        original="nets.append(net)",
        mutated="nets[:] = [net]",
        test="tests/hw/lib/test_resets.py::test_every_register_is_reset_in_the_same_cycles",
        fault="a single block is reset",
    ),
    dict(
        file="hw/lib/resets.py",
        original="replicate(m, groups[number % COPIES], len(mine)",
        mutated="replicate(m, self.reset, len(mine)",
        test="tests/hw/lib/test_resets.py::test_every_register_is_reset_in_the_same_cycles",
        fault="a reset comes before the copies of its group",
    ),
    dict(
        file="hw/lib/resets.py",
        original="replicate(m, groups[number % COPIES], len(mine)",
        mutated="replicate(m, groups[0], len(mine)",
        test="tests/hw/lib/test_resets.py::test_synthesis_keeps_a_copy_for_each_part",
        fault="all groups have the copies of one, which synthesis merges",
    ),
    _ends("a turn within a word is first, as any", "put.same_word, firsts[2]", "0, 0"),
    _ends("a turn that ends goes on", "Mux(put.turn_ends, next_firsts[1], ", "Mux(0, 0, "),
    _ends("turn and m tile end at once", "first(here - word, reach - word)", "Const(0, 2)"),
]
