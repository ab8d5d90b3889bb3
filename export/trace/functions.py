"""The nodes of functions that a forward pass calls on tensors, beside its modules: additions, pools, reshapes.

Each function ``on_NAME(reading, n)`` gets an ``fx`` node of the function NAME, and adds nodes to the
:class:`reprise.export.trace.tracer.Reading`. It returns the name of the node that holds the result, or None for
arithmetic with shapes. A call that has no exact meaning here is refused.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from .graph import UnsupportedError
from .modules import adaptive_attrs, arguments, flatten_attrs, pool_attrs

if TYPE_CHECKING:
    from .tracer import Reading

MAX_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
AVG_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


def on_add(reading: Reading, n: fx.Node, sign: float = 1.0) -> str:
    """a + alpha b, or a - alpha b, of two maps or currents."""
    rest = dict(n.kwargs)
    operands = [*n.args, *(rest.pop(key) for key in ("input", "other") if key in rest)]
    alpha = rest.pop("alpha", 1)
    if not isinstance(alpha, (int, float)) or not math.isfinite(alpha) or alpha == 0:
        raise reading.unknown(n)
    nothing = [
        a for a in operands if (isinstance(a, int | float) and a == 0) or getattr(a, "name", "") in reading.states
    ]
    if not rest and len(operands) == 2 and len(nothing) == 1 and reading.frames and sign == 1:  # a sum over time begins
        (tensor,) = (a for a in operands if a is not nothing[0])
        return reading.reduced(n, "sum", tensor)
    if rest or len(operands) != 2 or not all(isinstance(a, fx.Node) for a in operands):
        raise reading.unknown(n)
    sums = [reading.reduction(v) for v in operands]
    a, b = (reading.tensor(n, v, reduced=sums != [None, None]) for v in operands)
    if a == b and (reading.calls or "sum" in sums) and alpha == sign == 1 and "mean" not in sums:
        return reading.reduced(n, "sum", operands[0])
    if sums != [None, None]:
        raise UnsupportedError(n.name, "adds a sum over time to another value", "reduce at the very end")
    if a == b:
        return reading.emit(n.name, "scale", a, factor=1 + sign * alpha) if sign * alpha != -1 else _zero(reading, n)
    if sign * alpha != 1:
        b = reading.emit(f"{n.name}.alpha", "scale", b, factor=sign * alpha)
    return reading.emit(n.name, "add", a, b)


def _zero(reading: Reading, n: fx.Node) -> str:
    raise UnsupportedError(n.name, "a map minus itself is zero", "leave it out")


def on_sub(reading: Reading, n: fx.Node) -> str:
    """a - alpha b of two maps or currents."""
    return on_add(reading, n, -1.0)


def on_mul(reading: Reading, n: fx.Node) -> str:
    """A map times a positive number, on either side."""
    return _scaled(reading, n, divide=False)


def on_truediv(reading: Reading, n: fx.Node) -> str:
    """A map divided by a positive number."""
    return _scaled(reading, n, divide=True)


def _scaled(reading: Reading, n: fx.Node, *, divide: bool) -> str:
    numbers = [a for a in n.args if isinstance(a, (int, float)) and 0 < a < math.inf]
    if n.kwargs or len(n.args) != 2 or len(numbers) != 1 or (divide and n.args[1] is not numbers[0]):
        raise reading.unknown(n)
    (tensor,) = n.all_input_nodes
    if reading.reduction(tensor) == "sum" and (numbers[0] if divide else 1 / numbers[0]) == reading.frames:
        return reading.reduced(n, "mean", tensor)
    return reading.emit(n.name, "scale", reading.tensor(n, tensor), factor=1 / numbers[0] if divide else numbers[0])


def on_flatten(reading: Reading, n: fx.Node) -> str:
    """torch.flatten(x, 1); or x.flatten(3) where time is an axis: tokens are a map's positions, one after the other."""
    given = arguments(n, ("start_dim", "end_dim"), start_dim=0, end_dim=-1)
    if reading.frames and given["start_dim"] in (3, -2) and given["end_dim"] in (-1, 4):
        return reading.tensor(n, n.args[0])
    if reading.frames and given["start_dim"] == 2:  # behind the axes of time and images
        given["start_dim"] = 1
    attrs = flatten_attrs(n.name, given["start_dim"], given["end_dim"])
    return reading.emit(n.name, "flatten", reading.tensor(n, n.args[0]), **attrs)


