"""The images of a batch as pictures for the report's page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """The images of a batch.

    Members
    -------
    images : levels (images, C, H, W) or (images, T, C, H, W)
    levels : largest level of the input
    signed : whether the input is int8
    """

    images: np.ndarray
    levels: int
    signed: bool

    def pictures(self) -> list[str]:
        """Return a data URI of each image."""
        return [picture(image, self.levels, self.signed) for image in self.images]


def png(pixels: np.ndarray) -> str:
    """Return a data URI of gray pixels uint8[H, W] or RGB pixels uint8[H, W, 3]."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def picture(image: np.ndarray, levels: int, signed: bool = False) -> str:
    """Return a data URI of an input (C, H, W), or (T, C, H, W), whose frames are averaged.

    Three channels are red, green and blue. Of any other number the first channel is shown, dark where levels are high.
    """
    image = np.asarray(image, float)
    if image.ndim == 4:
        image = image.mean(axis=0)
    if signed:
        image = image + 128
    scaled = np.clip(image * (255 / levels), 0, 255).astype(np.uint8)
    if len(scaled) == 3:
        return png(scaled.transpose(1, 2, 0))
    return png(255 - scaled[0])
