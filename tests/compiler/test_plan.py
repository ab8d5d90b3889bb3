"""The cut of a layer into jobs: the compiler's choice against the cycle model's verdict, and what can't be cut."""

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.plan import Planner
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

TINY = HardwareConfig.load("tiny")


def convolution(outputs: int, width: int) -> Network:
    weight = np.random.default_rng(1).integers(-9, 10, (outputs, 2, 3, 3)).astype(np.int8)
    source = Source(feature="input", weight=weight, padding=1)
    layer = Layer(name="conv", sources=(source,), neuron=Neuron.uniform(outputs, threshold=40))
    return Network(name="one", input_shape=(2, 6, width), input_levels=7, timesteps=1, layers=(layer,))


@pytest.mark.parametrize("outputs, width, images", [(4, 6, 4), (8, 10, 4), (8, 16, 3), (4, 30, 3)])
def test_the_cut_is_no_bad_one(outputs, width, images, monkeypatch):
    """Within a tenth of the best that any cut of whole lines takes."""
    network = convolution(outputs, width)
    values = np.random.default_rng(2).integers(0, 8, (images, *network.input_shape))
    chosen = estimate(network, TINY, values)["total"]["cycles"]["cycle_model"]
    cycles = []
    cuts = Planner._cuts

    def only(number):
        return lambda self: [cut for cut in cuts(self) if self._fits(cut)][number : number + 1]

    for number in range(50):
        monkeypatch.setattr(Planner, "_cuts", only(number))
        monkeypatch.setattr(Planner, "_column_cuts", lambda self: [])
        try:
            cycles.append(estimate(network, TINY, values)["total"]["cycles"]["cycle_model"])
        except CompileError:
            break  # no more cuts
    assert len(cycles) > 3 and min(cycles) <= chosen <= 1.1 * min(cycles)


def test_a_linear_layer_needs_its_whole_input_on_chip():
    """Partial sums end with their RUN, so K can't be cut: refused with the limit and the remedy."""
    inputs = TINY.feature_words * TINY.feature_bits + 1
    weight = np.ones((4, inputs, 1, 1), np.int8)
    layer = Layer(name="fc", sources=(Source(feature="input", weight=weight),), neuron=Neuron.uniform(4, threshold=9))
    network = Network(name="big", input_shape=(inputs, 1, 1), input_levels=1, timesteps=1, layers=(layer,))
    with pytest.raises(
        CompileError, match=r"layer 'fc'.*feature_words=512.*use a configuration with more feature_words"
    ):
        compile_network(network, TINY.replace(psum_bits=32, membrane_bits=32, segments=1 << 14))
