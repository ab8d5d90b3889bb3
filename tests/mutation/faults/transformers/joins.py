"""Deliberate faults in joins behind neurons, each with its test."""

from tests.mutation.runner import fault

JOINS = "tests/hw/output/test_joins.py"
SYSTEM = "tests/cosim/soak/test_joins.py::test_random_networks_equal_the_models_in_every_byte_and_cycle"
BEHIND = "tests/compiler/addends/test_joins.py"
MODEL = "tests/model/network/test_joins.py"
PROOFS = "tests/formal/test_stream_proofs.py"


MUTATIONS = [
    fault(
        "join: the map that is read has the images of the one that is written",
        "output/joins/places",
        '| {"image_stride": run.join_image}',
        "",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a chunk that ends with a word takes the next one, too",
        "output/joins/places",
        "chunk.width > c.bus_bits",
        "chunk.width >= c.bus_bits",
        f"{JOINS}::test_a_plane_of_a_group_per_cycle",
    ),
    fault(
        "join: all groups are whole",
        "output/joins/places",
        "Mux(chunk.last_group, last_width(c, run.channels), c.neuron_lanes)",
        "c.neuron_lanes",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: of a chunk in two words the first one is asked for again",
        "output/joins/walk",
        "spills.eq(place.spills)",
        "spills.eq(0)",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a request that waits is lost",
        "output/joins/walk",
        "(~wants | free)",
        "1",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: a word that was just stored is not seen",
        "output/joins/levels",
        "before = Mux(forward, recent, read.data)",
        "before = read.data",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: the last bits of a chunk are those of its own word",
        "output/joins/levels",
        "self.i.payload[:n])",
        "before[:n])",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: planes of the group before stay",
        "output/joins/levels",
        "m.d.sync += level.eq(bit)",
        "m.d.sync += level[0].eq(bit)",
        f"{JOINS}::test_maps_follow_each_other_and_a_run_without_one_asks_for_nothing",
    ),
    fault(
        "join: a group that waits is overwritten",
        "output/joins/levels",
        "step.eq(cut & (~self.o.valid | self.o.ready))",
        "step.eq(cut)",
        f"{JOINS}::test_random_maps",
    ),
    fault(
        "join: sums are not clipped",
        "output/joins/sum",
        "Mux(total > self.i_levels, self.i_levels, total)",
        "total",
        f"{JOINS}::test_sums_are_clipped_and_wait_for_both",
    ),
    fault(
        "join: fired levels do not wait for stored ones",
        "output/joins/sum",
        "there.eq(~adds | stored.valid)",
        "there.eq(1)",
        f"{JOINS}::test_sums_are_clipped_and_wait_for_both",
    ),
    fault(
        "join: a stored group is taken although none was fired",
        "output/joins/sum",
        "stored.ready.eq(self.o.ready & self.i.valid & adds)",
        "stored.ready.eq(self.o.ready & adds)",
        f"{PROOFS}::test_each_group_is_added_to_the_stored_one_of_its_number",
    ),
    fault(
        "join: a chunk begins with what was just stored of another line",
        "output/joins/levels",
        "forward.eq(valid & (read.addr == write.addr))",
        "forward.eq(valid)",
        f"{PROOFS}::test_a_join_reads_the_levels_of_its_map",
    ),
    fault(
        "cycles: stored levels are always there",
        "estimate/cycles/blocks/output.py",
        "(out.j_valid and not out.j_popped)",
        "True",
        SYSTEM,
    ),
    fault(
        "joins: a join whose clip is kept is computed behind neurons",
        "compiler/rows/joins.py",
        '(n.reset == "soft" and never)',
        'n.reset == "soft"',
        f"{BEHIND}::test_which_are_computed_behind_neurons",
    ),
    fault(
        "joins: a branch that others read is computed behind neurons",
        "compiler/rows/joins.py",
        "readers[fired] == 1",
        "readers[fired] >= 1",
        f"{BEHIND}::test_which_are_computed_behind_neurons",
    ),
    fault(
        "joins: every part along K adds levels",
        "compiler/rows/split.py",
        "addend=addend, join=None",
        "addend=addend",
        f"{BEHIND}::test_parts_of_a_layer_and_a_static_image_add_levels_once",
    ),
    fault(
        "emitter: nothing waits for stored levels",
        "compiler/emit.py",
        "if work.join:",
        "if False:",
        f"{BEHIND}::test_random_networks_are_equal_both_ways",
    ),
    fault(
        "model: a join has the level of its neurons",
        "model/network/layer.py",
        "return self.join.levels if self.join else self.neuron.levels",
        "return self.neuron.levels",
        f"{MODEL}::test_levels_are_added_behind_the_neurons_and_clipped",
    ),
]
