"""A mapped netlist as Verilog: cells as expressions of the library's functions, flip-flops, and memories.

It knows nothing of the replay: what a simulator counts is a second opinion on the replay's toggles. Up to 64 outputs of
gates of the same level, and of flip-flops, are the bits of one vector, because a simulator is quicker with words than
with tens of thousands of wires. Gates read only vectors of lower levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from ..asic.library import Library
from ..asic.netlist import Memory, Netlist, topological

WIDTH = 64


class _Nets:
    """Puts expressions of nets in the place of a cell's pins."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __call__(self, found: re.Match[str]) -> str:
        return self._values[found[0]]


class GateLevel:
    """The Verilog of a netlist.

    Members
    -------
    vectors : the nets of every vector from its lowest bit on, by its name
    """

    def __init__(self, netlist: Netlist, library: Library) -> None:
        self._netlist, self._library = netlist, library
        self.vectors: dict[str, list[int]] = {}
        order, level = topological(netlist.gate_inputs, netlist.gate_output, netlist.nets)
        cuts = np.flatnonzero(np.diff(level[order])) + 1
        for n, gates in enumerate(np.split(order, cuts)):
            for k in range(0, len(gates), WIDTH):
                self.vectors[f"g{n}_{k // WIDTH}"] = netlist.gate_output[gates[k : k + WIDTH]].tolist()
        for k in range(0, len(netlist.q), WIDTH):
            self.vectors[f"q{k // WIDTH}"] = netlist.q[k : k + WIDTH].tolist()
        self._names = {0: "1'b0", 1: "1'b1"}
        for name, nets in [*self.vectors.items(), *netlist.inputs.items()]:
            self._names |= {net: f"{name}[{bit}]" for bit, net in enumerate(nets) if net > 1}
        for number, memory in enumerate(netlist.memories):
            for p, port in enumerate(memory.reads):
                self._names |= {net: f"memory{number}_r{p}[{bit}]" for bit, net in enumerate(port.data) if net > 1}

    def _bus(self, nets: list[int]) -> str:
        return "{" + ", ".join(self._names[net] for net in reversed(nets)) + "}"

    def _gates(self) -> dict[int, str]:
        """Return the expression of every gate's output."""
        netlist, found = self._netlist, {}
        for n, name in enumerate(netlist.types):
            cell = self._library.cells[name]
            if cell.flip_flop:
                continue
            (output,) = cell.outputs.values()
            text = output.function.replace("!", "~").replace("*", "&").replace("+", "|")
            chosen = netlist.gate_type == n
            pairs = zip(netlist.gate_inputs[chosen].tolist(), netlist.gate_output[chosen].tolist(), strict=True)
            for inputs, out in pairs:
                values = {pin: self._names[inputs[column]] for column, pin in enumerate(cell.pins)}
                found[out] = re.sub(r"\w+", _Nets(values), text)
        return found

    def _memory(self, name: str, memory: Memory) -> Iterator[str]:
        """Yield the statements of a memory, which begins with zeros and gives the old word where one is written."""
        yield f"reg [{memory.bits - 1}:0] {name} [0:{memory.words - 1}]; integer {name}_i;"
        yield f"initial for ({name}_i = 0; {name}_i < {memory.words}; {name}_i = {name}_i + 1) {name}[{name}_i] = 0;"
        for p, port in enumerate(memory.reads):
            word, address = f"{name}_r{p}", self._bus(port.address)
            if port.clocked:
                yield f"always @(posedge clk) if ({self._names[port.enable[0]]}) {word} <= {name}[{address}];"
            else:
                yield f"assign {word} = {name}[{address}];"
        for port in memory.writes:
            yield "always @(posedge clk) begin"
            for first, last, enable in _enables(port.enable):
                data = self._bus(port.data[first : last + 1])
                where = f"{name}[{self._bus(port.address)}][{last}:{first}]"
                yield f"  if ({self._names[enable]}) {where} <= {data};"
            yield "end"

    def text(self, top: str) -> str:
        """Return the netlist as a module called ``top``, with a port ``clk``."""
        netlist, gates = self._netlist, self._gates()
        sides = (("input", netlist.inputs), ("output", netlist.outputs))
        ports = [f"{side} [{len(nets) - 1}:0] {name}" for side, named in sides for name, nets in named.items()]
        lines = [f"module {top}(", ",\n".join(ports), ");"]
        for number, memory in enumerate(netlist.memories):
            for p, port in enumerate(memory.reads):
                lines.append(f"{'reg' if port.clocked else 'wire'} [{memory.bits - 1}:0] memory{number}_r{p};")
        for name, nets in self.vectors.items():
            lines.append(f"{'reg' if name.startswith('q') else 'wire'} [{len(nets) - 1}:0] {name};")
        following = {
            q: self._names[d] if on == 1 else f"({self._names[on]} ? {self._names[d]} : {self._names[q]})"
            for q, d, on in zip(netlist.q.tolist(), netlist.d.tolist(), netlist.flop_enable.tolist(), strict=True)
        }
        for name, nets in self.vectors.items():
            if name.startswith("q"):
                values = ", ".join(following[net] for net in reversed(nets))
                lines.append(f"always @(posedge clk) {name} <= {{{values}}};")
            else:
                parts = ",\n".join(gates[net] for net in reversed(nets))
                lines.append(f"assign {name} = {{{parts}}};")
        for name, nets in netlist.outputs.items():
            lines.append(f"assign {name} = {self._bus(nets)};")
        for number, memory in enumerate(netlist.memories):
            lines += self._memory(f"memory{number}", memory)
        return "\n".join([*lines, "endmodule", ""])


def _enables(nets: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first bit, last bit, enable) of the parts of a word that are written together."""
    first = 0
    for bit in range(1, len(nets) + 1):
        if bit == len(nets) or nets[bit] != nets[first]:
            yield first, bit - 1, nets[first]
            first = bit
