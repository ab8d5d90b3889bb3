"""Reads a PyTorch module as a :class:`reprise.export.trace.graph.Graph`, by symbolic tracing with ``torch.fx``."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ...support.errors import RepriseError
from .functions import FUNCTIONS, shape_of, sizes_of_images
from .graph import Graph, Node, UnsupportedError
from .modules import REMEDIES, Value, inputs_of, module_node, parent

INPUT, OUTPUT = "(input)", "(output)"
"""The names of the graph's ends, which no module can have."""

Stateful = Callable[[nn.Module], bool]
Convert = Callable[[str, nn.Module, tuple[str, ...]], Node | None | list[Node]]
WHOLE = "network"
REPEATED = ("scale", "flatten", "maxpool", "avgpool", "add", "cat")
"""Operations without state and weights: two of the same inputs are one."""


class _Whole(nn.Module):
    """Calls a network with its images and nothing else, so that arguments with a default keep it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> Any:
        return self.network(images)


class _Tracer(fx.Tracer):
    def __init__(self, leaves: tuple[str, ...], frames: int) -> None:
        super().__init__()
        self.leaves, self.frames = leaves, frames

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Value(node, self)

    def iter(self, obj: fx.Proxy) -> Any:
        target = getattr(obj.node.target, "__name__", str(obj.node.target))
        if remedy := REMEDIES.get(target):
            raise UnsupportedError(obj.node.name, f"operation '{target}' does not exist on the accelerator", remedy)
        return super().iter(obj)

    def is_leaf_module(self, m: nn.Module, qualified_name: str) -> bool:
        if parent(m) is not None or isinstance(m, torch.jit.ScriptModule):
            return True
        if any(f"{kind.__module__}.".startswith(self.leaves) for kind in type(m).__mro__):  # subclasses of them, too
            return True
        return super().is_leaf_module(m, qualified_name)


class Reading:
    """The graph of a traced module while it is put together.

    Members
    -------
    frames : T, if the module has an axis of time of its own, and else 0
    shapes : what arithmetic with shapes gives, by the ``fx`` node's name (see
        :func:`reprise.export.trace.functions.shape_of`)
    unrolled : the module itself shows its image at every timestep, and so may call its parts once for each; what the
        first timestep says holds for all, which the comparison with the module proves
    indexed, repeated : it takes all timesteps of its images and picks one after the other, or makes them of one image
    calls : how often it calls what it calls more than once
    states : potentials, by the ``fx`` node's name: the path of their neuron, or "" for initial ones
    left_out : the module returns potentials beside its spikes
    timeless : the names of nodes that no neuron stands in front of
    stacks : what holds all timesteps, one behind the other, by the ``fx`` node's name
    reductions : how values were reduced over time, "sum" or "mean", by the ``fx`` node's name
    reduce : how the module reduces its output over time
    """

    input = INPUT
    root: nn.Module

    def __init__(self, modules: dict[str, nn.Module], convert: Convert, frames: int, stateful: Stateful) -> None:
        self.modules, self.convert, self.frames, self.stateful = modules, convert, frames, stateful
        self.nodes: list[Node] = []
        self.alias: dict[str, str] = {}
        self.shapes: dict[str, str] = {}
        self.unrolled = self.indexed = self.repeated = self.left_out = False
        self.states: dict[str, str] = {}
        self.known: dict[Any, str] = {}
        self.calls: dict[str, int] = {}
        self.stacks, self.timeless = set[str](), set[str]()
        self.reductions: dict[str, str] = {}
        self.reduce: str | None = None
        self.used: dict[str, str] = {}

    def unknown(self, n: fx.Node) -> UnsupportedError:
        """Return the error for a function that has no form here."""
        target = getattr(n.target, "__name__", str(n.target)).removeprefix(f"{WHOLE}.")
        if n.op == "get_attr":
            return UnsupportedError(target, "a tensor of the module's own is part of no layer", REMEDIES[n.op])
        remedy = REMEDIES.get(target, "use modules, additions of two maps and products with a positive number")
        return UnsupportedError(
            n.name.removeprefix(f"{WHOLE}_"), f"operation {target!r} does not exist on the accelerator", remedy
        )

    def emit(self, name: str, op: str, *inputs: str, **attrs: Any) -> str:
        """Append a node and return its name, or the name of an equal node: a loop over time comes to each again."""
        same = (op, inputs, tuple(sorted(attrs.items()))) if op in REPEATED else None
        if same is not None and same in self.known:
            return self.known[same]
        self.nodes.append(Node(name=name, op=op, inputs=inputs, attrs=attrs))
        if op != "neuron" and self.timeless.issuperset(inputs):
            self.timeless.add(name)
        if same is not None:
            self.known[same] = name
        return name

    def reduced(self, n: fx.Node, how: str, value: Any) -> str:
        """Note that the module reduces a value over the timesteps."""
        found = self.tensor(n, value, reduced=True)
        self.reductions[n.name] = how
        return found

    def reduction(self, value: Any) -> str | None:
        """Return how an argument was reduced over time, or None."""
        return self.reductions.get(value.name) if isinstance(value, fx.Node) else None

    def tensor(self, n: fx.Node, value: Any, *, reduced: bool = False) -> str:
        """Return the name of the graph's node that holds an argument; one that is no tensor of data is refused."""
        if not isinstance(value, fx.Node) or value.name not in self.alias:
            raise self.unknown(n)
        if not reduced and value.name in self.reductions:
            how = self.reductions[value.name]
            raise UnsupportedError(n.name, f"it stands behind the {how} over time", "reduce at the very end")
        return self.alias[value.name]

    def static(self, value: Any) -> bool:
        """Return whether an argument is the image, or what layers without a memory make of it."""
        return isinstance(value, fx.Node) and self.alias.get(value.name, "") in self.timeless

    def is_batch(self, value: Any) -> bool:
        """Return whether an argument is the size of the batch."""
        return isinstance(value, fx.Node) and self.shapes.get(value.name) == "batch"

    def read(self, n: fx.Node) -> None:
        """Add the nodes of one ``fx`` node."""
        target = getattr(n.target, "__name__", str(n.target))
        if n.op == "placeholder":
            self.alias[n.name] = self.emit(INPUT, "input", flat=False)
        elif n.op == "output":
            self._output(n)
        elif n.op == "call_module":
            self.alias[n.name] = self._module(n, str(n.target))
        elif self._initial(n, target):
            self.states[n.name] = ""
        elif (shape := shape_of(self, n, target)) is not None:
            self.shapes[n.name] = shape
        elif target in FUNCTIONS and n.args:
            self.alias[n.name] = FUNCTIONS[target](self, n)
        else:
            raise self.unknown(n)

    def _only_states(self, value: Any) -> bool:
        """Return whether an argument holds potentials alone."""
        if isinstance(value, tuple | list):
            return all(self._only_states(one) for one in value)
        return value is None or (isinstance(value, fx.Node) and value.name in self.states)

    def _initial(self, n: fx.Node, target: str) -> bool:
        """Return whether a node makes an initial potential: zeros, or what a module keeps of one."""
        if n.op == "get_attr":
            value: Any = self.root
            for part in str(n.target).split("."):
                value = getattr(value, part)
            return isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter) and not bool(value.any())
        return target in ("zeros", "zeros_like", "new_zeros")

    def _module(self, n: fx.Node, path: str) -> str:
        module = self.modules[path]
        name = path.removeprefix(f"{WHOLE}.") if path != WHOLE else type(module).__name__
        given = len(n.args) + len(n.kwargs)
        if self.stateful(module) and given == 2:
            state = n.args[1] if len(n.args) == 2 else next(iter(n.kwargs.values()))
            if state is not None and self.states.get(getattr(state, "name", "")) not in ("", path):
                raise UnsupportedError(name, "its second input is no potential of its own", "hand on its own potential")
        elif given != (wanted := inputs_of(name, module)) or len(n.args) != wanted:
            remedy = {1: "give it one tensor", 2: "give it two tensors"}.get(wanted, "give it Q, K and V in this order")
            raise UnsupportedError(name, f"is called with {given} inputs", remedy)
        if path in self.used:
            if not self.frames:
                raise UnsupportedError(name, "the module is used twice", "make one module for each use")
            self.calls[name] = self.calls.get(name, 1) + 1
            self.unrolled = True
            return self.used[path]
        sources = tuple(self.tensor(n, one) for one in n.args[: inputs_of(name, module)])
        found, source = self.convert(name, module, sources), sources[0]
        for node in found if isinstance(found, list) else [] if found is None else [found]:
            source = self.emit(node.name, node.op, *node.inputs, **node.attrs)
        self.used[path] = source
        return source

    def _output(self, n: fx.Node) -> None:
        value = n.args[0]
        if isinstance(value, tuple | list) and len(value) > 1 and self.states:
            if all(self._only_states(one) for one in value[1:]):
                value, self.left_out = value[0], True
        if isinstance(value, fx.Node) and value.name in self.states:
            raise UnsupportedError(
                "output", "the network returns a potential", "return spikes, or put a Linear at the end"
            )
        if not isinstance(value, fx.Node):
            kind = (
                f"a {type(value).__name__.removeprefix('immutable_')} of {len(value)}"
                if isinstance(value, tuple | list | dict)
                else repr(value)
            )
            raise UnsupportedError("output", f"the network returns {kind}", "return one tensor, the scores")
        self.reduce = self.reduction(value)
        if self.calls and self.frames > 1 and self.reduce is None and value.name not in self.stacks:
            raise UnsupportedError("output", "the network returns its last timestep alone", "return torch.stack of all")
        self.emit(OUTPUT, "output", self.tensor(n, value, reduced=True), reduce=self.reduce)

    def graph(self) -> Graph:
        """Return the graph of what was read; an input that only linear layers read is flattened."""
        for name, count in self.calls.items():
            if count != self.frames:
                raise UnsupportedError(
                    name,
                    f"is called {count} times for one image, and the network has T = {self.frames}",
                    "make them equal",
                )
        readers = [n.op for n in self.nodes if INPUT in n.inputs]
        flat = bool(readers) and set(readers) == {"linear"}
        nodes = (Node(name=n.name, op=n.op, attrs=dict(flat=flat)) if n.op == "input" else n for n in self.nodes)
        return Graph(nodes=tuple(nodes))


