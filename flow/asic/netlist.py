"""A mapped netlist as arrays: gates, flip-flops, memories and ports, each with the block that it belongs to.

A net is a number; 0 and 1 are the constants. Mapping keeps the names of flip-flops and memories, and loses those of
gates. A flip-flop belongs to the instance in whose text it was described. A gate belongs to the block that most of its
sinks belong to; one that feeds several therefore counts in one of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .clock_gates import gates_of
from .library import Library
from .scopes import Scopes

CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}
MOST_INPUTS = 6


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of a memory.

    Members
    -------
    address, data, enable : nets; the enables of a write port are one for each bit
    clocked : a read port that gives its word a cycle later
    """

    address: list[int]
    data: list[int]
    enable: list[int]
    clocked: bool = True


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A memory of the design, which mapping leaves as it is."""

    name: str
    words: int
    bits: int
    reads: list[Port]
    writes: list[Port]


@dataclass(frozen=True, kw_only=True, eq=False)
class Netlist:
    """A mapped netlist.

    Members
    -------
    nets : number of nets
    types : names of the cells that gates and flip-flops are of
    gate_type, gate_output, gate_owner : int32[gates]
    gate_inputs : int32[gates, MOST_INPUTS], in the order of the cell's pins; -1 where it has no more
    d, q, flop_type, flop_owner : int32[flip-flops]
    flop_gate : int32[flip-flops], the clock gate in front of it, or -1
    gate_enable, gate_block : int32[clock gates], the net that opens it, and its block
    names : int32[flip-flops, 3] and more rows, of (net, index of a signal, bit): public names of nets that matter
    signals : names of signals, in which instances are joined by dots
    memories : of the design, by name
    memory_owner : int32[memories]
    inputs, outputs : nets of the ports
    blocks : paths of the instances; "" is the top
    """

    nets: int
    types: list[str]
    gate_type: np.ndarray
    gate_inputs: np.ndarray
    gate_output: np.ndarray
    gate_owner: np.ndarray
    d: np.ndarray
    q: np.ndarray
    flop_type: np.ndarray
    flop_owner: np.ndarray
    flop_gate: np.ndarray
    gate_enable: np.ndarray
    gate_block: np.ndarray
    names: np.ndarray
    signals: list[str]
    memories: list[Memory]
    memory_owner: np.ndarray
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    blocks: list[str]

    ARRAYS = (
        *("gate_type", "gate_inputs", "gate_output", "gate_owner", "d", "q", "flop_type", "flop_owner", "names"),
        *("memory_owner", "flop_gate", "gate_enable", "gate_block"),
    )

    @property
    def flop_enable(self) -> np.ndarray:
        """Net that says whether a flip-flop gets the next clock, int32[flip-flops]: of a gate, or the constant 1."""
        return np.append(self.gate_enable, 1)[self.flop_gate].astype(np.int32)

    def save(self, folder: Path) -> None:
        """Write ``netlist.npz`` and ``netlist.json``."""
        np.savez(folder / "netlist.npz", **{name: getattr(self, name) for name in self.ARRAYS})
        rest = {name: getattr(self, name) for name in ("nets", "types", "signals", "inputs", "outputs", "blocks")}
        rest["memories"] = [{**one.__dict__, **_ports(one)} for one in self.memories]
        (folder / "netlist.json").write_text(json.dumps(rest))

    @classmethod
    def load(cls, folder: Path) -> Netlist:
        """Read what :meth:`save` wrote."""
        rest = json.loads((folder / "netlist.json").read_text())
        rest["memories"] = [
            Memory(**{**one, **{kind: [Port(**port) for port in one[kind]] for kind in ("reads", "writes")}})
            for one in rest["memories"]
        ]
        with np.load(folder / "netlist.npz") as arrays:
            return cls(**rest, **{name: arrays[name] for name in cls.ARRAYS})


def _ports(memory: Memory) -> dict[str, list[dict[str, Any]]]:
    return {"reads": [port.__dict__ for port in memory.reads], "writes": [port.__dict__ for port in memory.writes]}


def _net(bit: int | str) -> int:
    return CONSTANTS[bit] if isinstance(bit, str) else bit


def _nets(bits: list[int | str]) -> list[int]:
    return [_net(bit) for bit in bits]


def _memory(name: str, cell: dict[str, Any]) -> Memory:
    """Return a memory from Yosys' ``$mem_v2``, whose ports lie behind each other in wide connections."""
    number = {key: int(text, 2) for key, text in cell["parameters"].items() if re.fullmatch("[01]+", str(text))}
    width, address_bits, wires = number["WIDTH"], number["ABITS"], cell["connections"]

    def ports(kind: str) -> list[Port]:
        found = []
        for n in range(number[f"{kind}_PORTS"]):
            enables = width if kind == "WR" else 1
            found.append(
                Port(
                    address=_nets(wires[f"{kind}_ADDR"][n * address_bits : (n + 1) * address_bits]),
                    data=_nets(wires[f"{kind}_DATA"][n * width : (n + 1) * width]),
                    enable=_nets(wires[f"{kind}_EN"][n * enables : (n + 1) * enables]),
                    clocked=bool(number[f"{kind}_CLK_ENABLE"] >> n & 1),
                )
            )
        return found

    return Memory(name=name, words=number["SIZE"], bits=width, reads=ports("RD"), writes=ports("WR"))


