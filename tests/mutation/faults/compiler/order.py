"""Deliberate faults in the order of a map's channels, and the test that must catch each."""

from tests.mutation.runner import fault

ORDER = "tests/compiler/order/test_order.py"


MUTATIONS = [
    fault(
        "compiler: neurons keep the order that their channels leave",
        "compiler/order/choose.py",
        "f: getattr(layer.neuron, f)[order]",
        "f: getattr(layer.neuron, f)",
        ORDER,
    ),
    fault(
        "compiler: a linear layer reads the channels of a map in their own order",
        "compiler/order/choose.py",
        ".reshape(len(w), -1, len(order))[..., order].reshape",
        ".reshape(len(w), -1, len(order)).reshape",
        f"{ORDER}::test_a_map_that_a_convolution_and_a_linear_layer_read",
    ),
    fault(
        "compiler: a map has an order although another map masks it",
        "compiler/order/choose.py",
        "s.feature == name and s.mask is None",
        "s.feature == name",
        f"{ORDER}::test_maps_that_may_have_an_order",
    ),
    fault(
        "compiler: a result has an order",
        "compiler/order/choose.py",
        "if bound or not moving or",
        "if (read and (bound or not moving)) or",
        f"{ORDER}::test_maps_that_may_have_an_order",
    ),
    fault(
        "compiler: the K tiles before wait for nothing",
        "compiler/order/cost.py",
        "free = done[n - ahead] if n >= ahead else 0",
        "free = 0",
        f"{ORDER}::test_when_tiles_are_finished",
    ),
    fault(
        "hw/arch: a map is read in the order in which it lies",
        "hw/arch/feature_map.py",
        "levels[:, :, np.argsort(self.order)]",
        "levels[:, :, list(self.order)]",
        ORDER,
    ),
    fault(
        "C driver: an input is packed in the network's order",
        "flow/handoff/driver/c/reprise_image.c",
        "channel = map->order[channel];",
        "channel = map->place[channel];",
        "tests/flow/test_layouts.py",
    ),
]
