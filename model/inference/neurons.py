"""Multi-level integrate-and-fire neurons in integers; the levels are those of arXiv 2510.24637.

One timestep of an output channel::

    U = leak(V) + psum + c            leak(V) = (V * l) >> 8, arithmetic (floor); l = 256 keeps V
    z = clip(floor(U / D), 0, N)      floor is mathematical, so U < 0 never fires
    V = U - z * D                     soft reset
        0 where z > 0, else U         hard reset
        U                             no reset

A readout does not fire: V becomes V + psum + c, and V is the output of the timestep. A sum does not fire either and
keeps nothing, so that U = psum + c, and its output is the integer ``clip(U >> shift, -2**(bits-1), 2**(bits-1) - 1)``,
where the shift is arithmetic (floor).
"""

import numba as nb
import numpy as np

from ...support.errors import RepriseError
from ...support.kernels import kernel
from ...support.threads import threads_for
from ..network.neuron import Neuron

RESETS = {"soft": 0, "hard": 1, "none": 2}


def _per_channel(values: np.ndarray, ndim: int, channel_axis: int) -> np.ndarray:
    shape = [1] * ndim
    shape[channel_axis] = len(values)
    return values.reshape(shape)


def initial(neuron: Neuron, shape: tuple[int, ...], channel_axis: int = -3) -> np.ndarray:
    """Return the membrane potential before the first timestep: ``v0`` of each channel, int64 of ``shape``."""
    return np.broadcast_to(_per_channel(neuron.v0, len(shape), channel_axis), shape).astype(np.int64)


def step(v: np.ndarray, psum: np.ndarray, neuron: Neuron, channel_axis: int = -3) -> tuple[np.ndarray, np.ndarray]:
    """Take a layer of neurons one timestep on, by the equations of this module.

    Parameters
    ----------
    v : int64[..., O, H, W]
        The membrane potential before the step.
    psum : integers of the same shape
        The sums of the layer's products at this timestep.
    neuron : Neuron
    channel_axis : int
        The axis of O, which is the third from the end unless told otherwise.

    Returns
    -------
    (z, v) : levels int64 in 0..N, and the membrane potential after the step. For a readout both are the potential, and
        for a sum they are its integers and U.
    """
    v, psum = np.asarray(v), np.asarray(psum)
    for name, array in (("v", v), ("psum", psum)):
        if not np.issubdtype(array.dtype, np.integer):
            raise RepriseError(f"{name} must be an array of integers, not {array.dtype}")
    channels = psum.shape[channel_axis]
    if channels != neuron.channels:
        raise RepriseError(
            f"psum must have {neuron.channels} channels (one per neuron parameter) on axis {channel_axis}, "
            f"not {channels} (shape {psum.shape})"
        )
    leak, bias, threshold = (
        _per_channel(a, psum.ndim, channel_axis) for a in (neuron.leak, neuron.bias, neuron.threshold)
    )
    u = ((v.astype(np.int64) * leak) >> 8) + psum.astype(np.int64) + bias
    if neuron.kind == "readout":
        return u, u.copy()
    if neuron.kind == "sum":
        return np.clip(u >> neuron.shift, *neuron.integers), u
    z = np.clip(np.floor_divide(u, threshold), 0, neuron.levels)
    if neuron.reset == "soft":
        return z, u - z * threshold
    if neuron.reset == "hard":
        return z, np.where(z > 0, 0, u)
    return z, u


@kernel(parallel=True)
def _integrate(
    psum: np.ndarray,
    threshold: np.ndarray,
    bias: np.ndarray,
    v0: np.ndarray,
    leak: np.ndarray,
    levels: int,
    reset: int,
    z: np.ndarray,
    potential: np.ndarray,
) -> None:
    """Run all timesteps of sums (n, T, O, S); ``potential`` has the same shape, or T = 0 where nobody wants it."""
    n, timesteps, channels, size = psum.shape
    keep = potential.shape[1] > 0
    for job in nb.prange(n * channels):
        image, o = job // channels, job % channels
        d, top = threshold[o], levels * threshold[o]
        for s in range(size):
            v = v0[o]
            for t in range(timesteps):
                u = ((v * leak[o]) >> 8) + np.int64(psum[image, t, o, s]) + bias[o]
                level = np.int64(0)
                if levels > 0 and u >= d:
                    level = np.int64(levels) if u >= top else u // d
                v = u
                if level > 0 and reset == 0:
                    v = u - level * d
                elif level > 0 and reset == 1:
                    v = np.int64(0)
                if levels > 0:
                    z[image, t, o, s] = level
                if keep:
                    potential[image, t, o, s] = v


def integrate(
    psum: np.ndarray, neuron: Neuron, *, potentials: bool = False
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Run all timesteps of a layer, compiled: what :func:`step` gives when it is repeated from ``v0`` on.

    Parameters
    ----------
    psum : integers [n, T, O, H, W]
    neuron : Neuron
    potentials : bool
        Return the membrane potential after every step too, as is always done for a readout.

    Returns
    -------
    (levels, potentials) : uint8[n, T, O, H, W], or None for a readout, and int64[n, T, O, H, W], or None
        In place of levels, a sum gives its integers, int8, int16 or int32 as it has bits.
    """
    n, timesteps, channels, height, width = psum.shape
    if channels != neuron.channels:
        raise RepriseError(f"psum must have {neuron.channels} channels on axis 2, not {channels}")
    if neuron.kind == "sum":
        u = psum.astype(np.int64) + _per_channel(neuron.bias, 5, 2)
        return np.clip(u >> neuron.shift, *neuron.integers).astype(f"i{neuron.bits // 8}"), u if potentials else None
    fires = neuron.fires
    keep = potentials or not fires
    shape = (n, timesteps, channels, height * width)
    z = np.zeros(shape if fires else (0, 0, 0, 0), dtype=np.uint8)
    potential = np.empty(shape if keep else (0, 0, 0, 0), dtype=np.int64)
    flat = np.ascontiguousarray(psum).reshape(shape)
    with threads_for(5 * flat.size):
        _integrate(
            flat,
            neuron.threshold,
            neuron.bias,
            neuron.v0,
            neuron.leak,
            neuron.levels,
            RESETS[neuron.reset],
            z,
            potential,
        )
    return (z.reshape(psum.shape) if fires else None), (potential.reshape(psum.shape) if keep else None)
