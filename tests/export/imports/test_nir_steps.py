"""Corners of NIR graphs, and the steps of their leaks, against a simulation of NIR's equations in NumPy."""

import numpy as np
import pytest

from reprise.export import ptq
from reprise.export.trace.lower import prepare
from reprise.export.train import datasets
from reprise.model.inference.runner import run
from reprise.support.errors import RepriseError
from tests.support.export_helpers import PAPER

nir = pytest.importorskip("nir", reason="the optional extra 'import' is not installed")
import torch  # noqa: E402

from reprise.export.importers import nir as importer  # noqa: E402

T, SCALE = 5, 1 / 16
NUMBERS = ("tau", "r", "v_leak", "v_threshold", "v_reset", "weight", "bias", "threshold", "scale")
SEED = 11
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images():
    return datasets.load("digits").test_images[:24]


def values(*shape, factor=0.3):
    return (np.random.default_rng([SEED, *shape]).normal(0, factor, shape)).astype(np.float32)


def lif(shape, tau, leak=0.0, threshold=0.3, reset=0.0):
    one = np.ones(shape, np.float32)
    parts = dict(tau=tau, r=1.5, v_leak=leak, v_threshold=threshold, v_reset=reset)
    return nir.LIF(**{name: one * np.asarray(value, np.float32) for name, value in parts.items()})


def chain(shape, *nodes):
    order = {"input": nir.Input(np.array(shape)), **{f"n{i}": n for i, n in enumerate(nodes)}}
    return nir.NIRGraph(
        {**order, "output": nir.Output(np.array([10]))},
        list(zip(order, [*list(order)[1:], "output"], strict=True)),
        type_check=False,
    )


def perceptron(middle, *last, shape=(1, 8, 8)):
    flat = [nir.Flatten(np.array(shape), start_dim=0)] if len(shape) == 3 else []
    ends = nir.Affine(values(20, 64), values(20)), middle, nir.Affine(values(10, 20), values(10))
    return chain(shape, *flat, *ends, *last)


def convolution(middle, last):
    conv = nir.Conv2d((8, 8), values(4, 1, 3, 3), 1, 0, 1, 1, values(4))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    flat = nir.Flatten(np.array([4, 3, 3]), start_dim=0)
    return chain((1, 8, 8), conv, middle, pool, flat, nir.Affine(values(10, 36), values(10)), last)


def per_neuron(n):
    return np.linspace(1.5, 9, n)


CORNERS = {
    "a tau for each neuron": (lambda: perceptron(lif((20,), per_neuron(20))), dict(per_step=True)),
    "a tau for each channel of a map": (
        lambda: convolution(lif((4, 6, 6), per_neuron(4)[:, None, None]), lif((10,), per_neuron(10))),
        dict(per_step=True),
    ),
    "a tau that is the timestep in float32": (lambda: perceptron(lif((20,), 1e-3)), dict(dt=1e-3)),
    "inputs of (64,)": (lambda: perceptron(lif((20,), 4.0), shape=(64,)), dict(per_step=True)),
    "a v_leak in front of a pool": (
        lambda: convolution(lif((4, 6, 6), 2.0, leak=0.2), lif((10,), 3.0)),
        dict(per_step=True),
    ),
    "a v_leak behind a pool": (
        lambda: convolution(lif((4, 6, 6), 2.0), lif((10,), 2.0, leak=0.1)),
        dict(per_step=True),
    ),
    "a v_leak and a v_reset": (lambda: perceptron(lif((20,), 3.0, leak=0.1, reset=-0.2)), dict(per_step=True)),
    "a v_leak for each channel": (
        lambda: convolution(lif((4, 6, 6), 2.0, leak=values(4)[:, None, None]), lif((10,), 2.0)),
        dict(per_step=True),
    ),
    "Threshold below zero": (lambda: perceptron(nir.Threshold(np.full(20, -0.2, np.float32))), dict(per_step=True)),
    "Threshold for each channel": (lambda: perceptron(nir.Threshold(values(20))), dict(per_step=True)),
    "Flatten from the third axis from behind": (
        lambda: chain(
            *((1, 8, 8), nir.Flatten(np.array([1, 8, 8]), start_dim=-3), nir.Affine(values(20, 64), values(20))),
            *(lif((20,), 4.0), nir.Affine(values(10, 20), values(10))),
        ),
        dict(per_step=True),
    ),
    "I at the end": (lambda: perceptron(lif((20,), 4.0), nir.I(r=np.full(10, 2, np.float32))), dict(per_step=True)),
    "I at the end, in seconds": (lambda: perceptron(lif((20,), 4e-3), nir.I(r=values(10) + 2)), dict(dt=1e-3)),
}


