"""Small random neurons, networks and images for the tests, made from a seeded generator."""

import numpy as np

from reprise.model.network.join import Join
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool


def random_neuron(rng: np.random.Generator, channels: int, *, levels: int | None = None, scale: int = 60) -> Neuron:
    """A neuron of random kind, levels and per-channel parameters."""
    kind = str(rng.choice(["if", "lif"]))
    leak = rng.integers(0, 257, channels) if kind == "lif" else np.full(channels, 256)
    return Neuron(
        kind=kind,
        levels=int(levels or rng.choice([1, 2, 3, 4, 7])),
        reset=str(rng.choice(["soft", "hard", "none"])),
        threshold=rng.integers(1, scale, channels),
        bias=rng.integers(-scale // 2, scale, channels),
        v0=rng.integers(-scale, scale, channels),
        leak=leak,
    )


def random_weight(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """int8 weights over the whole range, some of them zero."""
    return (rng.integers(-128, 128, shape) * (rng.random(shape) < 0.8)).astype(np.int8)


def random_masks(seed: int, *, timesteps: int = 2) -> Network:
    """A map masked by another, a level for each channel, and what these mask: by a kernel, strided or flattened."""
    rng = np.random.default_rng([seed, 5])
    channels, height, width = (int(n) for n in rng.integers(1, 5, 3))
    levels, kernel = int(rng.choice([1, 3])), int(rng.integers(1, min(height, width) + 1))
    conv = dict(stride=int(rng.integers(1, 3)), padding=int(rng.integers(0, kernel)))

    def layer(name: str, feature: str, outputs: int, size: tuple[int, int], mask: str | None = None, **how) -> Layer:
        inputs = 2 if feature == "input" else channels * (height * width if how.get("flatten") else 1)
        source = Source(feature=feature, mask=mask, weight=random_weight(rng, outputs, inputs, *size), **how)
        neuron = random_neuron(rng, outputs, levels=int(rng.integers(1, levels + 1)))
        return Layer(name=name, sources=(source,), neuron=neuron, encoding="thermometer")

    layers = (
        *(layer(name, "input", channels, (1, 1)) for name in "qkv"),
        layer("kv", "k", channels, (height, width), "v"),
        layer("each", "q", 3, (kernel, kernel), "k", **conv),
        layer("channel", "q", 3, (kernel, kernel), "kv", **conv),
        layer("flat", "q", 2, (1, 1), "kv", flatten=True),
    )
    return Network(name="masks", input_shape=(2, height, width), input_levels=3, timesteps=timesteps, layers=layers)


def random_network(seed: int, *, size: int = 7, timesteps: int | None = None, input_signed: bool = False) -> Network:
    """A small network with every feature: pool, stride, padding, a join, a flatten and a readout.

    Input (2, size, size) -> c1 (pool 2) -> c2 (stride or padding) -> join of c2 and c1 -> readout or firing end.
    """
    rng = np.random.default_rng(seed)
    c1, c2 = (int(n) for n in rng.integers(1, 5, 2))
    signed = input_signed
    encodings = [str(e) for e in rng.choice(["bitplane", "thermometer"], 4)]
    levels = 255 if signed else int(rng.choice([1, 3, 255]))
    if levels == 255:
        encodings[0] = "bitplane"  # 255 thermometer planes are legal, and slow
    end = Neuron.readout(3, bias=rng.integers(-9, 9, 3)) if rng.random() < 0.7 else random_neuron(rng, 3)

    def source(name: str, *shape: int, **options) -> Source:
        return Source(feature=name, weight=random_weight(rng, *shape), **options)

    half = size // 2
    layers = (
        Layer(
            name="c1",
            sources=(source("input", c1, 2, 3, 3, padding=1),),
            neuron=random_neuron(rng, c1, scale=400),
            encoding=encodings[0],
            pool=MaxPool(kernel=2),
        ),
        Layer(name="c2", sources=(source("c1", c2, c1, 1, 1),), neuron=random_neuron(rng, c2), encoding=encodings[1]),
        Layer(
            name="join",
            sources=(source("c2", c2, c2, 3, 3, padding=1, stride=2), source("c1", c2, c1, 1, 1, stride=2)),
            neuron=random_neuron(rng, c2),
            encoding=encodings[2],
        ),
        Layer(
            name="end",
            sources=(source("join", 3, c2 * ((half + 1) // 2) ** 2, 1, 1, flatten=True),),
            neuron=end,
            encoding=encodings[3],
        ),
    )
    return Network(
        name=f"random_{seed}",
        input_shape=(2, size, size),
        input_levels=levels,
        input_signed=signed,
        timesteps=timesteps or int(rng.integers(1, 4)),
        input_mode=str(rng.choice(["repeat", "once", "given"])),
        layers=layers,
    )


def random_attention(seed: int, *, timesteps: int | None = None) -> Network:
    """A small network with attention: q, k and v of the input, G = K^T V as a sum of 8 bits, neuron(Q G), a readout.

    v is a sum of 8 bits with signs, or fires. G may be clipped.
    """
    rng = np.random.default_rng(seed)
    heads, d, dv = (int(rng.choice(sizes)) for sizes in ((1, 2, 3), (1, 3, 5, 6), (1, 2, 5)))
    height, width = (int(n) for n in rng.integers(1, 5, 2))

    def layer(name: str, feature: str, neuron: Neuron, channels: int) -> Layer:
        weight = random_weight(rng, neuron.channels, channels, 1, 1)
        encoding = "bitplane" if feature == "input" else str(rng.choice(["bitplane", "thermometer"]))
        return Layer(name=name, sources=(Source(feature=feature, weight=weight),), neuron=neuron, encoding=encoding)

    def product(name: str, over: str, feature: str, operand: str, neuron: Neuron) -> Layer:
        one = Product(feature=feature, operand=operand, over=over, heads=heads)
        encoding = str(rng.choice(["bitplane", "thermometer"]))
        return Layer(name=name, sources=(one,), neuron=neuron, encoding=encoding)

    def fires(channels: int) -> Neuron:
        return random_neuron(rng, channels, levels=int(rng.integers(1, 4)), scale=300)

    v = Neuron.sum(heads * dv, bits=8, shift=3, bias=rng.integers(-9, 9, heads * dv))
    g = Neuron.sum(dv, bits=8, shift=int(rng.integers(0, 3)), bias=rng.integers(-9, 9, dv))
    layers = (
        layer("q", "input", fires(heads * d), 2),
        layer("k", "input", fires(heads * d), 2),
        layer("v", "input", v if rng.random() < 0.5 else fires(heads * dv), 2),
        product("g", "tokens", "k", "v", g),
        product("a", "channels", "q", "g", fires(heads * dv)),
        layer("end", "a", Neuron.readout(3), heads * dv),
    )
    return Network(
        name=f"attention_{seed}",
        input_shape=(2, height, width),
        input_levels=int(rng.choice([1, 3, 15])),
        timesteps=timesteps or int(rng.integers(1, 5)),
        input_mode=str(rng.choice(["repeat", "given"])),
        layers=layers,
    )


def random_shortcuts(seed: int, *, timesteps: int | None = None) -> Network:
    """A small network with membrane shortcuts: currents x, neurons on them, y = x + conv of their spikes, and an end.

    Currents are clipped at times. The end is a readout or fires, reads the currents of y, and maybe spikes too.
    """
    rng = np.random.default_rng(seed)
    channels, stride = int(rng.integers(1, 6)), int(rng.integers(1, 3))
    height, width = (int(n) for n in rng.integers(1, 6, 2))

    def sums() -> Neuron:
        bits, shift = int(rng.choice([8, 16, 32])), int(rng.integers(0, 4))
        return Neuron.sum(channels, bits=bits, shift=shift, bias=rng.integers(-9, 9, channels))

    def fires() -> Neuron:
        return random_neuron(rng, channels, levels=int(rng.integers(1, 4)), scale=300)

    def conv(feature: str, inputs: int) -> Source:
        kernel = int(rng.choice([1, 3]))
        weight = random_weight(rng, channels, inputs, kernel, kernel)
        return Source(feature=feature, weight=weight, padding=kernel // 2, stride=stride if feature == "input" else 1)

    end = Neuron.readout(channels) if rng.random() < 0.5 else fires()
    read = (conv("spikes", channels),) if rng.random() < 0.5 else ()
    layers = (
        Layer(name="x", sources=(conv("input", 2),), neuron=sums()),
        Layer(name="fire", sources=(), neuron=fires(), addend="x"),
        Layer(name="y", sources=(conv("fire", channels),), neuron=sums(), addend="x", shift=int(rng.integers(0, 4))),
        Layer(name="spikes", sources=(), neuron=fires(), addend="y"),
        Layer(name="end", sources=read, neuron=end, addend="y"),
    )
    return Network(
        name=f"shortcuts_{seed}",
        input_shape=(2, height, width),
        input_levels=int(rng.choice([1, 3, 15])),
        timesteps=timesteps or int(rng.integers(1, 5)),
        input_mode=str(rng.choice(["repeat", "once", "given"])),
        layers=layers,
    )


def random_joins(seed: int, *, timesteps: int | None = None) -> Network:
    """A small network whose levels pile up: each block adds the levels that it fires to those that it reads."""
    rng = np.random.default_rng([seed, 6])
    channels, height, width = (int(n) for n in rng.integers(1, 6, 3))
    encoding = str(rng.choice(["bitplane", "thermometer"]))

    def layer(name: str, feature: str, inputs: int, join: Join | None = None) -> Layer:
        kernel = int(rng.choice([1, 3]))
        weight = random_weight(rng, channels, inputs, kernel, kernel)
        source = Source(feature=feature, weight=weight, padding=kernel // 2)
        neuron = random_neuron(rng, channels, levels=int(rng.integers(1, 4)), scale=300)
        return Layer(name=name, sources=(source,), neuron=neuron, encoding=encoding, join=join)

    most = 4 if encoding == "thermometer" else 12  # so that the planes of all timesteps fit 16 rows
    b, c = (Join(feature=feature, levels=int(rng.integers(1, most + 1))) for feature in "ab")
    layers = [layer("a", "input", 2), layer("b", "a", channels, b), layer("c", "a", channels, c)]
    if rng.random() < 0.5:
        source = Source(feature="c", weight=random_weight(rng, channels, channels, 1, 1))
        layers.append(Layer(name="end", sources=(source,), neuron=Neuron.readout(channels), encoding=encoding))
    return Network(
        name=f"joins_{seed}",
        input_shape=(2, height, width),
        input_levels=int(rng.choice([1, 3])),
        timesteps=timesteps or int(rng.integers(1, 5)),
        input_mode=str(rng.choice(["repeat", "once", "given"])),
        layers=tuple(layers),
    )


def random_images(network: Network, n: int, seed: int) -> np.ndarray:
    """n random inputs, in the shape that ``model.run`` takes."""
    rng = np.random.default_rng(seed)
    low, high = (-128, 128) if network.input_signed else (0, network.input_levels + 1)
    frame = network.input_shape if network.input_mode != "given" else (network.timesteps, *network.input_shape)
    return rng.integers(low, high, (n, *frame))
