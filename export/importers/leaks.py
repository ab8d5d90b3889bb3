"""Parameters of imported neurons: a value for each channel, and what rounding does to a leak, in words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..trace.graph import UnsupportedError


def told_leak(name: str, leak: float | torch.Tensor) -> Iterator[str]:
    """Yield the numerical differences that a leak in 1/256, a scalar or one for each channel, will have."""
    values = torch.as_tensor(leak).double().flatten()
    if bool(((values.round() - values).abs() > 1e-6).any()):
        worst = values[(values.round() - values).abs().argmax()]
        more = f", and so on for {len(values)} channels" if len(values) > 1 else ""
        yield f"{name}: leak factor {float(worst) / 256:.6f} becomes {int(worst.round())}/256{more}"
    if bool((values < 256).any()):
        yield f"{name}: the leaked potential is rounded down to a whole weight step"


def per_channel(name: str, field: str, value: Any) -> float | torch.Tensor:
    """Return a value as a scalar, or as (C,) if it differs between channels.

    Raises
    ------
    UnsupportedError
        The value differs within a channel, or is no finite number.
    """
    array = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise UnsupportedError(name, f"{field} is NaN or infinite", "give finite numbers")
    if array.size == 0 or np.all(array == array.flat[0]):
        return float(array.flat[0]) if array.size else 0.0
    flat = array.reshape(array.shape[0], -1)
    if np.any(flat != flat[:, :1]):
        raise UnsupportedError(name, f"{field} differs within a channel", "one value per channel is possible")
    return torch.tensor(flat[:, 0])