def simulate(graph, images, *, dt, reset, step="euler"):
    """Run a chain as NIR's documentation defines its nodes: the spikes of each neuron (T, B, ...), and the output."""
    states, spikes, outputs = {}, {}, []
    wide = {
        name: {f: np.float64(v) for f, v in vars(n).items() if f[0] in "tvrwbs" and f != "start_dim"}
        for name, n in graph.nodes.items()
    }
    for _ in range(T):
        x = images * SCALE
        for name, node in graph.nodes.items():
            kind, p = type(node).__name__, wide[name]
            if kind == "Flatten" or (kind == "Input" and len(node.input_type["input"]) == 1):
                x = x.reshape(len(x), -1)
            elif kind == "Affine":
                x = x @ p["weight"].T + p["bias"]
            elif kind == "Conv2d":
                windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
                x = np.einsum("bcyxij,ocij->boyx", windows, p["weight"]) + p["bias"][:, None, None]
            elif kind == "SumPool2d":
                x = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).sum((3, 5))
            elif kind == "Threshold":
                x = (x > p["threshold"]).astype(float)
                spikes.setdefault(name, []).append(x)
            elif kind == "Scale":
                x = x * p["scale"]
            elif kind == "I":
                x = dt * p["r"] * x
            elif kind == "LIF":
                part = dt / p["tau"] if step == "euler" else 1 - np.exp(-dt / p["tau"])
                v = states.get(name, p["v_reset"])
                v = v + part * (p["v_leak"] - v) + (1 if step == "decay" else part) * p["r"] * x
                x = (v > p["v_threshold"]).astype(float)
                low = v - (p["v_threshold"] - p["v_reset"]) * x if reset == "soft" else np.where(x, p["v_reset"], v)
                states[name] = low
                spikes.setdefault(name, []).append(x)
        outputs.append(x)
    return {name: np.stack(parts) for name, parts in spikes.items()}, np.stack(outputs)


def lowered(graph, images):
    """The spikes of the network that was made of a graph, before anything is rounded, by the neuron's name."""
    net = prepare(
        graph,
        input_shape=(1, 8, 8),
        input_levels=16,
        timesteps=T,
        input_scale=SCALE,
        fold=True,
        dtype=torch.float64,
    )
    maps = net.eval().quantize(False).trace(torch.tensor(images).double())[0]
    return {layer.origin: maps[layer.name].detach().numpy() for layer in net.layers if not layer.readout}


def equal(ours, theirs):
    assert theirs.keys() == ours.keys() and theirs
    for name, spikes in theirs.items():
        assert spikes.any() and not spikes.all(), f"{name} says nothing"
        assert (ours[name].reshape(spikes.shape) == spikes).all(), name


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("corner", CORNERS)
def test_a_corner_fires_as_the_standard_says(corner, reset, images, tmp_path):
    make, options = CORNERS[corner]
    nir.write(tmp_path / "corner.nir", make())
    graph = importer.read(tmp_path / "corner.nir", timesteps=T, reset=reset, **options)
    theirs, output = simulate(make(), images, dt=options.get("dt", 1.0), reset=reset)
    equal(lowered(graph, images), theirs)
    # What the import itself compares with says the same, its output too; the comparison comes next.
    reference = graph.source(torch.tensor(images).double() * SCALE)
    np.testing.assert_allclose(reference.output.numpy(), output.reshape(T, len(images), -1), rtol=1e-12, atol=1e-12)
    network = ptq.quantize(graph, images, PAPER, name="c", timesteps=T, input_levels=16, input_scale=SCALE)
    assert min(network.agreement.values()) > 0.95


@pytest.mark.parametrize("step", ["euler", "exact", "decay"])
@pytest.mark.parametrize("corner", ["a tau for each neuron", "a v_leak for each channel", "I at the end, in seconds"])
def test_a_step_is_the_one_that_was_asked_for(corner, step, images):
    make, options = CORNERS[corner]
    graph = importer.read(make(), timesteps=T, reset="soft", leak_step=step, **options)
    dt = options.get("dt", 1.0)
    found = {one: simulate(make(), images, dt=dt, reset="soft", step=one)[0] for one in importer.STEPS}
    equal(lowered(graph, images), found[step])
    for other in found.keys() - {step}:
        assert any((found[other][name] != spikes).any() for name, spikes in found[step].items()), "they are the same"
    ptq.quantize(graph, images, PAPER, name="c", timesteps=T, input_levels=16, input_scale=SCALE)


@pytest.mark.parametrize("normalized", [True, False])
def test_leaky_neurons_of_sinabs(normalized, images):
    """LIF with MultiSpike: alpha = exp(-1/tau); floor(v / threshold) spikes, which subtract as many thresholds."""
    tau, threshold = 3.0, 0.4
    given = dict(tau=tau, r=1.0, v_leak=0.0, v_threshold=threshold, v_reset=0.0)
    neuron = nir.LIF(**{name: np.full(20, value) for name, value in given.items()})
    made = perceptron(neuron, shape=(64,))
    options = dict(leak_step="exact" if normalized else "decay", per_step=True, reset="soft", levels=15)
    graph = importer.read(made, timesteps=T, **options)
    weight, bias = made.nodes["n0"].weight.astype(float), made.nodes["n0"].bias.astype(float)
    current = images.reshape(len(images), -1) * SCALE @ weight.T + bias
    alpha = np.exp(-1 / tau)
    v, spikes = 0.0, []
    for _ in range(T):
        v = alpha * v + (1 - alpha if normalized else 1) * current
        spikes.append(np.where(v > 0, np.trunc(v / threshold), 0))
        v = v - spikes[-1] * threshold
    assert max(map(np.max, spikes)) > 1
    equal(lowered(graph, images), {"n1": np.stack(spikes)})


