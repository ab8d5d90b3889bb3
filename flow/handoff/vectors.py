"""Makes what the testbench of a hand-off runs: a network, its memory image, and the memory after the job."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...compiler import compile_network
from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import MemoryImage
from ...model.network.network import Network


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """What a testbench needs: images, and the memory after the job (uint8, from ``image.base`` on)."""

    network: str
    image: MemoryImage
    pixels: np.ndarray
    packed_input: bytes
    golden: np.ndarray

    def regions(self) -> list[dict]:
        """Return the feature maps that the accelerator writes: name, first bus word, and number of bus words."""
        word = self.image.config.bus_bits // 8
        return [
            {"name": key, "first": (f.address - self.image.base) // word, "count": f.bytes // word}
            for key, f in self.image.features.items()
            if f.name != "input"
        ]


def sample_network(
    seed: int = 7, *, name: str = "sample", side: int = 8, levels: int = 15, channels: int = 12, outputs: int = 10
) -> Network:
    """Make a network of fixed random weights that runs on every preset.

    It has a convolution with a pool, a convolution, and a readout.

    Parameters
    ----------
    side : pixels of an image's side, an even number
    levels : largest level of an image
    channels : of the second convolution
    outputs : of the readout
    """
    from ...model.network.layer import Layer, Source
    from ...model.network.network import Network
    from ...model.network.neuron import Neuron
    from ...model.network.pool import MaxPool

    r = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return r.integers(-9, 10, shape).astype(np.int8)

    layers = (
        Layer(
            name="conv1",
            sources=(Source(feature="input", weight=weights(6, 1, 3, 3), padding=1),),
            neuron=Neuron.uniform(6, levels=3, threshold=11, v0=5),
            pool=MaxPool(kernel=2),
        ),
        Layer(
            name="conv2",
            sources=(Source(feature="conv1", weight=weights(channels, 6, 3, 3), padding=1),),
            neuron=Neuron.uniform(channels, levels=2, threshold=23, v0=2),
        ),
        Layer(
            name="out",
            sources=(
                Source(feature="conv2", weight=weights(outputs, channels * (side // 2) ** 2, 1, 1), flatten=True),
            ),
            neuron=Neuron.readout(outputs, bias=3),
        ),
    )
    return Network(name=name, input_shape=(1, side, side), input_levels=levels, timesteps=1, layers=layers)


def make_vectors(config: HardwareConfig, *, network: str = "sample", images: int = 2, seed: int = 7) -> Vectors:
    """Compile a network and run it in the golden interpreter.

    Parameters
    ----------
    network : "sample", or a network file or preset (see :mod:`reprise.export.find`)
    images : how many images it runs on
    seed : of random images

    Raises
    ------
    CompileError
        The configuration cannot run the network.
    """
    from ...compiler.golden.interpreter import interpret

    if network == "sample":
        found = sample_network()
        pixels = np.random.default_rng(seed).integers(0, 16, (images, 1, 8, 8))
    else:
        from ...export.find import choose_images, find_network

        file, _ = find_network(network, config)
        found, pixels = file.network, choose_images(file, images, seed).images
    image = compile_network(found, config, images=images, keep_features=True)
    return Vectors(
        network=found.name,
        image=image,
        pixels=pixels,
        packed_input=image.pack_input(pixels),
        golden=interpret(image, pixels),
    )


def hex_text(memory: np.ndarray, word_bytes: int) -> str:
    """Memory as $readmemh reads it, with a bus word in each line."""
    padded = np.zeros(-(-len(memory) // word_bytes) * word_bytes, np.uint8)
    padded[: len(memory)] = memory
    return "\n".join(word[::-1].tobytes().hex() for word in padded.reshape(-1, word_bytes)) + "\n"
