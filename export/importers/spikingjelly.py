"""Reads SpikingJelly networks of IFNode, LIFNode and ILIFNode as a :class:`reprise.export.trace.graph.Graph`.

SpikingJelly's LIF computes H = (1 - 1/tau) V + X (or X / tau with decay_input) and S = H >= v_threshold. Then it resets
V hard to v_reset, or soft. With V' = V - v_reset, ours is the same recurrence with threshold v_threshold - v_reset, and
resets to 0. ILIFNode rounds: z = round(clip(H / v_threshold, 0, N)). Half a threshold that is added to V turns rounding
into a floor. The leak takes its part of this half away in each timestep, and the bias gives it back.
"""

import importlib
import pickle
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from ...model.network.neuron import Reset
from ...support.checks import require
from ...support.errors import MissingFileError, RepriseError
from ..qat.layers import NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError, module_node, trace

NODES = ("IFNode", "LIFNode", "ILIFNode")


def make(factory: str, weights: str | Path | None = None) -> nn.Module:
    """Call the function that MODULE:FUNCTION names, and load a state dict into the network that it makes.

    The state dict is a .safetensors file, or a .pt file of tensors only.

    Raises
    ------
    RepriseError
        There is no such module or function, it raises an error itself, whose traceback is the detail, or the weights
        are no state dict or not that of this network.
    """
    module, _, function = factory.partition(":")
    require(bool(module and function), "factory", "MODULE:FUNCTION", factory)
    with _code_of_the_user(factory):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # the module is there, but something that it imports is not
            remedy = f"there is no module {error.name!r} on Python's path (PYTHONPATH, the current folder)"
            raise RepriseError(field="factory", rule="MODULE:FUNCTION", value=factory, remedy=remedy) from None
    make_network = getattr(found, function, None)
    if not callable(make_network):
        raise RepriseError(field="factory", rule=f"a function of {module}", value=factory)
    with _code_of_the_user(factory):
        net = make_network()
    if not isinstance(net, nn.Module):
        raise RepriseError(field="factory", rule="a function that returns a torch.nn.Module", value=type(net).__name__)
    if weights is not None:
        load_weights(net, Path(weights))
    return net


@contextmanager
def _code_of_the_user(factory: str) -> Iterator[None]:
    """Tell an error that the user's own code raises as his, with the part of the traceback that lies in his code."""
    try:
        yield
    except RepriseError:
        raise
    except Exception as error:
        ours = (__file__, importlib.__file__)
        all_frames = traceback.extract_tb(error.__traceback__)
        frames = [one for one in all_frames if one.filename not in ours and not one.filename.startswith("<")]
        detail = "".join(traceback.format_list(frames) + traceback.format_exception_only(error))
        why = " ".join("".join(traceback.format_exception_only(error)).split())
        raise RepriseError(field="factory", rule="code that runs", value=factory, remedy=why, detail=detail) from error


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a state dict into a network; no code in the file is run.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    RepriseError
        The file is no state dict, or not that of this network.
    """
    if not path.is_file():
        raise MissingFileError(f"weights {str(path)!r} do not exist")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(str(path))
        else:
            state = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        text = " ".join(str(error).split())[:300]
        raise RepriseError(f"{path}: must be a state dict, .safetensors or a .pt of tensors only: {text}") from None
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        text = " ".join(str(error).split())
        raise RepriseError(f"{path}: must hold the weights of the network that the factory makes: {text}") from None


def neuron_nodes(
    name: str, m: Any, inputs: tuple[str, ...], timesteps: int, changes: list[str]
) -> tuple[float, float, NeuronSpec]:
    """Return the gain, the bias and the specification of one SpikingJelly neuron.

    What differs numerically from that neuron is appended to ``changes``.
    """
    kind = type(m).__name__
    if kind not in NODES:
        raise UnsupportedError(name, f"neuron {kind} has no integer form here", f"use one of {', '.join(NODES)}")
    rest = 0.0 if m.v_reset is None else float(m.v_reset)
    threshold = float(m.v_threshold) - rest
    if threshold <= 0:
        raise UnsupportedError(name, f"v_threshold must exceed v_reset, {m.v_threshold} and {m.v_reset}", "raise it")
    leak, levels, v0, gain, bias = 256, 1, 0.0, 1.0, 0.0
    if kind != "IFNode":
        kept = 1 - 1 / float(m.tau)
        leak = round(256 * kept)
        gain = 1 / float(m.tau) if m.decay_input else 1.0
        if abs(leak / 256 - kept) > 1e-9:
            changes.append(f"{name}: leak factor {kept:.6f} becomes {leak}/256")
        if leak < 256:
            changes.append(f"{name}: the leaked potential is rounded down to a whole weight step")
    if kind == "ILIFNode":
        levels, v0 = int(m.surrogate_function.max_spike_count), 0.5
        bias = threshold / 2 * (1 - leak / 256)
        changes.append(
            f"{name}: rounding becomes a floor by half a threshold of initial potential and bias; "
            "exact halves round up instead of to the even level"
        )
    reset: Reset = "soft" if m.v_reset is None else "hard"
    if rest:
        changes.append(f"{name}: potentials are counted from v_reset {rest}, so that a hard reset is to 0")
    spec = NeuronSpec(
        levels=levels, kind="lif" if leak < 256 else "if", reset=reset, v0=v0, leak=leak, threshold=threshold
    )
    return gain, bias, spec


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a SpikingJelly module.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator; the message has its qualified name.
    """
    changes: list[str] = []
    pending: dict[str, tuple[float, float]] = {}

    def convert(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None:
        if hasattr(m, "v_threshold"):
            gain, bias, spec = neuron_nodes(name, m, inputs, timesteps, changes)
            pending[name] = (gain, bias)
            return Node(name=name, op="neuron", inputs=inputs, attrs=dict(spec=spec, timesteps=timesteps))
        if type(m).__name__ in ("Dropout", "Dropout2d"):
            return None
        return module_node(name, m, inputs)

    graph = trace(module, convert)
    changes.append("every neuron starts from its reset potential for each image")
    return Graph(nodes=tuple(_with_gains(graph.nodes, pending)), changes=tuple(changes))


def _with_gains(nodes: Iterable[Node], pending: dict[str, tuple[float, float]]) -> Iterator[Node]:
    """Insert a factor and a constant current in front of neurons that need them."""
    for node in nodes:
        if node.op == "neuron":
            gain, bias = pending[node.name]
            source = node.inputs[0]
            if gain != 1:
                yield Node(name=f"{node.name}.gain", op="scale", inputs=(source,), attrs=dict(factor=gain))
                source = f"{node.name}.gain"
            if bias:
                yield Node(name=f"{node.name}.bias", op="bias", inputs=(source,), attrs=dict(value=torch.tensor(bias)))
                source = f"{node.name}.bias"
            node = Node(name=node.name, op="neuron", inputs=(source,), attrs=node.attrs)
        yield node