def trace(
    module: nn.Module,
    convert: Convert = module_node,
    *,
    leaves: tuple[str, ...] = (),
    frames: int = 0,
    stateful: Stateful = lambda module: False,
) -> Reading:
    """Read a PyTorch module by symbolic tracing; the result has its graph.

    Parameters
    ----------
    convert : ``convert(name, module, inputs)`` makes the node of a leaf module, or several that follow each other, or
        returns None if the module does nothing
    leaves : packages whose modules are leaves, each with a dot behind it
    frames : T, if the module has an axis of time of its own
    stateful : whether a module takes its potential as a second input, and returns it behind its spikes

    Raises
    ------
    UnsupportedError
        The accelerator has no such module or function; the message has its qualified name.
    """
    _refuse_inputs(module)
    whole = _Whole(module)
    try:
        with sizes_of_images():
            traced = _Tracer(leaves, frames).trace(whole)
    except fx.proxy.TraceError as e:
        raise UnsupportedError(
            type(module).__name__, f"its forward depends on data or cannot be traced ({e})", "write it without branches"
        ) from e
    except RepriseError:
        raise
    except Exception as e:
        text = " ".join(str(e).split())[:200] or type(e).__name__
        raise UnsupportedError(
            type(module).__name__, f"its forward cannot be traced ({text})", "call modules on one tensor"
        ) from e
    reading = Reading(dict(whole.named_modules()), convert, frames, stateful)
    reading.root = whole
    for n in traced.nodes:
        reading.read(n)
    return reading


def _refuse_inputs(module: nn.Module) -> None:
    """Raise UnsupportedError for a module whose forward pass needs anything but one tensor."""
    if isinstance(module, torch.jit.ScriptModule):
        return  # its modules are refused one by one
    needed = [
        p.name
        for p in inspect.signature(type(module).forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if len(needed) > 2:  # self and the images
        raise UnsupportedError(
            type(module).__name__,
            f"its forward needs {len(needed) - 1} inputs ({', '.join(needed[1:])})",
            "give those behind the images a default value, or wrap the network in a module of one input",
        )
