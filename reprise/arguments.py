"""What the functions of the Python API take: networks, configurations and images in any of their forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .hw.arch.config import ConfigError, HardwareConfig
from .support.checks import require, require_int
from .support.errors import RepriseError
from .support.presets import HARDWARE, preset_names

if TYPE_CHECKING:
    import numpy as np

    from .export.find import Batch
    from .model.files.network_file import NetworkFile

    AnyNetwork = NetworkFile | str | Path
    AnyConfig = HardwareConfig | str | Path
    AnyImages = int | np.ndarray


def hardware_of(config: AnyConfig) -> HardwareConfig:
    """Return the configuration that an argument names or is."""
    if isinstance(config, HardwareConfig):
        return config
    if not isinstance(config, str | Path):
        raise ConfigError(field="config", rule="a HardwareConfig, a preset or a YAML file", value=config)
    return HardwareConfig.load(config)


def name_of(config: AnyConfig, hardware: HardwareConfig) -> str:
    """Return the name of a configuration in a report: its preset or file, or else the beginning of its digest."""
    if not isinstance(config, HardwareConfig):
        return Path(config).stem
    return next(
        (name for name in preset_names(HARDWARE) if HardwareConfig.load(name) == hardware), hardware.digest()[:8]
    )


def batch_of(file: NetworkFile, images: AnyImages, seed: int = 0) -> Batch:
    """Return the images of a call, checked: some of the file's samples, or the given levels."""
    import numpy as np

    from .export.find import Batch, choose_images
    from .model.inference.runner import input_levels

    if isinstance(images, int | np.integer):
        require_int("images", images, 1)
        return choose_images(file, int(images), seed)
    given = as_array("images", images)
    frame = file.network.input_shape
    require(given.ndim > len(frame) and len(given) > 0, "images", f"of shape (n, {frame})", given.shape)
    input_levels(file.network, given)  # shape and values, by name
    return Batch(images=given, labels=np.full(len(given), -1), numbers=np.arange(len(given)))


def as_array(name: str, value: Any) -> np.ndarray:
    """Return an array, a tensor, wherever it is, or nested lists as an array."""
    import numpy as np

    try:
        return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (ValueError, TypeError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise RepriseError(field=name, rule="an array", value=type(value).__name__, remedy=text) from None


def labelled(images: np.ndarray, levels: int, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return checked images uint8[n, C, H, W] of 0..``levels``, and labels int64[n], which are -1 if there are none."""
    import numpy as np

    images = as_array("images", images)
    require(images.ndim == 4 and images.dtype == np.uint8, "images", "uint8[n, C, H, W]", told(images))
    require(len(images) > 0, "images", "at least one image", told(images))
    require_int("levels", levels, 1, 255)
    require(int(images.max()) <= levels, "images", f"in 0..levels={levels}", int(images.max()))
    known = np.full(len(images), -1) if labels is None else as_array("labels", labels)
    require(known.shape == images.shape[:1], "labels", f"one per image ({len(images)})", known.shape)
    require(np.issubdtype(known.dtype, np.integer), "labels", "integers", str(known.dtype))
    return images, known.astype(np.int64)


def told(array: np.ndarray) -> str:
    """Return type and shape of an array, for a message."""
    return f"{array.dtype}{list(array.shape)}"
