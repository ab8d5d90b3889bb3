"""A network of :class:`reprise.export.qat.layers.QatLayer` over named feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import nn

from ...model.network.network import InputMode
from ...support.errors import RepriseError
from .layers import QatLayer
from .specs import ROUNDINGS


@dataclass(frozen=True, kw_only=True)
class End:
    """What the source network returns of the last layer.

    Members
    -------
    unit : the real value of one level, a number or a tensor (O,), if the last layer fires
    mean : it returns the mean over all positions
    reduce : it returns the "mean" or the "sum" over the timesteps, or None if it returns them all
    """

    unit: float | torch.Tensor = 1.0
    mean: bool = False
    reduce: str | None = None


class QatNetwork(nn.Module):
    """Layers in the order of their execution, which read and write feature maps by name.

    ``forward(images)`` takes pixels (B, C, H, W), which are integer levels 0..``input_levels``, and returns logits
    (B, classes): the final potentials of a readout in real units, divided by T, or the sums of the last layer's levels.
    The ``input_mode`` "repeat" shows an image at every timestep, "once" shows it at t = 0 only, and "given" takes
    (T, B, C, H, W).
    """

    changes: tuple[str, ...] = ()
    """The numerical differences from the network that this one was made of."""
    end = End()
    """What of the last layer the source network returns."""
    train_seconds: float = 0.0
    """How long it was trained, over all runs."""

    def __init__(
        self,
        layers: Sequence[QatLayer],
        *,
        input_shape: tuple[int, int, int],
        input_levels: int,
        timesteps: int,
        input_mode: InputMode = "repeat",
        input_signed: bool = False,
    ) -> None:
        super().__init__()
        if input_mode not in ("repeat", "once", "given"):
            raise RepriseError(f"input_mode must be repeat, once or given, not {input_mode!r}")
        self.layers = cast("Sequence[QatLayer]", nn.ModuleList(layers))
        self.input_shape, self.input_levels = input_shape, input_levels
        self.timesteps, self.input_mode, self.input_signed = timesteps, input_mode, input_signed
        last = {}
        for i, layer in enumerate(layers):
            last.update(dict.fromkeys(layer.reads, i))
        self.last_use = last

    def quantize(self, on: bool) -> Self:
        """Switch all rounding on or off, and return the network."""
        for layer in self.layers:
            layer.rounding = ROUNDINGS if on else frozenset()
        return self

    def present(self, images: torch.Tensor) -> torch.Tensor:
        """Return the input levels (T, B, C, H, W) of a batch of images."""
        if self.input_mode == "given":
            return images
        if self.input_mode == "repeat" or self.timesteps == 1:
            return images.expand(self.timesteps, *images.shape)
        return torch.cat([images[None], images.new_zeros(self.timesteps - 1, *images.shape)])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = {"input": self.present(images)}
        for i, layer in enumerate(self.layers):
            out = layer([maps[name] for name in layer.reads])
            for name in layer.reads:
                if self.last_use[name] == i:
                    maps.pop(name, None)
            maps[layer.name] = out
        if layer.readout and layer.neuron.kind != "sum":
            out = out[-1].to(torch.float32) * layer.scale().view(-1, 1, 1) / self.timesteps
        else:
            out = out.sum(0)
        return out.mean((-2, -1))

    @torch.no_grad()
    def trace(
        self, images: torch.Tensor, potentials: dict[str, torch.Tensor] | None = None
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return the feature maps and the partial sums of a batch by name; all are (T, B, O, H, W) and of integers.

        ``potentials`` is a dictionary that takes V of every firing layer after each timestep, and U of sums.
        """
        maps, sums = {"input": self.present(images)}, dict[str, torch.Tensor]()

        def record(layer: QatLayer, out: torch.Tensor, y: torch.Tensor, v: list[torch.Tensor] | None) -> None:
            maps[layer.name], sums[layer.name] = out, y
            if potentials is not None and v:
                potentials[layer.name] = torch.stack(v)

        training = self.training
        self.eval()
        for layer in self.layers:
            layer.record = record
        try:
            self(images)
        finally:
            for layer in self.layers:
                layer.record = None
            self.train(training)
        return maps, sums
