"""Your own PyTorch module: quantized to integers, checked, and run as a program of the accelerator."""

import numpy as np
import torch
from torch import nn

import reprise as rp
from reprise.export.nn.neurons import MultiLevelIF

torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1, bias=False),
    nn.BatchNorm2d(8),
    MultiLevelIF(levels=4),  # spikes of 0..4
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(128, 10),
)  # train it as any module; docs/training.md trains the integers themselves

images = np.random.default_rng(0).integers(0, 17, (32, 1, 8, 8)).astype(np.uint8)  # levels 0..16
network = rp.quantize(module, images, "tiny", name="mine", levels=16, scale=1 / 16)
for change in network.changes:
    print(f"changed: {change}")
print(network.save("build/examples/mine"))
print(repr(rp.estimate_cycles(network, "tiny", images=4)))
print(rp.cosimulate(network, "tiny", images=4, engine="interpreter"))  # engine="rtl" takes the generated hardware