def on_view(reading: Reading, n: fx.Node) -> str:
    """x.view(batch, -1), x.reshape(-1, columns) and their like: whatever keeps the batch and flattens the rest."""
    shape = n.args[1:] if n.op == "call_method" else (n.args[1] if len(n.args) > 1 else n.kwargs.get("shape"))
    shape = (
        tuple(shape[0]) if isinstance(shape, tuple | list) and shape and isinstance(shape[0], tuple | list) else shape
    )
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    axes = [s.args[1] for s in sizes if isinstance(s, fx.Node) and s.target is operator.getitem]
    if len(sizes) == 5 and axes == list(range(5)):  # all sizes of a map with an axis of time, which tokens become again
        return reading.tensor(n, n.args[0])
    batch = reading.is_batch(sizes[0]) or sizes[0] == -1
    columns = sizes[-1] if len(sizes) == 2 and isinstance(sizes[-1], int) and sizes[-1] != -1 else None
    known = columns is not None or sizes[0] != -1  # -1 for the batch needs the number of columns
    if n.kwargs.keys() - {"shape"} or len(sizes) != 2 or not (batch and known):
        raise UnsupportedError(
            n.name, f"{n.target!s} to {sizes} is no flattening of each image", "write torch.flatten(x, 1)"
        )
    return reading.emit(n.name, "flatten", reading.tensor(n, n.args[0]), columns=columns)


def on_max_pool2d(reading: Reading, n: fx.Node) -> str:
    """F.max_pool2d."""
    attrs = pool_attrs(n.name, nn.MaxPool2d(**arguments(n, MAX_POOL)))
    return reading.emit(n.name, "maxpool", reading.tensor(n, n.args[0]), **attrs)


def on_avg_pool2d(reading: Reading, n: fx.Node) -> str:
    """F.avg_pool2d."""
    attrs = pool_attrs(n.name, nn.AvgPool2d(**arguments(n, AVG_POOL)))
    return reading.emit(n.name, "avgpool", reading.tensor(n, n.args[0]), **attrs)


def on_adaptive_avg_pool2d(reading: Reading, n: fx.Node) -> str:
    """F.adaptive_avg_pool2d."""
    size = arguments(n, ("output_size",))["output_size"]
    return reading.emit(n.name, "avgpool", reading.tensor(n, n.args[0]), **adaptive_attrs(n.name, size))


def on_dropout(reading: Reading, n: fx.Node) -> str:
    """F.dropout, which does nothing in evaluation mode."""
    if arguments(n, ("p", "training", "inplace"), training=True)["training"]:
        raise UnsupportedError(n.name, "drops values at inference, too", "give training=self.training")
    return reading.tensor(n, n.args[0])


def on_mean(reading: Reading, n: fx.Node) -> str:
    """x.mean((2, 3)), a global average pool, or x.mean(-1) of tokens; or the mean over an axis of timesteps."""
    given = arguments(n, ("dim", "keepdim"), dim=None, keepdim=False)
    dims = given["dim"] if isinstance(given["dim"], tuple | list) else (given["dim"],)
    if reading.frames and tuple(dims) == (0,):
        return reading.reduced(n, "mean", n.args[0])
    tokens = bool(reading.frames) and tuple(dims) in ((-1,), (3,))
    if not tokens and ({d % 4 for d in dims if isinstance(d, int)} != {2, 3} or len(dims) != 2):
        raise reading.unknown(n)
    pooled = reading.emit(n.name, "avgpool", reading.tensor(n, n.args[0]), **adaptive_attrs(n.name, 1))
    return pooled if given["keepdim"] else reading.emit(f"{n.name}.flat", "flatten", pooled, columns=None)


def on_sum(reading: Reading, n: fx.Node) -> str:
    """The sum over the timesteps, where they are an axis of their own."""
    given = arguments(n, ("dim", "keepdim"), dim=None, keepdim=False)
    if not reading.frames or given["dim"] not in (0, (0,), [0]):
        raise reading.unknown(n)
    return reading.reduced(n, "sum", n.args[0])


def on_unsqueeze(reading: Reading, n: fx.Node) -> str:
    """x.unsqueeze(0) of the image, or of what layers make of it, in front of repeat(T, 1, 1, 1, 1)."""
    given = arguments(n, ("dim",))
    if not reading.frames or given["dim"] != 0:
        raise reading.unknown(n)
    return _shown(reading, n)


def on_repeat(reading: Reading, n: fx.Node) -> str:
    """x.repeat(T, 1, 1, 1, 1) of the image, or of what layers make of it: it is shown at every timestep."""
    sizes = n.args[1] if len(n.args) == 2 and isinstance(n.args[1], tuple | list) else n.args[1:]
    if not reading.frames or set(sizes[1:]) - {1, -1}:
        raise reading.unknown(n)
    if sizes[0] != reading.frames:
        raise UnsupportedError(
            n.name, f"shows the image {sizes[0]} times, not {reading.frames}", "use one T everywhere"
        )
    reading.unrolled = reading.repeated = True
    return _shown(reading, n)


def _shown(reading: Reading, n: fx.Node) -> str:
    """Return the node of what is shown at every timestep; what a neuron fires in one of them is refused."""
    found = reading.tensor(n, n.args[0])
    if not reading.static(n.args[0]):
        raise UnsupportedError(n.name, "repeats what a neuron has fired", "repeat it over time in front of all neurons")
    return found