def test_eulers_method_tends_to_the_exact_step():
    tau = np.array([0.3, 1.0, 2.0, 50.0])
    exact = importer.Steps(dt=1.0, leak="exact").lost("n", tau)
    many = 1 - (1 - importer.Steps(dt=1 / 4096).lost("n", tau)) ** 4096
    np.testing.assert_allclose(many, exact, rtol=1e-3)


def test_an_import_says_where_another_step_would_differ():
    def changes(tau, step="euler"):
        graph = importer.read(perceptron(lif((20,), tau)), timesteps=T, per_step=True, reset="soft", leak_step=step)
        return [change for change in graph.changes if change.startswith("n2: ") and "exact" in change]

    (told,) = changes(10.0)
    assert "keeps 0.900000 of a potential" in told and "would keep 0.904837 (leak_step='exact'" in told
    (told,) = changes(np.linspace(2, 500, 20))  # the one where it matters most
    assert "keeps 0.500000" in told and "would keep 0.606531" in told
    assert changes(500.0) == []
    assert [("exp(-dt/tau) is kept" in change) for change in changes(10.0, "exact")] == [True]


def test_steps_that_cannot_be_are_refused(images):
    with pytest.raises(RepriseError, match="leak_step must be one of euler, exact, decay, not 'Exact'"):
        importer.read(perceptron(lif((20,), 4.0)), timesteps=T, per_step=True, leak_step="Exact")
    with pytest.raises(RepriseError, match=r"n2: tau 0.5 timesteps is shorter than one timestep; .*leak_step='exact'"):
        importer.read(perceptron(lif((20,), 0.5)), timesteps=T, per_step=True)
    with pytest.raises(RepriseError, match=r"n2: tau 0.5 s is shorter than a timestep of 1.5 s; "):
        importer.read(perceptron(lif((20,), 0.5)), timesteps=T, dt=1.5)
    made = perceptron(lif((20,), 0.5))
    short = importer.read(made, timesteps=T, per_step=True, leak_step="exact")
    equal(lowered(short, images), simulate(made, images, dt=1, reset="hard", step="exact")[0])
    for tau in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(RepriseError, match="n2: tau must be above 0 and finite; use IF"):
            importer.read(perceptron(lif((20,), tau)), timesteps=T, per_step=True)


def test_a_negative_factor_turns_the_sign_of_whole_weights(images):
    """Weights that are whole numbers are kept, and the value of one of them is none below zero."""
    whole = np.random.default_rng(SEED).integers(-5, 6, (10, 20)).astype(np.float32)
    ends = nir.Affine(values(20, 64), values(20)), lif((20,), 4.0)
    made = chain((64,), *ends, nir.Scale(np.array(-1.0, np.float32)), nir.Affine(whole, np.zeros(10, np.float32)))
    graph = importer.read(made, timesteps=T, per_step=True, reset="soft")
    found = ptq.quantize(graph, images, PAPER, name="c", timesteps=T, input_levels=16, input_scale=SCALE)
    assert (abs(found.network.layers[-1].sources[0].weight) == abs(whole.reshape(10, 20, 1, 1))).all()
    _, output = simulate(made, images, dt=1, reset="soft")
    assert (run(found.network, images).predictions == output.sum(0).argmax(1)).mean() > 0.9


def test_a_max_pool_of_several_spikes_is_none(images):
    """A Threshold behind a SumPool2d gives at most one, and so it does where the neurons give more."""
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    conv = nir.Conv2d((8, 8), values(4, 1, 3, 3), 1, 0, 1, 1, values(4))
    ends = nir.Flatten(np.array([4, 3, 3]), start_dim=0), nir.Affine(values(10, 36), values(10))
    any_spike = nir.Threshold(np.full((4, 3, 3), 0.5, np.float32))
    graph = importer.read(
        chain((1, 8, 8), conv, lif((4, 6, 6), 4.0), pool, any_spike, *ends),
        **dict(timesteps=T, per_step=True, reset="soft", levels=7),
    )
    ptq.quantize(graph, images, PAPER, name="c", timesteps=T, input_levels=16, input_scale=SCALE)
    maps = lowered(graph, images)
    assert maps["n1"].max() > 1 and maps["n3"].max() == 1


def test_what_is_no_graph_is_refused():
    with pytest.raises(RepriseError, match="graph must be a NIR graph, or the file of one, not 'int'"):
        importer.read(5, timesteps=T, per_step=True)
