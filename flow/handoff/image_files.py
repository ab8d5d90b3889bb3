"""Writes a memory image as the files that hosts read: bytes, map, C header, and a batch of samples with its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...hw.arch.feature_map import FeatureMap
from ...hw.arch.memory_image import MemoryImage
from ...hw.arch.relocation import BASE_ALIGNMENT
from .rendering import render


def _maps(found: Mapping[str, FeatureMap], first: int = 0) -> list[dict]:
    """Return maps as the template reads them, with numbers from ``first`` on, and where their channels lie."""
    return [
        {"key": key, "map": f, "number": first + n, "places": np.argsort(f.order).tolist()}
        for n, (key, f) in enumerate(found.items())
    ]


def image_header(image: MemoryImage) -> str:
    """Return the text of ``image.h``: sizes, offsets and layouts of an image, in C99."""
    first = image.inputs()[0]
    outputs = image.outputs()
    return render(
        "image.h",
        name=json.dumps(image.network)[1:-1].replace("*/", "* /"),
        image=image,
        hash=int(image.config.digest()[:8], 16),
        stride=-(-image.size // BASE_ALIGNMENT) * BASE_ALIGNMENT,
        input=first,
        input_frames=first.timesteps if image.input_mode == "given" else 1,
        inputs=_maps({key: f for key, f in image.features.items() if f.name == "input"}),
        outputs=_maps(outputs, len(image.inputs())),
        result=list(outputs.values())[-1],
    )


def scores_of(image: MemoryImage, memory: np.ndarray) -> np.ndarray:
    """Return int64[images, classes], the class scores of the network's result in memory after a job.

    They are the potentials of the last timestep, or the levels of all timesteps, summed over the positions.
    """
    key, last = list(image.outputs().items())[-1]
    values = image.read_feature_map(memory, key).astype(np.int64)
    frames = values[:, -1] if last.kind == "potentials" else values.sum(axis=1)
    return frames.sum(axis=(2, 3))


def write_image(folder: Path, image: MemoryImage, pixels: np.ndarray, memory: np.ndarray | None = None) -> None:
    """Write ``memory.bin``, ``memory.json``, ``image.h`` and a batch of samples with its scores into a folder.

    Parameters
    ----------
    folder : where the files go
    image : the compiled network
    pixels : levels of a batch, as :meth:`MemoryImage.pack_input` takes them
    memory : the memory after a job on ``pixels``; by default that of the golden interpreter
    """
    from ...compiler.golden.interpreter import interpret

    pixels = np.asarray(pixels)
    scores = scores_of(image, interpret(image, pixels) if memory is None else memory)
    image.save(folder)
    (folder / "image.h").write_text(image_header(image))
    frame = pixels if pixels.ndim == 4 or image.input_mode == "given" else pixels[:, 0]  # a static image's frames agree
    flat = frame.astype(np.uint8).reshape(len(frame), -1)
    (folder / "samples.h").write_text(render("samples.h", pixels=flat.tolist(), scores=scores.tolist()))
    np.savez(folder / "samples.npz", pixels=pixels, scores=scores)
