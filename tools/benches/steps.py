"""Benchmarks of captures: what each step towards a fast accelerator saves, in cycles of the exact cycle model.

A step adds a feature to those before it. Features of the compiler are left out by compiling without them, features of
the hardware by the fields of its configuration, or else in the exact cycle model, so that all are measured on the
present sources. Each layer is a job
of its own, as ``reprise cosim CAPTURE`` has it. The captures are in ``../shared/data/captures``.
"""

from pathlib import Path

from reprise.compiler import compile_network
from reprise.compiler.depths import ALL_WHOLE
from reprise.cosim.jobs.replay import Replay, replays
from reprise.estimate.cycles.parameters import OLDER
from reprise.estimate.network import Part, estimate_image
from reprise.hw.arch.config import HardwareConfig
from tools.bench import ROOT, Skip

CAPTURES = ROOT.parent / "shared" / "data" / "captures"
BUSES = (128, 256)

OLD = tuple(OLDER)
FIELDS = {"load_rows": 4, "feature_words": 4096, "tile_k": 32, "weight_banks": 4}
STEPS: dict[str, tuple[bool, bool, tuple[str, ...], dict[str, int]]] = {
    "paper": (False, False, OLD, {}),
    "depths": (True, False, OLD, {}),
    "used": (True, True, OLD, {}),
    "fits": (True, True, OLD, {"load_rows": 4, "feature_words": 4096}),
    "k32": (True, True, OLD, {"load_rows": 4, "feature_words": 4096, "tile_k": 32}),
    "weight_banks": (True, True, OLD, FIELDS),
    "features": (True, True, ("overlap", "clean", "table"), FIELDS),
    "overlap": (True, True, ("clean", "table"), FIELDS),
    "table": (True, True, (), FIELDS),
}
"""For each step: whether the bits of a K tile are chosen for each layer, whether only used weight rows are fetched,
what the hardware lacks, and the fields in which the configuration differs from ``paper``."""


def cycles(one: Replay, config: HardwareConfig, chosen: bool, used: bool, older: tuple[str, ...]) -> tuple[int, int]:
    """Return the cycles of a layer, and those of the published simulator."""
    names = [layer.name for layer in one.network.layers]
    compiled = compile_network(
        one.network,
        config,
        len(one.images),
        tile_depths={} if chosen else dict.fromkeys(names, config.tile_k),
        whole_tiles={} if used else dict.fromkeys(names, ALL_WHOLE),
    )
    total = estimate_image(compiled, [Part.run(one.network, one.images)], older=older)[0]["total"]["cycles"]
    return total["cycle_model"], total["published_model"]


def _capture(name: str) -> dict[str, int]:
    """Return the cycles of all steps on buses of all widths, and those of the published simulator."""
    path = CAPTURES / f"{name}.npz"
    if not path.exists():
        raise Skip(f"{path.name} is not in {Path(*path.parts[-4:-1])}")
    found, published = {}, 0
    for step, (chosen, used, older, fields) in STEPS.items():
        for bus in BUSES:
            config = HardwareConfig.load("paper").replace(bus_bits=bus, **fields)
            layers = [cycles(one, config, chosen, used, older) for one in replays(path, config)]
            found[f"{step}_{bus}_cycles"] = sum(own for own, _ in layers)
            published = sum(other for _, other in layers)
    return found | {"published_cycles": published}


def bench_lenet5() -> dict:
    """The capture of LeNet-5 on MNIST, 32 timesteps."""
    return _capture("lenet5_mnist")


def bench_alexnet() -> dict:
    """The capture of AlexNet on CIFAR-10."""
    return _capture("alexnet_loas")


def bench_vgg9() -> dict:
    """The capture of VGG-9 on CIFAR-10."""
    return _capture("vgg9_cifar10")
