"""A mapped netlist as Verilog: cells as expressions of the library's functions, flip-flops, and memories.

It has the ports of the accelerator, so that the bench that proves the RTL runs it, and knows nothing of the replay:
what it counts is a second opinion on the replay's toggles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..asic.library import Library
from ..asic.netlist import Memory, Netlist


def net(number: int) -> str:
    """Return the name of a net."""
    return f"1'b{number}" if number < 2 else f"n{number}"


def _bus(nets: list[int]) -> str:
    return "{" + ", ".join(net(number) for number in reversed(nets)) + "}"


def _enables(nets: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first bit, last bit, enable) of the parts of a word that are written together."""
    first = 0
    for bit in range(1, len(nets) + 1):
        if bit == len(nets) or nets[bit] != nets[first]:
            yield first, bit - 1, nets[first]
            first = bit


def _memory(name: str, memory: Memory) -> Iterator[str]:
    """Yield the statements of a memory, which holds zeros at first and gives the old word where one is written."""
    yield f"reg [{memory.bits - 1}:0] {name} [0:{memory.words - 1}];"
    yield f"integer {name}_i; initial for ({name}_i = 0; {name}_i < {memory.words}; {name}_i = {name}_i + 1) "
    yield f"  {name}[{name}_i] = 0;"
    for p, port in enumerate(memory.reads):
        word, address = f"{name}_r{p}", _bus(port.address)
        yield f"reg [{memory.bits - 1}:0] {word};" if port.clocked else f"wire [{memory.bits - 1}:0] {word};"
        if port.clocked:
            yield f"always @(posedge clk) if ({net(port.enable[0])}) {word} <= {name}[{address}];"
        else:
            yield f"assign {word} = {name}[{address}];"
        yield from (f"assign {net(bit)} = {word}[{n}];" for n, bit in enumerate(port.data) if bit > 1)
    for port in memory.writes:
        yield "always @(posedge clk) begin"
        for first, last, enable in _enables(port.enable):
            data = _bus(port.data[first : last + 1])
            yield f"  if ({net(enable)}) {name}[{_bus(port.address)}][{last}:{first}] <= {data};"
        yield "end"


class _Names:
    """Puts nets in the place of a cell's pins."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __call__(self, found: re.Match[str]) -> str:
        return self._values[found[0]]


def verilog(netlist: Netlist, library: Library, top: str) -> str:
    """Return the netlist as a module called ``top``, whose nets are called n and their number."""
    ports = [
        *(("input", *one) for one in netlist.inputs.items()),
        *(("output", *one) for one in netlist.outputs.items()),
    ]
    head = ", ".join(f"{side} [{len(nets) - 1}:0] {name}" for side, name, nets in ports)
    used = set(netlist.gate_output.tolist()) | {bit for nets in netlist.inputs.values() for bit in nets}
    used |= {bit for memory in netlist.memories for port in memory.reads for bit in port.data}
    lines = [f"module {top}({head});"]
    lines += [f"wire {net(bit)};" for bit in sorted(used - {0, 1})]
    lines += [f"reg {net(bit)};" for bit in netlist.q.tolist()]
    for name, nets in netlist.inputs.items():
        lines += [f"assign {net(bit)} = {name}[{n}];" for n, bit in enumerate(nets) if bit > 1]
    for name, nets in netlist.outputs.items():
        lines.append(f"assign {name} = {_bus(nets)};")
    for n, name in enumerate(netlist.types):
        cell = library.cells[name]
        if cell.flip_flop:
            continue
        (output,) = cell.outputs.values()
        text = output.function.replace("!", "~").replace("*", "&").replace("+", "|")
        chosen = netlist.gate_type == n
        for inputs, out in zip(netlist.gate_inputs[chosen].tolist(), netlist.gate_output[chosen].tolist(), strict=True):
            values = {pin: net(inputs[column]) for column, pin in enumerate(cell.pins)}
            expression = re.sub(r"\w+", _Names(values), text)
            lines.append(f"assign {net(out)} = {expression};")
    lines.append("always @(posedge clk) begin")
    lines += [f"  {net(q)} <= {net(d)};" for d, q in zip(netlist.d.tolist(), netlist.q.tolist(), strict=True)]
    lines.append("end")
    for n, memory in enumerate(netlist.memories):
        lines += _memory(f"memory{n}", memory)
    return "\n".join([*lines, "endmodule", ""])
