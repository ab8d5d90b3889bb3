"""Recording, as a function of the Python API: the spikes of any PyTorch network become a capture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .support.errors import missing_package

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from .export.record.capture import Recording


def record(
    module: nn.Module,
    image: np.ndarray,
    path: str | Path,
    *,
    timesteps: int,
    scale: float = 1.0,
    time: Literal["auto", "steps", "frames", "folded", "once"] = "auto",
) -> Recording:
    """Run a PyTorch network on one image, and write the spikes that its layers read as a capture.

    Nothing is converted, so that networks can be recorded that no import takes. The capture is what ``reprise density``
    and ``reprise cosim --capture`` take. Layers that read the image itself, or values that are no whole levels, are
    left out, and the result says why.

    Parameters
    ----------
    module : any network whose layers are derived from ``nn.Conv2d`` and ``nn.Linear``, of whatever framework.
    image : levels (C, H, W), or frames (T, C, H, W) for each timestep.
    path : of the ``.npz``; the layers' YAML lies beside it.
    timesteps : the number of timesteps T.
    scale : the network takes ``image * scale``.
    time : how the network takes its timesteps. ``"steps"``: it is called for each, and keeps its potentials or returns
        them behind its output; ``"frames"``: it is called once with (T, 1, C, H, W), or ``"folded"`` with (T, C, H, W);
        ``"once"``: it is called once with the image and makes the timesteps itself. ``"auto"`` is the one of these that
        its modules and the first call tell.

    Raises
    ------
    RepriseError
        When the network fails, its timesteps are not T, or no layer reads spikes.
    """
    try:
        from .export.record import capture
    except ImportError as error:
        raise missing_package(error) or error from None
    return capture.record(module, image, path, timesteps=timesteps, scale=scale, time=time)
