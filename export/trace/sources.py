"""Makes currents of maps by convolution, linear and identity sources, within the limits of the accelerator's kernels.

Average pools that a map still carries become larger kernels or repeated columns here. What has no such form is refused
by its name, with a remedy.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from ...model.network.pool import POOL_KERNELS, MaxPool
from ..qat.specs import NeuronSpec, SourceSpec
from .graph import Node, UnsupportedError
from .kernels import MAX_KERNEL, MAX_STRIDE
from .values import Current, Feature


def factor_of(node: Node, x: Feature | Current) -> torch.Tensor:
    """Return the factor of a scale node: a scalar, or a value for each channel or for each column of a flattened map.

    Raises
    ------
    UnsupportedError
        The factor differs within a channel, does not fit the map, or is zero or not finite.
    """
    factor = torch.as_tensor(node.attrs["factor"], dtype=torch.float64)
    if not bool(factor.isfinite().all()) or bool((factor == 0).any()):
        raise UnsupportedError(node.name, "a factor that is zero or not finite", "leave out what it switches off")
    if bool((factor == factor.flatten()[0]).all()):
        return factor.flatten()[0]
    shape = (x.shape[0], *(x.positions if isinstance(x, Feature) else x.shape[1:]))
    flat = (isinstance(x, Feature) and x.flat) or shape[1:] == (1, 1)
    if flat and factor.squeeze().ndim == 1 and factor.numel() == math.prod(shape):
        return factor.flatten()
    try:
        whole = factor.expand(shape).flatten(1)
    except RuntimeError:
        raise UnsupportedError(
            node.name, f"a factor of shape {tuple(factor.shape)} for a map {shape}", "give one a channel"
        ) from None
    if isinstance(x, Feature) and x.flat:
        return whole.flatten()
    if bool((whole != whole[:, :1]).any()):
        raise UnsupportedError(node.name, "scale differs within a channel", "one value per channel is possible")
    return whole[:, 0]


def in_units(weight: torch.Tensor, x: Feature, groups: int = 1) -> torch.Tensor:
    """Multiply a weight (O, C/groups, KH, KW) or (O, columns) by the units of the map that it reads."""
    unit = x.unit
    if not isinstance(unit, torch.Tensor):
        return weight * (unit / x.window)
    unit = unit.to(weight.dtype) / x.window
    if weight.ndim == 2:
        c, columns = x.shape[0], weight.shape[1]
        return weight * (unit if unit.numel() == columns else unit.view(c, 1).expand(c, columns // c).flatten())
    o = weight.shape[0]
    read = unit.view(groups, -1).repeat_interleave(o // groups, 0)  # (O, C / groups)
    return weight * read[:, :, None, None]


def one_a_channel(name: str, spec: NeuronSpec, channels: int) -> None:
    """Refuse a neuron whose threshold or leak is neither one number nor one for each channel."""
    for what, value in (("threshold", spec.threshold), ("leak", spec.leak)):
        count = torch.as_tensor(value).numel()
        if count not in (1, channels):
            raise UnsupportedError(
                name, f"has {count} values of its {what} for {channels} channels", "use one a channel"
            )


def whole_windows(node: Node, shape: Sequence[int]) -> None:
    """Refuse a pool with ``ceil_mode`` whose last windows hang over the edge of a map (C, H, W)."""
    k, a = node.attrs["kernel"], node.attrs
    stride, padding = a.get("stride", k), a.get("padding", 0)
    if a.get("ceil") and any((n + 2 * padding - k) % stride for n in shape[1:]):
        raise UnsupportedError(
            node.name,
            f"with ceil_mode, windows of {k} hang over the edge of a {shape[1]}x{shape[2]} map",
            "leave it out",
        )


def pool_of(node: Node) -> MaxPool | None:
    """Return the max pool that a layer can have behind its neuron, or None if only a layer of its own pools so."""
    k, (least, most) = node.attrs["kernel"], POOL_KERNELS
    given = (k, node.attrs.get("stride", k), node.attrs.get("padding", 0))
    if given != (3, 2, 1) and given != (k, k, 0):
        return None
    if not least <= k <= most:
        raise UnsupportedError(node.name, f"max pools of {least}..{most} exist, not {k}", "pool by 2, 3 or 4")
    return MaxPool(kernel=k, stride=given[1], padding=given[2])


def pooled_current(node: Node, x: Current, timesteps: int) -> Current:
    """Return the current x whose largest values of windows are wanted: they are taken behind its neuron.

    For T = 1, a neuron fires the more levels the larger its current is. Later its potentials would have to agree, too.
    """
    if timesteps > 1 or x.pool or x.overlapping:
        raise UnsupportedError(
            node.name, "a max pool of currents equals one of spikes only for T = 1", "put it behind the neuron"
        )
    pool = pool_of(node)
    return replace(x, pool=pool, overlapping=None if pool else node)


def overlapped(node: Node, x: Feature, timesteps: int) -> tuple[Current, NeuronSpec, float | torch.Tensor]:
    """Return the current, the neuron and the unit of a layer that is a max pool whose windows overlap or are padded.

    A window of spikes has the maximum 1 if its sum is at least 1: a neuron that forgets its potential says so.
    """
    k, stride, padding = (node.attrs[name] for name in ("kernel", "stride", "padding"))
    if x.levels > 1 or x.flat or x.window > 1 or bool((torch.as_tensor(x.unit) < 0).any()):
        raise UnsupportedError(
            node.name,
            f"a max pool of kernel {k}, stride {stride} and padding {padding} is exact of spikes 0 and 1 alone",
            "put it behind a neuron of one level, or use stride equal to kernel",
        )
    if k > MAX_KERNEL or stride > MAX_STRIDE:
        raise UnsupportedError(
            node.name, f"a max pool of kernel {k} and stride {stride} needs a larger layer than there is", "pool by 2"
        )
    c, h, w = x.shape
    ones = torch.ones(c, 1, k, k, dtype=torch.float64)
    spec = SourceSpec(
        feature=x.name, weight=ones, stride=stride, padding=padding, groups=c, in_shape=x.shape, fixed=True
    )
    shape = (c, (h + 2 * padding - k) // stride + 1, (w + 2 * padding - k) // stride + 1)
    forgets = NeuronSpec(levels=1, v0=0.0) if timesteps == 1 else NeuronSpec(levels=1, v0=0.0, kind="lif", leak=0)
    return Current(name=node.name, sources=(spec,), levels_in=(1,), shape=shape), forgets, x.unit


def averaged(node: Node, x: Feature) -> Feature:
    """Return the map x with the windows of an average pool, which its reader sums."""
    if x.flat:
        raise UnsupportedError(node.name, "an average pool of a flattened map", "pool first")
    k, divisor = node.attrs["kernel"], node.attrs.get("divisor")
    rows, across = k, k
    if k == 0:
        wanted = node.attrs.get("output", 1)
        rows, across = (max(n // wanted, 1) for n in x.positions)
        if x.positions != (rows * wanted, across * wanted):
            raise UnsupportedError(
                node.name,
                f"pooling a map of {list(x.positions)} to {wanted} positions needs equal windows",
                "use AvgPool2d",
            )
    share = 1 if divisor is None else rows * across / divisor
    return replace(x, avgpool=(x.avgpool[0] * rows, x.avgpool[1] * across), unit=x.unit * share)


def averaged_current(node: Node, x: Current) -> Current:
    """Return the current x averaged over 2x2 windows: one of larger kernels, whose stride is 2.

    Raises
    ------
    UnsupportedError
        The windows are others, or a kernel would become too large.
    """
    k, divisor = node.attrs["kernel"], node.attrs.get("divisor")
    rule = f"a {k}x{k} average pool of a current" if k else "an average pool of a current to one size"
    if k != 2 or any(
        s.linear or s.avgpool != (1, 1) or s.stride > 1 or max(s.weight.shape[2:]) >= MAX_KERNEL for s in x.sources
    ):
        raise UnsupportedError(
            node.name, f"{rule} needs a larger kernel or stride than there is", "put it behind a neuron, or pool by 2"
        )
    share = 1 / (4 if divisor is None else divisor)
    sources = []
    for s in x.sources:
        parts = [F.pad(s.weight, (i, 1 - i, j, 1 - j)) for i in (0, 1) for j in (0, 1)]
        weight = share * torch.stack(parts).sum(0)
        sources.append(
            replace(s, weight=weight, stride=2, step=None if s.step is None else share * s.step, fixed=False)
        )
    c, h, w = x.shape
    bias = None if x.bias is None else x.bias * (4 * share)
    return replace(x, sources=tuple(sources), shape=(c, h // 2, w // 2), bias=bias, identity=False)


def step_of(node: Node, x: Feature) -> torch.Tensor | None:
    """Return the value (O,) of one integer of weights that were quantized before, in levels of the map; or None."""
    step = node.attrs.get("step")
    if step is None or isinstance(x.unit, torch.Tensor):
        return None
    return step * abs(x.unit / x.window)  # a negative unit is in the weights


def biased(node: Node, x: Feature) -> torch.Tensor | None:
    """Return the bias of a convolution or a linear layer, in whole steps if it is quantized so."""
    bias, step, bits = node.attrs["bias"], step_of(node, x), node.attrs.get("bias_in_steps")
    if bias is None or not bits or step is None:
        return bias
    return (bias / step).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step


def foldable(node: Node, x: Feature) -> bool:
    """Return whether a convolution can sum the windows of the average pool in front of it by a larger kernel."""
    a, (k, across) = node.attrs, x.avgpool
    if (a["padding"] and (x.shape[1] % k or x.shape[2] % k)) or k != across:
        return x.window == 1
    return x.window == 1 or (max(a["weight"].shape[2:]) * k <= MAX_KERNEL and a["stride"] * k <= MAX_STRIDE)


def conv_current(node: Node, x: Feature) -> Current:
    """Return the current of the convolution ``node`` over the map x."""
    a, k = node.attrs, x.avgpool[0]
    refuse_conv(node, x)
    spec = SourceSpec(
        feature=x.name,
        weight=in_units(a["weight"], x, a["groups"]),
        step=step_of(node, x),
        stride=a["stride"],
        padding=a["padding"],
        groups=a["groups"],
        avgpool=x.avgpool,
        in_shape=x.shape,
    )
    kernel = a["weight"].shape[2:]
    size = [(v // k + 2 * a["padding"] - n) // a["stride"] + 1 for v, n in zip(x.shape[1:], kernel, strict=True)]
    if min(size) < 1:
        h, w = x.shape[1:]
        raise UnsupportedError(node.name, f"the kernel is larger than its padded {h}x{w} input", "use a smaller one")
    shape = (a["weight"].shape[0], *size)
    return Current(name=node.name, sources=(spec,), levels_in=(x.levels * k * k,), shape=shape, bias=biased(node, x))


def refuse_conv(node: Node, x: Feature) -> None:
    """Raise UnsupportedError for a convolution that the accelerator's kernels cannot hold."""
    a, k = node.attrs, max(x.avgpool)
    kernel, stride, padding = max(a["weight"].shape[2:]) * k, a["stride"] * k, a["padding"] * k
    if kernel > MAX_KERNEL or stride > MAX_STRIDE:
        raise UnsupportedError(
            node.name,
            f"kernel <= {MAX_KERNEL} and stride <= {MAX_STRIDE} are needed, this has {kernel} and {stride}",
            "use a smaller kernel, or max pooling",
        )
    if padding >= min(a["weight"].shape[2:]) * k:
        raise UnsupportedError(node.name, f"padding {padding} must be less than the kernel {kernel}", "pad less")
    if x.flat:
        raise UnsupportedError(node.name, "a convolution reads a flattened map", "leave out the flattening")
    channels = a["weight"].shape[1] * a["groups"]
    if channels != x.shape[0]:
        raise UnsupportedError(node.name, f"has {channels} input channels, reads {x.shape[0]}", "match")


