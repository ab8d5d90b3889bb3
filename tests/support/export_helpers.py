"""What tests of the export share: a few training steps, pixels, and the network in PyTorch against the model."""

import numpy as np
import torch
from torch import nn

from reprise.export.qat import check, deploy
from reprise.hw.arch.config import HardwareConfig

SEED = 5
PAPER = HardwareConfig.load("paper")


def settle(net, images, steps=3):
    """A few training steps, so that statistics and parameters are no longer the initial ones."""
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(steps):
        loss = net(images).logsumexp(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def assert_agrees(net, shape, levels=255, count=6):
    network = deploy.to_network(net, "net")
    rng = np.random.default_rng(SEED)
    images = rng.integers(0, levels + 1, (count, *shape)).astype(np.uint8)
    images[rng.random(images.shape) < 0.3] = 0
    images[0], images[1] = 0, levels  # all-zero rows, full rows
    report = check.compare(network, images, net)
    assert report.difference is None, str(report.difference)
    assert min(report.compared.values()) > 0
    twin = check.compare(network, images)
    assert twin.difference is None, str(twin.difference)
    return network


def pixels(shape, levels=255, count=8):
    return torch.randint(0, levels + 1, (count, *shape), generator=torch.Generator().manual_seed(SEED)).float()


class Net(nn.Module):
    """A network whose forward pass is ``f(self, x)``."""

    def __init__(self, f, **modules):
        super().__init__()
        self.f = f
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.f(self, x)
