"""Benchmarks of the presets at the size of the paper: cycles of captures and of networks, on buses of two widths.

Each layer of a capture is a job of its own, as ``reprise cosim CAPTURE`` has it. The captures are in
``../shared/data/captures``.
"""

from reprise.cosim.jobs.replay import replays
from reprise.estimate.network import estimate
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from tools.benches.steps import BUSES, captured

PRESETS = ("paper", "fast", "paper2")
IMAGES = 8


def configurations() -> dict[str, HardwareConfig]:
    """Return the configurations by what their figures are called."""
    return {f"{name}_{bus}": HardwareConfig.load(name).replace(bus_bits=bus) for name in PRESETS for bus in BUSES}


def _capture(name: str) -> dict[str, int]:
    path = captured(name)
    found, published = {}, 0
    for key, config in configurations().items():
        totals = [estimate(one.network, config, one.images)["total"]["cycles"] for one in replays(path, config)]
        found[f"{key}_cycles"] = sum(total["cycle_model"] for total in totals)
        published = published or sum(total["published_model"] for total in totals)  # that of K tiles of 16 bits
    return found | {"published_cycles": published}


def _network(name: str) -> dict[str, int]:
    found, published = {}, 0
    for key, config in configurations().items():
        file = open_network(name, config)
        total = estimate(file.network, config, choose_images(file, IMAGES, 0).images)["total"]["cycles"]
        found[f"{key}_cycles"] = total["cycle_model"]
        published = published or total["published_model"]
    return found | {"published_cycles": published}


def bench_lenet5_capture() -> dict:
    """The capture of LeNet-5 on MNIST, 32 timesteps."""
    return _capture("lenet5_mnist")


def bench_alexnet_capture() -> dict:
    """The capture of AlexNet on CIFAR-10."""
    return _capture("alexnet_loas")


def bench_vgg9_capture() -> dict:
    """The capture of VGG-9 on CIFAR-10."""
    return _capture("vgg9_cifar10")


def bench_digits() -> dict:
    """The network ``digits`` with 8 images."""
    return _network("digits")


def bench_lenet5() -> dict:
    """The network ``lenet5`` with 8 images."""
    return _network("lenet5")