def linear_current(node: Node, x: Feature) -> Current:
    """Return the current of the linear layer ``node`` over the map x, which is flattened or 1x1."""
    c, h, w = x.shape
    if not x.flat and (h > 1 or w > 1):
        raise UnsupportedError(node.name, f"a linear layer reads a {h}x{w} map", "flatten it first")
    weight, columns = node.attrs["weight"], c * math.prod(x.positions)
    if weight.shape[1] != columns:
        raise UnsupportedError(node.name, f"has {weight.shape[1]} inputs, reads {columns}", "match them")
    spec = SourceSpec(
        feature=x.name,
        weight=in_units(weight, x),
        avgpool=x.avgpool,
        linear=True,
        in_shape=x.shape,
        step=step_of(node, x),
    )
    return Current(
        name=node.name,
        sources=(spec,),
        levels_in=(x.levels * x.window,),
        shape=(weight.shape[0], 1, 1),
        bias=biased(node, x),
    )


def voting(node: Node, x: Feature) -> Node:
    """Return the linear layer that averages ``size`` neighbouring channels, as a vote of theirs for one class."""
    columns, size = math.prod(x.shape), node.attrs["size"]
    if x.window > 1 or columns % size or not (x.flat or tuple(x.shape[1:]) == (1, 1)):
        raise UnsupportedError(node.name, f"votes of {size} of {columns} channels", "vote over whole groups")
    weight = torch.eye(columns // size, dtype=torch.float64).repeat_interleave(size, 1) / size
    return Node(name=node.name, op="linear", inputs=node.inputs, attrs=dict(weight=weight, bias=None))


def identity_current(x: Feature, where: str) -> Current:
    """Return the map x as a current; an average pool that it carries becomes a k x k kernel of ones with stride k."""
    if x.flat:
        raise UnsupportedError(where, "joins of flattened maps are not supported", "add before flattening")
    k, across = x.avgpool
    if k > MAX_STRIDE or k != across:
        raise UnsupportedError(
            where, f"a {k}x{across} pool in front of a join or neuron needs a layer of that stride", "pool by 2"
        )
    c, h, w = x.shape
    unit = torch.as_tensor(x.unit, dtype=torch.float64)
    weight = (unit.view(-1, 1, 1, 1) / k**2).expand(c, 1, k, k).clone()
    spec = SourceSpec(feature=x.name, weight=weight, stride=k, groups=c, in_shape=x.shape)
    return Current(name=where, sources=(spec,), levels_in=(x.levels,), shape=(c, h // k, w // k), identity=True)