def _owners(net_sinks: list[list[int]], outputs: np.ndarray, order: np.ndarray, gate_inputs: np.ndarray) -> np.ndarray:
    """Return the block of every gate, from the last to the first: that of most of its sinks."""
    owner = np.zeros(len(outputs), np.int32)
    for gate in order[::-1]:
        sinks = net_sinks[outputs[gate]]
        if sinks:
            owner[gate] = Counter(sinks).most_common(1)[0][0]
        for net in gate_inputs[gate]:
            if net > 1:
                net_sinks[net].append(int(owner[gate]))
    return owner


def topological(gate_inputs: np.ndarray, gate_output: np.ndarray, nets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gates in an order in which each follows those that it reads, and the level of each, int32[gates].

    Raises
    ------
    ValueError
        There is a loop.
    """
    driver = np.full(nets, -1, np.int64)
    driver[gate_output] = np.arange(len(gate_output))
    before = np.where(gate_inputs >= 0, driver[np.maximum(gate_inputs, 0)], -1)
    level = np.zeros(len(gate_output), np.int32)
    for _ in range(len(gate_output) + 1):
        found = (np.where(before >= 0, level[np.maximum(before, 0)] + 1, 0)).max(axis=1, initial=0).astype(np.int32)
        if np.array_equal(found, level):
            return np.argsort(level, kind="stable"), level
        level = found
        if level.max() > 2000:
            break
    raise ValueError("the netlist's gates form a loop")


def read(text: bytes, top: str, library: Library) -> Netlist:
    """Read a flat JSON netlist of Yosys whose cells are those of a library."""
    module = json.loads(text)["modules"][top]
    cells = module["cells"]
    scopes = Scopes(cells)
    types = sorted({cell["type"] for cell in cells.values() if cell["type"] in library.cells})
    index = {name: n for n, name in enumerate(types)}
    ties = {name: int(value) for value, (name, _) in library.tie.items()}
    constant = {cell["connections"][library.tie[str(ties[cell["type"]])][1]][0]: ties[cell["type"]]
                for cell in cells.values() if cell["type"] in ties}  # fmt: skip

    def nets(bits: list[int | str]) -> list[int]:
        return [constant.get(net, net) for net in _nets(bits)]

    gates: list[tuple[int, list[int], int]] = []
    flops: list[tuple[int, int, int, int, int]] = []
    opened: dict[int, int] = {}  # by the clock that a gate gives, the net that opens it
    memories, memory_owner = [], []
    for name, cell in cells.items():
        kind, wires = cell["type"], cell["connections"]
        if kind == "$mem_v2":
            wires = {key: [constant.get(_net(bit), bit) for bit in bits] for key, bits in wires.items()}
            memories.append(_memory(name, {**cell, "connections": {k: [str(b) if b in (0, 1) else b for b in v]
                                                                  for k, v in wires.items()}}))  # fmt: skip
            memory_owner.append(scopes.of(name))
        elif kind == library.clock_gate:
            opened[wires["GCLK"][0]] = nets(wires["GATE"])[0]
        elif kind in ties or kind not in index:
            continue
        elif library.cells[kind].flip_flop:
            chosen = library.cells[kind]
            (output,) = chosen.outputs
            d, q = nets(wires[chosen.data])[0], nets(wires[output])[0]
            flops.append((index[kind], d, q, scopes.at(cell["attributes"]["src"]), wires[chosen.clock][0]))
        else:
            (output,) = library.cells[kind].outputs
            inputs = [nets(wires[pin])[0] for pin in library.cells[kind].pins]
            gates.append((index[kind], inputs + [-1] * (MOST_INPUTS - len(inputs)), nets(wires[output])[0]))
    count = 1 + max(bit for one in module["netnames"].values() for bit in one["bits"] if isinstance(bit, int))
    gate_inputs = np.array([inputs for _, inputs, _ in gates], np.int32).reshape(-1, MOST_INPUTS)
    gate_output = np.array([output for _, _, output in gates], np.int32)
    flop = np.array(flops, np.int32).reshape(-1, 5)
    flop_gate, gate_enable, gate_block = gates_of(flop[:, 4], flop[:, 3], opened)
    sinks: list[list[int]] = [[] for _ in range(count)]
    for _, d, _, owner, _ in flops:
        sinks[d].append(owner)
    for net, block in zip(gate_enable.tolist(), gate_block.tolist(), strict=True):
        sinks[net].append(block)
    for memory, owner in zip(memories, memory_owner, strict=True):
        for port in memory.reads + memory.writes:
            for net in port.address + port.enable + (port.data if port in memory.writes else []):
                sinks[net].append(owner)
    order, _ = topological(gate_inputs, gate_output, count)
    wanted = set(flop[:, 2].tolist()) | {net for m in memories for port in m.reads for net in port.data}
    wanted |= {net for port in module["ports"].values() for net in _nets(port["bits"])}
    names, signals = _names(module["netnames"], wanted - {0, 1})
    ports = {
        side: {name: nets(one["bits"]) for name, one in module["ports"].items() if one["direction"] == side}
        for side in ("input", "output")
    }
    return Netlist(
        nets=count,
        types=types,
        gate_type=np.array([kind for kind, _, _ in gates], np.int32),
        gate_inputs=gate_inputs,
        gate_output=gate_output,
        gate_owner=_owners(sinks, gate_output, order, gate_inputs),
        d=flop[:, 1],
        q=flop[:, 2],
        flop_type=flop[:, 0],
        flop_owner=flop[:, 3],
        flop_gate=flop_gate,
        gate_enable=gate_enable,
        gate_block=gate_block,
        names=names,
        signals=signals,
        memories=memories,
        memory_owner=np.array(memory_owner, np.int32),
        inputs=ports["input"],
        outputs=ports["output"],
        blocks=scopes.blocks,
    )


def _names(netnames: dict[str, Any], wanted: set[int]) -> tuple[np.ndarray, list[str]]:
    """Return (net, index of a signal, bit) for every public name of the wanted nets, and the signals."""
    rows: list[tuple[int, int, int]] = []
    signals: list[str] = []
    for name, one in netnames.items():
        found = [(bit, number) for number, bit in enumerate(one["bits"]) if bit in wanted]
        if found:
            rows += [(bit, len(signals), number) for bit, number in found]
            signals.append(name)
    return np.array(rows, np.int32).reshape(-1, 3), signals
