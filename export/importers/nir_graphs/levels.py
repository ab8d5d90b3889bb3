"""What several nodes of a NIR graph say together: neurons of several levels, and max pools of spikes.

NIR's Threshold is 1 where its input exceeds a threshold, and remembers nothing. Parallel ones at t, t + D, t + 2 D and
so on, whose readers add them up, are one neuron of so many levels that forgets its potential. A Threshold between 0 and
1 behind a SumPool2d of spikes says whether there was any spike: a max pool.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...qat.specs import NeuronSpec

SPIKING = ("IF", "LIF", "Threshold")


@dataclass(kw_only=True)
class Combined:
    """A graph whose nodes are put together.

    Members
    -------
    before : the inputs of each node that is left, by its name; each comes once
    maxpools : names of the SumPool2d nodes that are max pools
    members : names of the Threshold nodes of each neuron of several levels, the lowest one first, by the neuron's name
    """

    before: dict[str, list[str]]
    maxpools: set[str] = field(default_factory=set)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def readers(self, name: str) -> list[str]:
        """Return the nodes that read a node."""
        return [target for target, sources in self.before.items() if name in sources]

    def leave_out(self, name: str, instead: str) -> None:
        """Take a node out; its readers read another one."""
        del self.before[name]
        for target, sources in self.before.items():
            self.before[target] = list(dict.fromkeys(instead if source == name else source for source in sources))


def combined(nodes: Mapping[str, Any], before: Mapping[str, list[str]], *, several: bool = False) -> Combined:
    """Put together what belongs together; everything else stays as it is.

    ``several`` says that an IF or a LIF emits several spikes in a timestep, of which a threshold makes one.
    """
    found = Combined(before={name: list(sources) for name, sources in before.items()})
    kinds = {name: type(node).__name__ for name, node in nodes.items()}
    for name in [name for name in nodes if kinds[name] == "Threshold"]:
        inputs = found.before[name]
        spikes = found.before[inputs[0]] if len(inputs) == 1 and kinds[inputs[0]] == "SumPool2d" else []
        low = np.asarray(nodes[name].threshold)
        alone = len(spikes) == 1 and found.readers(inputs[0]) == [name] and found.readers(spikes[0]) == [inputs[0]]
        if alone and kinds[spikes[0]] in (SPIKING[-1:] if several else SPIKING) and bool(((low > 0) & (low < 1)).all()):
            found.maxpools.add(inputs[0])
            found.leave_out(name, inputs[0])
    groups: dict[tuple, list[str]] = {}
    for name in [name for name in found.before if kinds[name] == "Threshold"]:
        groups.setdefault((tuple(found.before[name]), *_tail(nodes, found, name)), []).append(name)
    for names in groups.values():
        names.sort(key=lambda name: float(np.asarray(nodes[name].threshold).flat[0]))
        steps = np.diff([np.asarray(nodes[name].threshold, np.float64) for name in names], axis=0)
        if len(names) == 1 or not (steps > 0).all() or np.abs(steps - steps[0]).max() > 1e-6 * steps.max():
            continue
        for name in names[1:]:
            pools = [[one for one in found.readers(n) if one in found.maxpools] for n in (names[0], name)]
            for instead, pool in zip(*pools, strict=True):
                found.leave_out(pool, instead)
            found.leave_out(name, names[0])
        found.members[names[0]] = tuple(names)
    return found


def _tail(nodes: Mapping[str, Any], found: Combined, name: str) -> tuple:
    """Return who reads a node, or who reads the max pool behind it, and how that pools."""
    readers = found.readers(name)
    if len(readers) == 1 and readers[0] in found.maxpools:
        pool = nodes[readers[0]]
        how = tuple(tuple(np.ravel(v).tolist()) for v in (pool.kernel_size, pool.stride, pool.padding))
        return (*how, *found.readers(readers[0]))
    return tuple(readers)


def levels_spec(
    thresholds: list[float | torch.Tensor], *, timesteps: int, reset: Any
) -> tuple[NeuronSpec, torch.Tensor | None]:
    """Return the neuron of Threshold nodes, whose thresholds, each a number or one for each channel, are in order.

    Its potential begins where the first threshold needs it. If there are several timesteps, a constant current, which
    is returned too, puts it there in each of them.
    """
    low = torch.as_tensor(thresholds[0], dtype=torch.float64)
    if len(thresholds) > 1:
        step = torch.as_tensor(thresholds[1], dtype=torch.float64) - low
    else:  # any positive step does: the threshold itself, if it is one
        step = torch.where(low > 0, low, low.abs().floor() + 1)
    spec = NeuronSpec(levels=len(thresholds), reset=reset, v0=0.0, threshold=step)
    if timesteps == 1:
        return replace(spec, v0=(step - low) / step), None
    return replace(spec, kind="lif", leak=0), step - low if bool((step != low).any()) else None
