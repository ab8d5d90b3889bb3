"""Small NIR graphs, whose parts can be changed one by one."""

import nir
import numpy as np


def cells(**changes):
    values = dict(r=np.ones(20), v_threshold=np.ones(20), v_reset=np.zeros(20))
    return nir.IF(**{**values, **changes})


def leaky(**changes):
    ones = dict(tau=np.full(20, 2.0), r=np.ones(20), v_leak=np.zeros(20), v_threshold=np.ones(20), v_reset=np.zeros(20))
    return nir.LIF(**{**ones, **changes})


def chain(*nodes, shape=(1, 8, 8), out=(10,)):
    names = {"input": nir.Input(input_type=np.array(shape)), **{f"n{i}": node for i, node in enumerate(nodes)}}
    names["output"] = nir.Output(output_type=np.array(out))
    order = list(names)
    return nir.NIRGraph(names, list(zip(order, order[1:], strict=False)), type_check=False)


def weights(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def mlp(*middle):
    flat = nir.Flatten(input_type=np.array([1, 8, 8]), start_dim=0)
    return chain(flat, nir.Affine(weights(20, 64), weights(20)), *middle, nir.Affine(weights(10, 20), weights(10)))


def convolution(kernel=3, stride=1, dilation=1, padding=0):
    size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    return chain(
        nir.Conv2d((8, 8), weights(10, 1, *size), stride, padding, dilation, 1, np.zeros(10, np.float32)),
        nir.IF(r=np.ones((10, 1, 1)), v_threshold=np.ones((10, 1, 1)), v_reset=np.zeros((10, 1, 1))),
        out=(10, 6, 6),
    )


def joined(*more, nodes=()):
    graph = mlp(cells())
    graph.nodes.update(dict(nodes))
    graph.edges.extend(more)
    return graph