def on_getitem(reading: Reading, n: fx.Node) -> str:
    """The spikes or the potential of what a neuron returns, or one timestep of the images."""
    source, index = n.args[0], n.args[1]
    if isinstance(source, fx.Node) and source.op == "call_module" and index in (0, 1):
        if reading.stateful(reading.modules[str(source.target)]):
            if index == 1:
                reading.states[n.name] = str(source.target)
            return reading.tensor(n, source)
    if reading.frames and index is None and reading.static(source):  # x[None], as x.unsqueeze(0)
        return reading.tensor(n, source)
    if reading.frames and isinstance(index, int) and reading.tensor(n, source) == reading.input:
        reading.indexed = not reading.repeated  # of images that it is given, or that it has repeated itself
        return reading.input
    raise reading.unknown(n)


def on_stack(reading: Reading, n: fx.Node) -> str:
    """What all timesteps give, as one tensor with the timesteps in front."""
    given = arguments(n, ("dim",), dim=0)
    parts = n.args[0]
    if not reading.frames or given["dim"] != 0 or not isinstance(parts, tuple | list):
        raise reading.unknown(n)
    if len(parts) != reading.frames:
        raise UnsupportedError(
            n.name, f"stacks {len(parts)} timesteps, and the network has T = {reading.frames}", "use one T everywhere"
        )
    names = {reading.tensor(n, part) for part in parts}
    states = {getattr(part, "name", "") in reading.states for part in parts}
    if len(names) != 1 or len(states) != 1:
        raise reading.unknown(n)
    if True in states:
        reading.states[n.name] = "stack"
    if reading.static(parts[0]):
        reading.unrolled = reading.repeated = True
    reading.stacks.add(n.name)
    return names.pop()


def on_cat(reading: Reading, n: fx.Node) -> str:
    """torch.cat([a, b], 1)."""
    given = arguments(n, ("dim", "axis"))
    parts = n.args[0]
    dim = given.get("dim", given.get("axis", 0))
    if not isinstance(parts, tuple | list) or not parts or not isinstance(dim, int):
        raise reading.unknown(n)
    names = [reading.tensor(n, part) for part in parts]
    return reading.emit(n.name, "cat", *names, dim=dim, frames=bool(reading.frames))


def on_same(reading: Reading, n: fx.Node) -> str:
    """What leaves the values as they are: x.contiguous(), x.clone(), x.float()."""
    return reading.tensor(n, n.args[0])


FUNCTIONS: dict[str, Callable[[Reading, fx.Node], str]] = {
    **dict.fromkeys(("add", "iadd", "__add__", "add_"), on_add),
    **dict.fromkeys(("sub", "isub", "__sub__", "sub_"), on_sub),
    **dict.fromkeys(("mul", "imul", "multiply"), on_mul),
    **dict.fromkeys(("truediv", "itruediv", "div", "true_divide"), on_truediv),
    **dict.fromkeys(("view", "reshape"), on_view),
    **dict.fromkeys(("contiguous", "clone", "float", "double", "detach"), on_same),
    **dict.fromkeys(("repeat", "expand"), on_repeat),
    **dict.fromkeys(("unsqueeze", "unsqueeze_"), on_unsqueeze),
    "flatten": on_flatten,
    "max_pool2d": on_max_pool2d,
    "avg_pool2d": on_avg_pool2d,
    "adaptive_avg_pool2d": on_adaptive_avg_pool2d,
    "dropout": on_dropout,
    "mean": on_mean,
    "sum": on_sum,
    "getitem": on_getitem,
    "stack": on_stack,
    **dict.fromkeys(("cat", "concat", "concatenate"), on_cat),
}


@contextmanager
def sizes_of_images() -> Iterator[None]:
    """Let torch.zeros(x.shape[0], 10) be traced as torch.zeros((x.shape[0], 10)) is."""
    own = torch.zeros

    def zeros(*size: Any, **options: Any) -> Any:
        return own(
            size if any(isinstance(n, fx.Proxy) for n in size) else size[0] if len(size) == 1 else size, **options
        )

    torch.zeros = zeros
    try:
        yield
    finally:
        torch.zeros = own


def shape_of(reading: Reading, n: fx.Node, target: str) -> str | None:
    """Return "batch" for the size of axis 0, "size" for any other arithmetic with shapes, and None for all else."""
    if target == "getattr" and n.args[1] in ("device", "dtype"):
        return "size"
    if target == "size" or (target == "getattr" and n.args[1] == "shape"):
        axis = n.args[1] if target == "size" and len(n.args) > 1 else None
        return "shape" if axis is None else "batch" if axis == 0 else "size"
    inputs = [reading.shapes.get(a.name) for a in n.all_input_nodes]
    if not inputs or None in inputs:
        return None
    if target == "getitem" and inputs == ["shape"]:
        return "batch" if n.args[1] == 0 else "size"
    return "size"
