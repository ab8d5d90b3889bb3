"""Networks of Norse that tests share."""

import norse.torch as norse
import torch
from torch import nn

SEED = 3


def box(**values):
    values = {name: torch.tensor(v) if isinstance(v, float) else v for name, v in values.items()}
    return norse.LIFBoxCell(norse.LIFBoxParameters(**values))


def network(cell):
    torch.manual_seed(SEED)
    net = norse.SequentialState(nn.Conv2d(1, 4, 3), cell(), nn.Flatten(), nn.Linear(144, 10), cell())
    for part in (net[0], net[3]):
        part.weight.data *= 4
    return net
