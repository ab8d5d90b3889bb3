"""Says which rounding changes the spikes of a layer: that of weights, of leaks, of thresholds, or of the layers before.

Each cause is tried alone, against the network without any rounding. So the shares of a layer need not add up to that of
all of them together: one spike can differ for two reasons, and two roundings can undo each other.
"""

import numpy as np
import torch

from .qat.network import QatNetwork

ALONE = ("weights", "leak", "threshold")
CAUSES = (*ALONE, "input", "all")
"""Each kind of rounding alone, rounded layers in front alone, and everything together."""


@torch.no_grad()
def causes(net: QatNetwork, images: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the share of spikes that differ from those without rounding, by layer and by cause.

    Parameters
    ----------
    net : a lowered network; it is quantized afterwards
    images : levels (n, C, H, W)
    """
    pixels = torch.tensor(np.asarray(images)).to(net.layers[0].threshold.dtype)
    rounded = net.quantize(True).trace(pixels)[0]
    plain = net.quantize(False).trace(pixels)[0]
    found: dict[str, dict[str, float]] = {}
    for layer in net.layers:
        if layer.readout:
            continue

        def share(levels: torch.Tensor, name: str = layer.name) -> float:
            return float((levels != plain[name]).double().mean())

        inputs = [plain[name] for name in layer.reads]
        found[layer.name] = {}
        for cause in ALONE:
            layer.rounding = frozenset({cause})
            found[layer.name][cause] = share(layer(inputs))
        layer.rounding = frozenset()
        found[layer.name]["input"] = share(layer([rounded[name] for name in layer.reads]))
        found[layer.name]["all"] = share(rounded[layer.name])
    net.quantize(True)
    return found
