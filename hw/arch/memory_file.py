"""Reads a memory image from ``memory.json`` and ``memory.bin``, and checks that both belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...support.checks import LARGEST, from_fields, require, require_int
from ...support.errors import MissingFileError, RepriseError
from ...support.yaml_file import read_json
from .config import HardwareConfig
from .feature_map import FeatureMap
from .memory_image import FORMAT, GATHERED_FORMAT, ORDERED_FORMAT, LayerEntry, MemoryImage, Region
from .older_images import OLDER, upgraded
from .program import COMMAND_BYTES

MODES = ("repeat", "once", "given")
MOST_BYTES = 1 << 32
"""Bytes of the largest memory that is read: whoever runs the image takes so many."""


def _list(fields: dict[str, Any], name: str) -> list:
    require(isinstance(fields[name], list), name, "a list", type(fields[name]).__name__)
    return fields[name]


def _image(fields: dict[str, Any], data: bytes) -> MemoryImage:
    given = fields.get("format")
    rule = (
        f"{FORMAT}, {GATHERED_FORMAT} with a gathered input, {ORDERED_FORMAT} with maps in an order of their own, "
        f"or {OLDER} of an earlier version"
    )
    known = type(given) is int and given in (OLDER, FORMAT, GATHERED_FORMAT, ORDERED_FORMAT)
    require(known, "format", rule, fields.get("format"))
    for name in ("network", "input_mode"):
        require(isinstance(fields.get(name), str), name, "a text", fields.get(name))
    require(fields["input_mode"] in MODES, "input_mode", f"one of {', '.join(MODES)}", fields["input_mode"])
    bounds = {"images": (1, LARGEST), "base": (0, LARGEST), "size": (1, MOST_BYTES), "program": (0, LARGEST)}
    for name, (low, high) in bounds.items():
        require_int(name, fields.get(name), low, high)
    for name in ("features", "layers", "regions"):
        require(name in fields, name, "there", "missing")
    require(isinstance(fields["features"], dict), "features", "a mapping", type(fields["features"]).__name__)
    config = HardwareConfig.from_dict(fields.get("config"))
    follows: tuple[str, ...] = ("features",)
    if given == OLDER:
        fields, data = _upgraded(fields, data, config)
        follows = ("features", "format", "windows", "configuration_hash")
    image = MemoryImage(
        config=config,
        features={key: FeatureMap.from_dict(one) for key, one in fields["features"].items()},
        layers=tuple(from_fields(LayerEntry, one, f"layers.{n}") for n, one in enumerate(_list(fields, "layers"))),
        regions=tuple(from_fields(Region, one, f"regions.{n}") for n, one in enumerate(_list(fields, "regions"))),
        data=data,
        **{name: fields[name] for name in ("network", "images", "input_mode", "base", "size", "program")},
    )
    end = image.base + image.size
    require(len(data) <= image.size, "size", f"at least the {len(data)} bytes of memory.bin", image.size)
    require(image.base <= image.program < image.base + len(data), "program", "within memory.bin", image.program)
    programs = [r for r in image.regions if r.kind == "program"]
    whole = [r.address for r in programs] == [image.program] and programs[0].end <= image.base + len(data)
    commands = whole and programs[0].bytes and programs[0].bytes % COMMAND_BYTES == 0
    require(bool(commands), "regions", "with one of the kind program, of whole commands within memory.bin", "another")
    places: list[FeatureMap | Region] = [*image.features.values(), *image.regions]
    for place in places:
        within = image.base <= place.address and place.address + place.bytes <= end
        require(within, f"{place.name}: address", f"within the memory {image.base}..{end - 1}", place.address)
    for one in image.features.values():
        require(one.images == image.images, "images", f"the {one.images} of feature {one.name!r}", image.images)
    require(bool(image.inputs()), "features", "with one of the name input", ", ".join(image.features))
    require(len(image.features) > len(image.inputs()), "features", "with one that a layer writes", "the input alone")
    for layer in image.layers:
        known = layer.feature in image.features
        require(known, f"layer {layer.name!r}: feature", f"one of {', '.join(image.features)}", layer.feature)
    for name in ("layers", "regions"):
        require(bool(getattr(image, name)), name, "at least one", "none")
    rest = {name: value for name, value in fields.items() if name not in follows}
    for name, value in image.to_dict().items():  # what else a file says follows from what was read
        if name not in follows:  # texts are compared, because 1, 1.0 and true are equal in Python
            same = name in rest and json.dumps(rest.pop(name)) == json.dumps(value)
            require(same, name, f"{value!r}"[:200], fields.get(name))
    require(not rest, "the fields", "those that the compiler writes", ", ".join(rest))
    return image


def _upgraded(fields: dict[str, Any], data: bytes, config: HardwareConfig) -> tuple[dict[str, Any], bytes]:
    """Return an image of format 2 in the present format, or refuse one that is no such image."""
    try:
        return upgraded(fields, data, config.neuron_lanes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, RepriseError):
            raise
        message = (
            f"an image of format {OLDER} could not be read, because it is damaged: {type(error).__name__}: {error}"
        )
        raise RepriseError(f"{message}; compile the network again") from None


def read_image(folder: Path) -> MemoryImage:
    """Read what ``MemoryImage.save`` wrote into a folder.

    Raises
    ------
    RepriseError
        A file is missing or damaged, the format is another, or the bytes and the map do not belong together.
    """
    path = folder / "memory.json"
    for one in (path, folder / "memory.bin"):
        if not one.is_file():
            raise MissingFileError(f"{one} must be there, beside the other file of a memory image")
    fields = read_json(path)
    size, given = (folder / "memory.bin").stat().st_size, fields.get("constant_bytes")
    if isinstance(given, bool) or size != given:
        raise RepriseError(where=str(folder / "memory.bin"), field="the file", rule=f"{given!r} bytes", value=size)
    try:
        return _image(fields, (folder / "memory.bin").read_bytes())
    except RepriseError as error:
        raise error.within(str(path)) from None
