"""Makes the network of a user's own function, and loads its weights."""

import importlib
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...support.checks import require
from ...support.errors import MissingFileError, RepriseError


def make(factory: str, weights: str | Path | None = None) -> nn.Module:
    """Call the function that MODULE:FUNCTION names, and load a state dict into the network that it makes.

    The module lies on Python's path or in the current folder.
    The state dict is a .safetensors file, or a .pt file of tensors only.

    Raises
    ------
    RepriseError
        There is no such module or function, it raises an error itself, whose traceback is the detail, or the weights
        are no state dict or not that of this network.
    """
    module, _, function = factory.partition(":")
    require(bool(module and function), "factory", "MODULE:FUNCTION", factory)
    here = str(Path.cwd())
    if here not in sys.path:  # an installed program's path begins with its own folder
        sys.path.insert(0, here)
        importlib.invalidate_caches()
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
    except (Exception, SystemExit) as error:
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
            with warnings.catch_warnings(action="ignore"):
                state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # what a damaged file raises depends on where the damage is
        text = " ".join(str(error).split()).rpartition("WeightsUnpickler error: ")[2][:300] or type(error).__name__
        raise RepriseError(f"{path}: must be a state dict, .safetensors or a .pt of tensors only: {text}") from None
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        text = " ".join(str(error).split())
        raise RepriseError(f"{path}: must hold the weights of the network that the factory makes: {text}") from None
