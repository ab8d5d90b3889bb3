"""What of a waveform a replay needs: flip-flops, memory outputs and inputs, a bit for each cycle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...cosim.bench.main_program import CYCLE_PS
from ...cosim.trace.fst import Waveform, WaveformError
from ..asic.netlist import Netlist

DUT = "system_tb.dut."
"""Where the accelerator lies in the bench."""

CYCLE = "system_tb.cycle"
"""The bench's count of cycles."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """Values before each clock edge.

    Members
    -------
    nets : int32[sources]
    bits : uint64[sources, words], bit c % 64 of word c // 64 is that of cycle ``first`` + c
    first, cycles : the bench's number of the first cycle, and how many there are
    """

    nets: np.ndarray
    bits: np.ndarray
    first: int
    cycles: int


def packed(bits: np.ndarray) -> np.ndarray:
    """Pack bool[rows, cycles] into uint64[rows, words]."""
    words = -(-bits.shape[1] // 64)
    full = np.zeros((len(bits), words * 64), bool)
    full[:, : bits.shape[1]] = bits
    found: np.ndarray = np.packbits(full, axis=1, bitorder="little").view(np.uint64)
    return found


def source_nets(netlist: Netlist) -> set[int]:
    """Return the nets that nothing in the netlist's gates drives."""
    found = set(netlist.q.tolist()) | {net for nets in netlist.inputs.values() for net in nets}
    found |= {net for memory in netlist.memories for port in memory.reads for net in port.data}
    return found - {0, 1}


def load(path: Path, netlist: Netlist, first: int, cycles: int) -> Sources:
    """Read the sources of a netlist from a waveform of the bench.

    Parameters
    ----------
    path : of the FST file
    netlist : whose names of signals are those of the Verilog that was simulated
    first, cycles : the bench's number of the first cycle, and how many are wanted

    Raises
    ------
    WaveformError
        The waveform lacks a signal or a cycle.
    """
    wave = Waveform(path)
    signals = {name.removeprefix(DUT): found for name, found in wave.signals.items() if name.startswith(DUT)}
    handle, width = wave.signals[CYCLE]
    times = np.arange(wave.end // CYCLE_PS) * CYCLE_PS + CYCLE_PS // 2
    count = (wave.sample(handle, times).astype(np.int64) << np.arange(width)[:, None]).sum(axis=0)
    at = int(np.searchsorted(count, first))
    if at + cycles > len(count) or count[at] != first or count[at + cycles - 1] != first + cycles - 1:
        raise WaveformError(f"{path}: the waveform must hold the cycles {first} to {first + cycles - 1}")
    times = times[at : at + cycles]
    wanted = source_nets(netlist)
    by_signal: dict[str, list[tuple[int, int]]] = {}
    for net, signal, bit in netlist.names.tolist():
        name = netlist.signals[signal].replace("\\", "")
        if net in wanted and name in signals:
            by_signal.setdefault(name, []).append((net, bit))
            wanted.discard(net)
    if wanted:
        known = {net: netlist.signals[signal] for net, signal, _ in netlist.names.tolist()}
        raise WaveformError(f"{path}: the waveform must hold {known.get(min(wanted), min(wanted))}, and lacks it")
    nets, rows = [], []
    for name, pairs in by_signal.items():
        values = wave.sample(signals[name][0], times)
        nets += [net for net, _ in pairs]
        rows.append(packed(values[[bit for _, bit in pairs]]))
    return Sources(nets=np.array(nets, np.int32), bits=np.concatenate(rows), first=first, cycles=cycles)
