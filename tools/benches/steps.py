"""Benchmarks of captures: what each step towards a fast accelerator saves, in cycles of the exact cycle model.

A step adds a feature to those before it. Features of the compiler are left out by compiling without them, features of
the hardware by the fields of its configuration, or else in the exact cycle model, so that all are measured on the
present sources. Each layer is a job
of its own, as ``reprise cosim CAPTURE`` has it. The captures are in ``../shared/data/captures``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
FAST = FIELDS | {"one_bit_matches": 1, "narrow_buffers": 1}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What compiler and hardware have, and the fields in which the configuration differs from ``paper``.

    Members
    -------
    chosen : whether the bits of a K tile are chosen for each layer
    used : whether only used weight rows are fetched
    older : what the hardware lacks
    order : whether the channels of maps may lie in an order of their own
    """

    fields: Mapping[str, int]
    chosen: bool = True
    used: bool = True
    older: tuple[str, ...] = ()
    order: bool = False


STEPS = {
    "paper": Step(chosen=False, used=False, older=OLD, fields={}),
    "depths": Step(used=False, older=OLD, fields={}),
    "used": Step(older=OLD, fields={}),
    "fits": Step(older=OLD, fields={"load_rows": 4, "feature_words": 4096}),
    "k32": Step(older=OLD, fields={"load_rows": 4, "feature_words": 4096, "tile_k": 32}),
    "weight_banks": Step(older=OLD, fields=FIELDS),
    "features": Step(older=("overlap", "clean", "table"), fields=FIELDS),
    "overlap": Step(older=("clean", "table"), fields=FIELDS),
    "table": Step(fields=FIELDS),
    "fast": Step(fields=FAST),
    "order": Step(fields=FAST, order=True),
}


def cycles(one: Replay, config: HardwareConfig, step: Step) -> tuple[int, int]:
    """Return the cycles of a layer, and those of the published simulator."""
    names = [layer.name for layer in one.network.layers]
    compiled = compile_network(
        one.network,
        config,
        len(one.images),
        tile_depths={} if step.chosen else dict.fromkeys(names, config.tile_k),
        whole_tiles={} if step.used else dict.fromkeys(names, ALL_WHOLE),
        order=step.order,
    )
    total = estimate_image(compiled, [Part.run(one.network, one.images)], older=step.older)[0]["total"]["cycles"]
    return total["cycle_model"], total["published_model"]


def captured(name: str) -> Path:
    """Return the file of a capture, or skip the benchmark where it is not at hand."""
    path = CAPTURES / f"{name}.npz"
    if not path.exists():
        raise Skip(f"{path.name} is not in {Path(*path.parts[-4:-1])}")
    return path


def _capture(name: str) -> dict[str, int]:
    """Return the cycles of all steps on buses of all widths, and those of the published simulator."""
    path = captured(name)
    found, published = {}, 0
    for key, step in STEPS.items():
        for bus in BUSES:
            config = HardwareConfig.load("paper").replace(bus_bits=bus, **step.fields)
            layers = [cycles(one, config, step) for one in replays(path, config)]
            found[f"{key}_{bus}_cycles"] = sum(own for own, _ in layers)
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
