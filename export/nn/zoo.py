"""Ready-made networks, as PyTorch modules of ``torch.nn`` layers and the neurons of :mod:`reprise.export.nn.neurons`.

:func:`build` makes a network by its name. Residual networks come with the four joins that arXiv 2510.24637 compares:

- ``spiking``: the branches are joined in front of a neuron, ``SN(BN(conv(z) + h z))``, where h is a factor for each
  channel.
- ``sew``: spikes are added to spikes behind the neurons (Fang et al. 2021, ADD). Levels pile up from block to block.
- ``ms``: the current in front of the neurons is the shortcut (Hu et al. 2021). Neurons stand in front of all
  convolutions but the first, those of shortcuts included.
- ``sparse``: spikes are added as in SEW, and a barrier neuron behind them emits 0..N again, or fewer levels
  (``barrier_levels``). It emits one level for every ``barrier`` levels of the sum, rounded: with 1 it only clips, and
  with 2 it gives the mean of both sides, which nothing clips.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import torch
from torch import nn

from ...support.errors import RepriseError
from .neurons import Barrier, MultiLevelIF, MultiLevelLIF
from .spike_driven import SpikeDrivenTransformer
from .spikformer import Spikformer

JOINS = ("spiking", "sew", "ms", "sparse")


def neuron_factory(levels: int, timesteps: int, neuron: str = "if", **kwargs: Any) -> Callable[..., MultiLevelIF]:
    """Return a function that makes one neuron, of kind "if" or "lif"; ``kwargs`` are those of the neuron."""
    if neuron not in ("if", "lif"):
        raise RepriseError(f"neuron must be if or lif, not {neuron!r}")
    kind = MultiLevelLIF if neuron == "lif" else MultiLevelIF
    return partial(kind, levels=levels, timesteps=timesteps, **kwargs)


class Chain:
    """Collects the layers of a plain network, and names them conv1, norm1, sn1, pool1, conv2 and so on."""

    def __init__(self, sn: Callable[[], nn.Module]) -> None:
        self.sn = sn
        self.parts: OrderedDict[str, nn.Module] = OrderedDict()
        self.counts: dict[str, int] = {}

    def add(self, kind: str, module: nn.Module) -> Self:
        """Append a module, which is named by its kind and its number."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.parts[f"{kind}{self.counts[kind]}"] = module
        return self

    def conv(self, c_in: int, c_out: int, kernel: int, padding: int = 0) -> Self:
        """Append a convolution with its batch norm and neuron."""
        self.add("conv", nn.Conv2d(c_in, c_out, kernel, 1, padding, bias=False))
        return self.add("norm", nn.BatchNorm2d(c_out)).add("sn", self.sn())

    def linear(self, n_in: int, n_out: int) -> Self:
        """Append a linear layer with its batch norm and neuron."""
        self.add("fc", nn.Linear(n_in, n_out, bias=False))
        return self.add("norm", nn.BatchNorm1d(n_out)).add("sn", self.sn())

    def pool(self) -> Self:
        return self.add("pool", nn.MaxPool2d(2))

    def flatten(self) -> Self:
        return self.add("flatten", nn.Flatten())

    def readout(self, n_in: int, n_out: int) -> nn.Sequential:
        """Append the last linear layer, which does not fire, and return the network."""
        self.parts["readout"] = nn.Linear(n_in, n_out)
        return nn.Sequential(self.parts)


def digits(sn: Callable[[], nn.Module], classes: int = 10) -> nn.Sequential:
    """Make the network for 8x8 digits: 16C3 - P2 - 32C3 - P2 - 64 - 10."""
    net = Chain(sn).conv(1, 16, 3, padding=1).pool().conv(16, 32, 3, padding=1).pool()
    return net.flatten().linear(128, 64).readout(64, classes)


def lenet5(sn: Callable[[], nn.Module], classes: int = 10) -> nn.Sequential:
    """Make LeNet-5 (LeCun et al. 1998) for 28x28 images: 6C5 (padding 2) - P2 - 16C5 - P2 - 120 - 84 - 10."""
    net = Chain(sn).conv(1, 6, 5, padding=2).pool().conv(6, 16, 5).pool()
    return net.flatten().linear(400, 120).linear(120, 84).readout(84, classes)


def vgg9(sn: Callable[[], nn.Module], classes: int = 10, width: int = 64) -> nn.Sequential:
    """Make VGG-9 for 32x32 images: 2 x wC3 - P2 - 2 x 2wC3 - P2 - 3 x 4wC3 - P2 - 8w - 10."""
    net, c = Chain(sn), 3
    for factor, repeat in ((1, 2), (2, 2), (4, 3)):
        for _ in range(repeat):
            net.conv(c, factor * width, 3, padding=1)
            c = factor * width
        net.pool()
    return net.flatten().linear(16 * c, 8 * width).readout(8 * width, classes)


