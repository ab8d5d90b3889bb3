"""Faults of the estimate of area."""

from tests.mutation.runner import fault

MEMORIES = "tests/estimate/area/test_memories.py"
STRUCTURE = "tests/estimate/area/test_structure.py"


def _fault(what: str, file: str, original: str, mutated: str, test: str) -> dict:
    return fault(what, f"estimate/area/{file}.py", original, mutated, test)


MUTATIONS = [
    _fault(
        "primitives that hold idle bits only are counted",
        "memories",
        "if memory.idle:",
        "if False:",
        f"{MEMORIES}::test_primitives_of_idle_bits_are_removed",
    ),
    _fault(
        "a second reader of a block RAM is free",
        "memories",
        "copies = -(-memory.reads // primitive.reads)",
        "copies = 1",
        f"{MEMORIES}::test_block_ram_by_hand",
    ),
    _fault(
        "keeping the old word costs nothing",
        "memories",
        "(3 * (1 + memory.reads) if emulated else 0)",
        "0",
        "tests/estimate/area/test_model.py::test_block_ram_is_counted_exactly",
    ),
    _fault(
        "conditions do not matter",
        "live",
        "for test in one.tests:",
        "for test in ():",
        f"{STRUCTURE}::test_conditions_matter_and_concatenations_are_taken_apart",
    ),
    _fault(
        "the carry of an adder is free",
        "live",
        "self._need(operand, (1 << bits.bit_length()) - 1, owner)",
        "self._need(operand, bits, owner)",
        f"{STRUCTURE}::test_an_adder_needs_all_bits_below",
    ),
    _fault(
        "a part that is placed while the design runs is always the first one",
        "live",
        "return mask(self.value) if here else 0",
        "return here",
        f"{STRUCTURE}::test_a_part_that_is_placed_at_run_time_may_be_anywhere",
    ),
    _fault(
        "what nothing reads takes part in a memory's width",
        "structure",
        "idle=(1 << width) - 1 & ~bits,",
        "idle=0,",
        f"{STRUCTURE}::test_a_memory_has_the_bits_that_are_read",
    ),
    _fault(
        "a twin gives away the design that is left out",
        "model",
        'return {name for name in one if one[name] != other[name]} <= {"feature_words", "segments", "weight_tiles"}',
        "return one == other",
        "tests/estimate/area/test_model.py::test_twins_are_left_out_together",
    ),
]
