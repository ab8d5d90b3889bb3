"""Deliberate faults in the membrane potential's arithmetic and in firing, and the test that must catch each."""

from tests.mutation.runner import fault

ARRAY = "tests/hw/neurons/test_array.py"


MUTATIONS = [
    fault(
        "zeros are shifted into an inverted partial sum",
        "neurons/integrate",
        "term.eq(whole | negative[1:])",
        "term.eq(whole)",
        f"{ARRAY}::test_sign_plane",
    ),
    fault(
        "the potential is read in the cycle in which it is written",
        "neurons/integrate",
        "hazard = write.valid & (write.context == self.i.payload.step.context)",
        "meets = C(0, 1)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "interleave: v0 is that of another group",
        "neurons/integrate",
        "Mux(step.first_t, step.group, step.context)",
        "step.context",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "the bias is added by every plane but the first",
        "neurons/integrate",
        "Cat(step.group, step.first_plane)",
        "Cat(step.group, ~step.first_plane)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "v0 at every timestep",
        "neurons/integrate",
        "Cat(word, step.first_t)",
        "Cat(word, 1)",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "the leak's lower half rounds up",
        "neurons/integrate",
        "(products[0] >> 8) + (products[1] << (LOW - 8))",
        "((products[0] + 255) >> 8) + (products[1] << (LOW - 8))",
        f"{ARRAY}::test_leak_of_negative_and_positive_potentials",
    ),
    fault(
        "the leak loses the sign of the upper half",
        "neurons/integrate",
        "[value[:LOW] * factor, value[LOW:].as_signed() * factor]",
        "[value[:LOW] * factor, value[LOW:].as_unsigned() * factor]",
        f"{ARRAY}::test_leak_of_negative_and_positive_potentials",
    ),
    fault(
        "the leak has 8 bits: 256 becomes 0",
        "neurons/integrate",
        "self._leak(m, old[n], leak[n])",
        "self._leak(m, old[n], leak[n][:8])",
        f"{ARRAY}::test_leak_of_negative_and_positive_potentials",
    ),
    fault(
        "a sign plane is only inverted",
        "neurons/integrate",
        "terms.append(Cat(negative[0], term))",
        "terms.append(Cat(C(0, 1), term))",
        f"{ARRAY}::test_sign_plane",
    ),
    fault(
        "rows of planes that are not the last also fire",
        "neurons/integrate",
        "valid[1].eq(valid[0] & step[0].last_plane)",
        "valid[1].eq(valid[0])",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "U = k*D does not reach level k",
        "neurons/fire",
        "now.rest[n] - (now.threshold[n] << k)",
        "now.rest[n] - (now.threshold[n] << k) - 1",
        f"{ARRAY}::test_every_multiple_of_the_threshold",
    ),
    fault(
        "levels pass an N that is not 2**n - 1",
        "neurons/fire",
        "fits.eq(~difference[-1] & (top | ~now.tight[n]))",
        "fits.eq(~difference[-1])",
        f"{ARRAY}::test_every_multiple_of_the_threshold",
    ),
    fault(
        "levels stay tight below N",
        "neurons/fire",
        "then.tight[n].eq(now.tight[n] & (fits | ~top))",
        "then.tight[n].eq(now.tight[n])",
        f"{ARRAY}::test_every_multiple_of_the_threshold",
    ),
    fault(
        "D << k loses its upper bits",
        "neurons/fire",
        "difference = Signal(signed(c.membrane_bits + k + 1)",
        "difference = Signal(signed(c.membrane_bits)",
        f"{ARRAY}::test_extreme_widths",
    ),
    fault(
        "a readout fires",
        "neurons/fire",
        "Mux(self.i_layer.readout, 0, self.i_layer.levels)",
        "self.i_layer.levels",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "hard reset keeps the rest",
        "neurons/fire",
        "with m.If((self.i_layer.reset == 1) & (fits | now.level[n].any())):",
        "with m.If(0):",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "hard reset only after an odd level",
        "neurons/fire",
        "(fits | now.level[n].any())",
        "fits",
        f"{ARRAY}::test_random_layers",
    ),
    fault(
        "what the state starts from is written over the state",
        "neurons/integrate",
        "port.addr.eq(Mux(load, group + page, word))",
        "port.addr.eq(Mux(load, group, word))",
        f"{ARRAY}::test_random_layers",
    ),
]
