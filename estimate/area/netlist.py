"""Which netlist the sources describe, so that a figure that was measured on another one can be told from those of this.

Synthesis and routing take minutes to hours, and their figures are records (``docs/measured/resources.json``). Every
record carries the netlist of its time. A report or a page that shows a figure of another netlist says so.
"""

from __future__ import annotations

NETLIST = "02a0c976057b"
"""The first digits of the SHA-256 of the Verilog of the preset ``tiny``. A test compares it with the sources."""


def is_earlier(record: dict) -> bool:
    """Return whether a record of synthesis or routing is of another netlist than the present one."""
    return record.get("netlist") != NETLIST
