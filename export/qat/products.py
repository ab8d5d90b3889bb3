"""Layers that multiply two maps of the network, as attention does.

The products of levels are integers already, so that nothing is rounded but the threshold and the bias of the neuron
behind them. Training and export share everything else with :class:`reprise.export.qat.layers.QatLayer`: its one weight
of each channel is the value of one integer of the product, in the units of the source network.
"""

from __future__ import annotations

from typing import Any

import torch

from ..nn.attention import over_channels, over_tokens
from .layers import QatLayer
from .specs import NeuronSpec, ProductSpec, SourceSpec


class QatProduct(QatLayer):
    """A product of two maps, with its neuron; ``forward`` takes the levels of the feature, and the operand's values."""

    product: ProductSpec

    def __init__(self, name: str, product: ProductSpec, unit: torch.Tensor, neuron: NeuronSpec, **options: Any) -> None:
        source = SourceSpec(feature=product.feature, weight=unit, fixed=True)
        super().__init__(name, [source], neuron, levels_in=[product.levels], **options)
        self.product, self.reads = product, (product.feature, product.operand)

    def scale(self) -> torch.Tensor:
        return self.weights[0].detach().flatten()

    def integer_weights(self, scale: torch.Tensor) -> list[torch.Tensor]:
        """Return what bounds the sums as weights do: one of K times the operand's largest value for each channel."""
        return [torch.full_like(self.weights[0].detach(), self.product.depth * self.product.most)]

    def partial_sums(self, inputs: list[torch.Tensor], weights: list[torch.Tensor]) -> torch.Tensor:
        feature, operand = (x.to(weights[0].dtype) for x in inputs)
        multiply = over_tokens if self.product.over == "tokens" else over_channels
        return multiply(feature, operand, self.product.heads)
