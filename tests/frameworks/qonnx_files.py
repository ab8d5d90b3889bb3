"""QONNX graphs that tests put together: those that come in, and those that are refused, with what the message says."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 11
DOMAIN = "qonnx.custom_op.general"


class File:
    """A QONNX graph that is put together node by node; each method returns the name of a value."""

    def __init__(self, shape=(1, 1, 8, 8)):
        self.rng, self.nodes, self.constants = np.random.default_rng(SEED), [], []
        self.input = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))

    def constant(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind, *inputs, **attributes):
        domain = DOMAIN if kind in ("Quant", "IntQuant", "BipolarQuant") else ""
        name = f"/{len(self.nodes)}/{kind}"
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{name}_out"], name=name, domain=domain, **attributes))
        return f"{name}_out"

    def quant(self, x, scale, bits, kind="Quant", **attributes):
        options = dict(signed=0, narrow=0, rounding_mode="ROUND") | attributes
        return self.node(kind, x, self.constant(scale), self.constant(0.0), self.constant(bits), **options)

    def weights(self, *shape, bits=4, scale=None):
        scale = 0.05 if scale is None else scale
        values = self.rng.standard_normal(shape) * 0.2
        return self.quant(self.constant(values), scale, bits, signed=1, narrow=1)

    def conv(self, x, c_in, c_out, kernel=3, pad=1, bias=True, scale=None, **attributes):
        inputs = [x, self.weights(c_out, c_in // attributes.get("group", 1), kernel, kernel, scale=scale)]
        inputs += [self.constant(self.rng.standard_normal(c_out) * 0.1)] if bias else []
        options = dict(pads=[pad] * 4, strides=[1, 1], kernel_shape=[kernel] * 2, dilations=[1, 1]) | attributes
        return self.node("Conv", *inputs, **options)

    def act(self, x, scale=0.1, bits=4, **attributes):
        return self.quant(self.node("Relu", x), scale, bits, **attributes)

    def gemm(self, x, n_in, n_out):
        bias = self.constant(self.rng.standard_normal(n_out) * 0.1)
        return self.node("Gemm", x, self.weights(n_out, n_in), bias, alpha=1.0, beta=1.0, transB=1)

    def save(self, path, output):
        out = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [self.input], [out], self.constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets), path)
        return path


def pool(f, x, kind="MaxPool", k=2):
    return f.node(kind, x, kernel_shape=[k, k], strides=[k, k])


def norm(f, x, c):
    values = (
        f.rng.uniform(0.5, 2, c),
        f.rng.standard_normal(c) * 0.1,
        f.rng.standard_normal(c) * 0.1,
        f.rng.uniform(0.5, 2, c),
    )
    return f.node("BatchNormalization", x, *(f.constant(v) for v in values), epsilon=1e-5)


def plain(f):
    x = pool(f, f.act(f.conv("image", 1, 6)))
    return f.gemm(f.node("Flatten", f.act(f.conv(x, 6, 8)), axis=1), 128, 10)


def normed(f):
    x = f.act(norm(f, f.conv("image", 1, 6, bias=False), 6), scale=0.3)
    x = pool(f, f.act(f.conv(x, 6, 8, group=2, scale=np.full((8, 1, 1, 1), 0.04))), "AveragePool")
    return f.gemm(f.node("Reshape", x, f.constant([1, -1], np.int64)), 128, 10)


def matrices(f):
    x = f.node("Flatten", f.quant("image", 0.11, 4), axis=1)
    w = f.node("Transpose", f.weights(30, 64, scale=np.linspace(0.03, 0.06, 30).reshape(30, 1)), perm=[1, 0])
    x = f.node("Add", f.node("MatMul", x, w), f.constant(f.rng.standard_normal(30) * 0.1))
    x = f.act(f.node("Mul", x, f.constant(0.5)), scale=0.05, bits=3, kind="IntQuant")
    return f.node("Sub", f.node("MatMul", x, f.weights(30, 10)), f.constant(f.rng.standard_normal(10) * 0.1))


def residual(f):
    a = f.act(f.conv("image", 1, 6))
    b = f.act(f.conv(a, 6, 6))
    x = f.act(f.conv(f.node("Add", a, b), 6, 10), scale=0.2)
    return f.node("Flatten", f.node("GlobalAveragePool", f.conv(x, 10, 10, kernel=1, pad=0)), axis=1)


def floors(f):
    x = f.act(f.conv("image", 1, 6, strides=[2, 2]), rounding_mode="FLOOR", signed=1, bits=4)
    return f.gemm(f.node("Flatten", x, axis=1), 96, 10)


def branches(f):
    a = f.act(f.conv("image", 1, 6, pads=[0, 0, 2, 2]))
    b = f.act(f.conv("image", 1, 4, dilations=[2, 2], pads=[2] * 4))
    x = f.act(f.conv(f.node("Concat", a, b, axis=1), 10, 8), scale=0.2, bits=1)
    x = f.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return f.gemm(f.node("Flatten", x, axis=1), 128, 10)


def turned(f):
    """A negative factor on levels, and weights with a negative scale: their integers have the other sign."""
    x = f.node("Mul", pool(f, f.act(f.conv("image", 1, 6))), f.constant(-1.0))
    x = f.node("Flatten", f.act(f.conv(x, 6, 8, scale=-0.05), scale=0.3), axis=1)
    return f.node("Gemm", x, f.weights(128, 10), f.constant(f.rng.standard_normal(10) * 0.1), alpha=-2.0, beta=0.5)


def relu_alone(f):
    return f.gemm(f.node("Flatten", f.node("Relu", f.conv("image", 1, 6)), axis=1), 384, 10)


def per_channel(f):
    scale = 0.1 * np.arange(1, 7).reshape(1, 6, 1, 1)
    return f.gemm(f.node("Flatten", f.act(f.conv("image", 1, 6), scale=scale), axis=1), 384, 10)


REFUSED = {
    "Relu alone": (relu_alone, "^2.Relu: Relu without a Quant behind it has no levels; quantize it"),
    "a scale for each channel": (per_channel, "its scale is no positive number; quantize activations per tensor"),
    "a signed Quant": (
        lambda f: f.gemm(f.node("Flatten", f.quant(f.conv("image", 1, 6), 0.1, 4, signed=1), axis=1), 384, 10),
        "a signed Quant keeps negative values; put Relu in front",
    ),
    "16 bits": (lambda f: f.node("Flatten", f.act(f.conv("image", 1, 6), bits=16), axis=1), "65535 levels of 16 bits"),
    "a bipolar Quant": (
        lambda f: f.node("BipolarQuant", f.conv("image", 1, 6), f.constant(1.0)),
        "ONNX node BipolarQuant has no form on the accelerator; use Quant",
    ),
    "softmax": (lambda f: f.node("Softmax", plain(f), axis=1), "ONNX node Softmax has no form"),
    "two maps multiplied": (lambda f: f.node("Mul", "image", "image"), "Mul of two maps; use Add"),
    "a large dilation": (lambda f: f.conv("image", 1, 6, dilations=[4, 4], pads=[4] * 4), "covers 9x9 positions"),
    "a pool with padding on one side": (
        lambda f: f.node("MaxPool", "image", kernel_shape=[3, 3], pads=[1, 1, 0, 0]),
        r"a pool with pads \[1, 1, 0, 0\] and dilation \(1, 1\); pad all sides alike",
    ),
    "a pool of levels with padding": (
        lambda f: f.node("MaxPool", f.act(f.conv("image", 1, 6)), kernel_shape=[3, 3], pads=[1] * 4),
        "a max pool of kernel 3, stride 1 and padding 1 is exact of spikes 0 and 1 alone",
    ),
    "CEIL": (lambda f: f.act(f.conv("image", 1, 6), rounding_mode="CEIL"), "rounding_mode CEIL; use ROUND or FLOOR"),
    "batch statistics": (
        lambda f: f.node("BatchNormalization", f.conv("image", 1, 6), *[f.constant(np.ones(6))] * 4, training_mode=1),
        "its statistics are computed; export a network in evaluation mode",
    ),
    "a cast to integers": (lambda f: f.node("Cast", f.conv("image", 1, 6), to=7), "rounds a map to another type"),
    "pads below zero": (lambda f: f.conv("image", 1, 6, pads=[-1] * 4), "cut the map; use pads of 0 or more"),
    "a pool without a kernel": (lambda f: f.node("MaxPool", f.act(f.conv("image", 1, 6))), "lacks 'kernel_shape'"),
    "a constant of another length": (
        lambda f: f.act(f.node("Add", f.conv("image", 1, 6), f.constant(np.ones(8)))),
        "has 8 values of a constant current for 6 channels; use one a channel",
    ),
    "a bit width for each channel": (
        lambda f: f.act(f.conv("image", 1, 6), bits=np.full((1, 6, 1, 1), 4.0)),
        "its bit width differs between channels; quantize activations per tensor",
    ),
    "a value that nothing computes": (
        lambda f: f.node("Relu", "nowhere"),
        "reads what no node before it computes; export the file again",
    ),
    "shapes that do not fit": (
        lambda f: f.gemm(f.node("Flatten", f.act(f.conv("image", 1, 6)), axis=1), 100, 10),
        "has 100 inputs, reads 384",
    ),
    "a reshape": (lambda f: f.node("Reshape", "image", f.constant([1, 4, 16], np.int64)), r"a reshape to \[1, 4, 16\]"),
}