class Block(nn.Module):
    """Residual block of two 3x3 convolutions, joined in one of the ways of :data:`JOINS`."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        sn: Callable[[], nn.Module],
        join: str,
        make_barrier: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.join = join
        down = stride > 1 or c_in != c_out
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        if join == "ms":
            self.sn1, self.sn2 = sn(), sn()
        else:
            self.sn1 = sn()
        self.conv1, self.bn1 = conv(c_in, c_out, stride=stride), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = conv(c_out, c_out), nn.BatchNorm2d(c_out)
        self.short: nn.Module = nn.Identity()
        if down:
            self.short = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
        elif join == "spiking":
            self.short = nn.Conv2d(c_in, c_out, 1, groups=c_in, bias=False)
            nn.init.ones_(self.short.weight)
        if join == "spiking":
            self.sn = sn()
        if join in ("sew", "sparse"):
            self.sn2 = sn()
            if down:
                self.short = nn.Sequential(self.short, nn.BatchNorm2d(c_out), sn())
        if join == "ms" and down:
            self.short = nn.Sequential(self.short, nn.BatchNorm2d(c_out))
        if join == "sparse":
            self.barrier = make_barrier()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.join == "spiking":
            return self.sn(self.bn2(self.conv2(self.sn1(self.bn1(self.conv1(x)))) + self.short(x)))
        if self.join == "ms":
            fired = self.sn1(x)
            shortcut = x if isinstance(self.short, nn.Identity) else self.short(fired)
            return shortcut + self.bn2(self.conv2(self.sn2(self.bn1(self.conv1(fired)))))
        out = self.sn2(self.bn2(self.conv2(self.sn1(self.bn1(self.conv1(x)))))) + self.short(x)
        return self.barrier(out) if self.join == "sparse" else out


class ResNet(nn.Module):
    """Residual network for 32x32 images: a 3x3 stem, and three stages of ``blocks`` blocks with widths w, 2w and 4w."""

    def __init__(
        self,
        sn: Callable[[], nn.Module],
        join: str,
        make_barrier: Callable[[], nn.Module],
        classes: int = 10,
        width: int = 16,
        blocks: int = 3,
    ) -> None:
        super().__init__()
        if join not in JOINS:
            raise RepriseError(f"join must be one of {JOINS}, not {join!r}")
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.sn = nn.Identity() if join == "ms" else sn()
        stages, c = [], width
        for stage in range(3):
            for b in range(blocks):
                stride = 2 if stage and not b else 1
                stages.append(Block(c, width << stage, stride, sn, join, make_barrier))
                c = width << stage
        self.blocks = nn.Sequential(*stages)
        self.last = sn() if join == "ms" else nn.Identity()
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.fc = nn.Linear(c, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.last(self.blocks(self.sn(self.bn(self.stem(x)))))
        return self.fc(self.flatten(self.pool(x)))


NETWORKS = ("digits", "lenet5", "vgg9", *(f"resnet-{j}" for j in JOINS), "spikformer", "sdt")
SMALL, COLOUR = (1, 8, 8), (3, 32, 32)
SHAPES = {"digits": SMALL, "lenet5": (1, 28, 28), "spikformer": SMALL, "sdt": SMALL}
HEAD = 16
"""The channels of a head of the attention."""


def fits(name: str, shape: Sequence[int]) -> bool:
    """Return whether images of ``shape`` (C, H, W) suit a network.

    Residual networks take any square whose side is a multiple of 4.
    """
    if name.startswith("resnet-"):
        return shape[0] == 3 and shape[1] == shape[2] and shape[1] % 4 == 0
    return tuple(shape) == SHAPES.get(name, COLOUR)


def build(
    name: str,
    *,
    levels: int,
    timesteps: int,
    classes: int = 10,
    neuron: str = "if",
    seed: int = 0,
    width: int | None = None,
    blocks: int = 3,
    barrier: float = 1,
    barrier_levels: int | None = None,
    barrier_surrogate: str = "identity",
    **kwargs: Any,
) -> tuple[nn.Module, tuple[int, int, int]]:
    """Make a network by its name, with weights that are initialized from ``seed``.

    Parameters
    ----------
    name : one of :data:`NETWORKS`
    width : base channels of vgg9 (64 by default) and of residual networks (16 by default), and the channels of a token
        of spikformer and sdt (32 by default)
    blocks : blocks of each stage of a residual network, or of spikformer and sdt
    barrier : levels of a sum for each level that a barrier emits
    barrier_levels : largest level of barriers, 1..255; by default ``levels``
    barrier_surrogate : "identity", or "clipped", which has no gradient where barriers clip and is needed with fewer
        levels
    kwargs : of the neurons

    Returns
    -------
    (module, shape) : the network, and the shape (C, H, W) of the images that it is meant for

    Raises
    ------
    ValueError
        There is no such network or neuron, or a parameter of the neurons is out of range.
    """
    if name not in NETWORKS:
        raise RepriseError(f"network must be one of {', '.join(NETWORKS)}, not {name!r}")
    sn = neuron_factory(levels, timesteps, neuron, **kwargs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        v0 = 0.0 if barrier == 1 else 0.5  # fractions of a level are rounded, and whole levels need no rounding
        step: dict[str, Any] = dict(threshold=barrier, v0=v0, surrogate=barrier_surrogate)
        make_barrier = partial(Barrier, barrier_levels or levels, timesteps, **step)
        dim = width or 32
        stem, options = ((dim // 2, False), (dim, True)), dict[str, Any](depth=blocks, neuron=sn, classes=classes)
        if name == "spikformer":
            net: nn.Module = Spikformer(1, stem, heads=max(dim // HEAD, 1), barrier=make_barrier, **options)
        elif name == "sdt":
            net = SpikeDrivenTransformer(1, stem, **options)
        elif name.startswith("resnet-"):
            net = ResNet(sn, name[7:], make_barrier, classes, width or 16, blocks)
        elif name == "vgg9":
            net = vgg9(sn, classes, width or 64)
        else:
            net = {"digits": digits, "lenet5": lenet5}[name](sn, classes)
    return net, SHAPES.get(name, COLOUR)
