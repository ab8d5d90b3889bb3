"""Networks of snnTorch that tests share: a Sequential, and the loop over timesteps of snnTorch's tutorials."""

import snntorch as snn
import torch
from torch import nn

SEED, T = 7, 5


def sequential(**options):
    torch.manual_seed(SEED)
    options = {**dict(threshold=0.3), **options}
    first, last = (snn.Leaky(init_hidden=True, output=output, **options) for output in (False, True))
    parts = [nn.Conv2d(1, 4, 3), first, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10), last]
    return nn.Sequential(*parts).eval()


class Loop(nn.Module):
    """The loop over timesteps of snnTorch's tutorials; ``ends`` is what it returns, ``steps`` how it counts."""

    def __init__(self, ends="both", steps="number", **options):
        super().__init__()
        torch.manual_seed(SEED)
        options = {**dict(beta=0.9, threshold=0.3, reset_mechanism="zero"), **options}
        self.ends, self.steps = ends, steps
        self.fc1, self.lif1 = nn.Linear(64, 30), snn.Leaky(**options)
        self.fc2, self.lif2 = nn.Linear(30, 10), snn.Leaky(**options)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.reset_mem()
        spikes, potentials, total = [], [], 0
        for step in range(T if self.steps == "number" else x.size(0)):
            image = x if self.steps == "number" else x[step]
            spk1, mem1 = self.lif1(self.fc1(image.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            potentials.append(mem2)
            total = total + spk2
        ends = dict(both=lambda: (torch.stack(spikes, dim=0), torch.stack(potentials, dim=0)), total=lambda: total)
        ends |= dict(mean=lambda: torch.stack(spikes).mean(0), rate=lambda: total / T)
        return ends[self.ends]()
