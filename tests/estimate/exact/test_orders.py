"""Maps whose channels lie in an order of their own: the RTL's cycles and memory are the model's, and fewer."""

from reprise.compiler import compile_network
from reprise.estimate.network import Part, estimate_image
from tests.compiler.networks import grouped_network
from tests.estimate.exact.bench import check
from tests.support.cosim_jobs import TINY


def test_rtl_takes_the_cycles_of_the_model():
    network, images = grouped_network(channels=64, groups=8)
    assert compile_network(network, TINY).inputs()[0].order
    check(TINY, network, images[:1], latency=20)


def test_an_order_saves_cycles():
    network, images = grouped_network(channels=48, groups=3)
    taken = []
    for order in (True, False):
        compiled = compile_network(network, TINY, keep_features=True, order=order)
        found = estimate_image(compiled, [Part.run(network, images[:1])])[0]
        taken.append(found["total"]["cycles"]["cycle_model"])
    assert taken[0] < 0.95 * taken[1]
