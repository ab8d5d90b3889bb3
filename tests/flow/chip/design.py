"""A small design with everything that a netlist can hold, and a gate-level simulation of it in plain Python."""

import functools

import numpy as np

from reprise.flow.asic.synth import Mapped, map_verilog
from reprise.flow.energy.sources import Sources, packed, source_nets

TOP = "probe"
VERILOG = """
module \\probe.worker (clk, rst, load, value, total);
  input clk, rst, load; input [7:0] value; output [15:0] total;
  reg [15:0] sum = 16'h0000;
  assign total = sum;
  always @(posedge clk)
    if (rst) sum <= 16'h0000;
    else if (load) sum <= sum + {value, value} ^ {8'h00, ~value};
endmodule

module probe (clk, rst, go, data, result, parity);
  input clk, rst, go; input [7:0] data; output [15:0] result; output parity;
  reg [9:0] walk = 10'h001;
  reg [7:0] held = 8'h00;
  reg [7:0] table_ [0:15];
  reg [7:0] later [0:63];
  reg [7:0] word = 8'h00;
  wire [7:0] now = table_[walk[3:0]];
  \\probe.worker worker (.clk(clk), .rst(rst), .load(go), .value(word ^ now), .total(result));
  assign parity = ^result ^ ^held;
  always @(posedge clk) begin
    if (rst) walk <= 10'h001;
    else if (go) walk <= {walk[8:0], walk[9] ^ walk[6]};
    if (rst) held <= 8'h00;
    else if (now[0]) held <= held ^ data;
    if (go) table_[walk[7:4]] <= data;
    if (data[0]) later[walk[5:0]] <= held;
    word <= later[walk[6:1]];
  end
endmodule
"""


@functools.cache
def small() -> Mapped:
    """Return the design as it was mapped."""
    return map_verilog(VERILOG, top=TOP, name=TOP)


def stimulus(cycles: int, seed: int) -> list[dict[str, int]]:
    """Draw inputs, of which the first cycles are a reset, and a few later ones."""
    rng = np.random.default_rng(seed)
    return [
        {
            "clk": 0,
            "rst": int(n < 3 or rng.random() < 0.04),
            "go": int(rng.random() < 0.4),
            "data": int(rng.integers(256)),
        }
        for n in range(cycles)
    ]


def simulate(mapped: Mapped, inputs: list[dict[str, int]]) -> np.ndarray:
    """Simulate a netlist gate by gate and cycle by cycle: bool[cycles, nets], the values before each clock edge.

    It shares nothing with the replay but the netlist: gates are evaluated until nothing changes any more.
    """
    netlist, library = mapped.netlist, mapped.library
    functions = []
    for kind, pins, out in zip(netlist.gate_type, netlist.gate_inputs.tolist(), netlist.gate_output, strict=True):
        cell = library.cells[netlist.types[kind]]
        (output,) = cell.outputs.values()
        text = output.function.replace("!", " not ").replace("*", " and ").replace("+", " or ").replace("^", " != ")
        code = eval(f"lambda {', '.join(cell.pins)}: bool({text})") if "^" not in output.function else None
        functions.append((code, output.function, list(cell.pins), pins[: len(cell.pins)], int(out)))
    state = np.zeros(netlist.nets, bool)
    memories = [np.zeros((memory.words, memory.bits), bool) for memory in netlist.memories]
    words = {net: False for memory in netlist.memories for port in memory.reads if port.clocked for net in port.data}
    flops = {int(q): False for q in netlist.q}
    found = []
    for given in inputs:
        state[:] = False
        state[1] = True
        for name, nets in netlist.inputs.items():
            state[nets] = [given[name] >> n & 1 for n in range(len(nets))]
        for net, value in (*flops.items(), *words.items()):
            state[net] = value
        before = None
        while before is None or not np.array_equal(before, state):
            before = state.copy()
            for memory, content in zip(netlist.memories, memories, strict=True):
                for port in memory.reads:
                    if not port.clocked:
                        state[port.data] = content[number(state, port.address)]
            for code, text, names, pins, out in functions:
                values = [bool(state[pin]) for pin in pins]
                state[out] = code(*values) if code else xor(text, dict(zip(names, values, strict=True)))
        found.append(state.copy())
        places = zip(netlist.d, netlist.q, netlist.flop_gate, strict=True)
        opened = [*(bool(state[net]) for net in netlist.gate_enable), True]
        following = {int(q): bool(state[d if opened[gate] else q]) for d, q, gate in places}
        for memory, content in zip(netlist.memories, memories, strict=True):
            for port in memory.reads:
                if port.clocked and state[port.enable[0]]:
                    word = content[number(state, port.address)]
                    words |= dict(zip(port.data, word.tolist(), strict=True))
            for port in memory.writes:
                on, row = state[port.enable], number(state, port.address)
                content[row] = np.where(on, state[port.data], content[row])
        flops = following
    return np.array(found)


def xor(text: str, values: dict[str, bool]) -> bool:
    """Evaluate a function that has ``^``, on numbers."""
    for name, value in sorted(values.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(name, str(int(value)))
    return bool(eval(text.replace("!", "1^").replace("*", "&").replace("+", "|")) & 1)


def number(state: np.ndarray, nets: list[int]) -> int:
    """Return the number that some nets hold."""
    return sum(int(state[net]) << n for n, net in enumerate(nets))


def sources(mapped: Mapped, states: np.ndarray) -> Sources:
    """Return what a waveform would have of the states of a simulation."""
    nets = np.array(sorted(source_nets(mapped.netlist)), np.int32)
    return Sources(nets=nets, bits=packed(states[:, nets].T), first=0, cycles=len(states))
