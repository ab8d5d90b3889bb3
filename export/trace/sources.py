"""Makes currents of maps by convolution, linear and identity sources, within the limits of the accelerator's kernels.

Average pools that a map still carries become larger kernels or repeated columns here. What has no such form is refused
by its name, with a remedy.
"""

import torch

from ..qat.layers import SourceSpec
from .graph import Node, UnsupportedError
from .values import Current, Feature

MAX_KERNEL, MAX_STRIDE = 7, 2


def conv_current(node: Node, x: Feature) -> Current:
    """Return the current of the convolution ``node`` over the map x."""
    a, k = node.attrs, x.avgpool
    refuse_conv(node, x)
    spec = SourceSpec(
        feature=x.name,
        weight=a["weight"] * (x.unit / k**2),
        stride=a["stride"],
        padding=a["padding"],
        groups=a["groups"],
        avgpool=k,
        in_shape=x.shape,
    )
    size = [(v // k + 2 * a["padding"] - a["weight"].shape[2]) // a["stride"] + 1 for v in x.shape[1:]]
    if min(size) < 1:
        h, w = x.shape[1:]
        raise UnsupportedError(node.name, f"the kernel is larger than its padded {h}x{w} input", "use a smaller one")
    shape = (a["weight"].shape[0], *size)
    return Current(name=node.name, sources=(spec,), levels_in=(x.levels * k * k,), shape=shape, bias=a["bias"])


def refuse_conv(node: Node, x: Feature) -> None:
    """Raise UnsupportedError for a convolution that the accelerator's kernels cannot hold."""
    a, k = node.attrs, x.avgpool
    c, h, w = x.shape
    kernel, stride, padding = a["weight"].shape[2] * k, a["stride"] * k, a["padding"] * k
    folded = f" (with the folded {k}x{k} average pool)" if k > 1 else ""
    if a["weight"].shape[2] != a["weight"].shape[3]:
        raise UnsupportedError(node.name, f"the kernel must be square, is {tuple(a['weight'].shape[2:])}", "pad it")
    if kernel > MAX_KERNEL or stride > MAX_STRIDE:
        raise UnsupportedError(
            node.name,
            f"kernel <= {MAX_KERNEL} and stride <= {MAX_STRIDE} are needed, this has {kernel} and {stride}{folded}",
            "use a smaller kernel, or max pooling",
        )
    if padding >= kernel:
        raise UnsupportedError(node.name, f"padding {padding} must be less than the kernel {kernel}", "pad less")
    if k > 1 and padding and (h % k or w % k):
        raise UnsupportedError(
            node.name, f"the average pool drops an edge of the {h}x{w} map and this convolution pads", "make it even"
        )
    channels = a["weight"].shape[1] * a["groups"]
    if channels != c:
        raise UnsupportedError(node.name, f"has {channels} input channels, reads {c}", "match")


def linear_current(node: Node, x: Feature) -> Current:
    """Return the current of the linear layer ``node`` over the map x, which is flattened or 1x1."""
    c, h, w = x.shape
    if not x.flat and (h > 1 or w > 1):
        raise UnsupportedError(node.name, f"a linear layer reads a {h}x{w} map", "flatten it first")
    k, weight = x.avgpool, node.attrs["weight"]
    columns = c * (h // k) * (w // k)
    if weight.shape[1] != columns:
        raise UnsupportedError(node.name, f"has {weight.shape[1]} inputs, reads {columns}", "match them")
    spec = SourceSpec(feature=x.name, weight=weight * (x.unit / k**2), avgpool=k, linear=True, in_shape=x.shape)
    return Current(
        name=node.name,
        sources=(spec,),
        levels_in=(x.levels * k * k,),
        shape=(weight.shape[0], 1, 1),
        bias=node.attrs["bias"],
    )


def identity_current(x: Feature, where: str) -> Current:
    """Return the map x as a current; an average pool that it carries becomes a k x k kernel of ones with stride k."""
    if x.flat:
        raise UnsupportedError(where, "joins of flattened maps are not supported", "add before flattening")
    k = x.avgpool
    if k > MAX_STRIDE:
        raise UnsupportedError(where, f"a {k}x{k} pool in front of a join or neuron needs stride {k} > 2", "pool by 2")
    c, h, w = x.shape
    weight = torch.full((c, 1, k, k), x.unit / k**2)
    spec = SourceSpec(feature=x.name, weight=weight, stride=k, groups=c, in_shape=x.shape)
    return Current(name=where, sources=(spec,), levels_in=(x.levels,), shape=(c, h // k, w // k), identity=True)
