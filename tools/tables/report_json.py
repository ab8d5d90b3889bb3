"""Tables of the fields of reports, and the JSON Schema that is shipped, from the classes that describe them.

The words of a table are the names of classes that describe fields, in ``cosim/report`` and ``estimate/report``; a class
of the former goes before one of the same name of the latter.
"""

from __future__ import annotations

import types
import typing

from reprise.cosim.report import fields as cosim
from reprise.cosim.report import soak_fields
from reprise.estimate.report import baseline_fields, comparison_fields, density_fields, help_fields, limit_fields
from reprise.estimate.report import fields as base
from reprise.flow.asic import fields as asic_fields
from reprise.flow.energy import fields as energy_fields

from . import markdown

PLAIN = {bool: "true or false", int: "integer", float: "number", str: "text", type(None): "null"}


def kind(annotation: object, absent: bool) -> str:
    """Return what a field may hold, in words; None stands for an absent field if it may be absent."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(parts[0], absent)
    if origin is typing.Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is list:
        return f"list of {kind(parts[0], False)}"
    if origin is dict:
        return f"object of {kind(parts[1], False)}"
    if origin in (types.UnionType, typing.Union):
        shown = [kind(part, False) for part in parts if not (absent and part is type(None))]
        return " or ".join(shown)
    if isinstance(annotation, type) and issubclass(annotation, base.Fields):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return next(told for plain, told in PLAIN.items() if annotation is plain)


def described(name: str) -> type[base.Fields]:
    """Return the class of a name."""
    modules = (
        *(cosim, base, density_fields, limit_fields, help_fields, comparison_fields, soak_fields),
        *(baseline_fields, asic_fields, energy_fields),
    )
    found: type[base.Fields] = next(getattr(module, name) for module in modules if hasattr(module, name))
    return found


def table(name: str, *without: str) -> str:
    """Make the table of one class: each field, what it holds, and what that means.

    Fields that one of the classes ``without`` has as well are left out.
    """
    rows, left_out = [], {field for one in without for field in described(one).model_fields}
    for field, info in described(name).model_fields.items():
        if field in left_out:
            continue
        absent = not info.is_required()
        shown = kind(info.annotation, absent) + (", or absent" if absent else "")
        rows.append((f"`{field}`", shown, str(info.description)))
    return markdown(("field", "holds", "meaning"), rows)


FILES = {"cosim/report/report.schema.json": cosim.schema_text}
