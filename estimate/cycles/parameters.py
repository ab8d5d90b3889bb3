"""The sizes and latencies of the cycle model, which are taken from the RTL where a block names them."""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.program import COMMAND_BYTES, PARAM_BYTES
from ...hw.axi.read import OUTSTANDING
from ...hw.axi.write import OUTSTANDING as WRITE_BURSTS
from ...hw.axi.write import QUEUE_WORDS as WRITE_WORDS
from ...hw.datapath import LOAD_WORDS, WEIGHT_WORDS, fetch_words
from ...hw.detector.detector import Detector
from ...hw.detector.dispatcher import BEGINS, ENDS
from ...hw.detector.pruner import Pruner
from ...hw.im2col.extract import LATENCY as EXTRACT
from ...hw.im2col.row_builder import QUEUE_WORDS
from ...hw.interface.memory import BURST_BEATS
from ...hw.loader.loader import JOBS
from ...hw.psum.drain import STARVED
from ...hw.sorter.layouts import ring_words, word_beats
from .state import CONFIG

BEGIN = 13
"""Cycles from the beginning of the register access by which the host starts, to the request of the first command."""

FINISH = 4
"""Cycles from END, when nothing is under way any more, to the interrupt."""

ACCEPTED = 14
"""How many bursts the simulated memory accepts ahead: DEPTH - 2 of cosim/bench/rtl/axi_memory.sv."""

SCAN_QUEUE = 4
"""How many K tiles the scan of the segment table runs ahead."""

NEURON_STAGES = 5
"""Stages of the neuron pipeline: selected group, shifted, sum, leak, potential. One for each bit of a level follows."""


def parameters(c: HardwareConfig, latency: int, gap: int) -> np.ndarray:
    """Return the record CONFIG[1] for a configuration, and for a memory of this latency and gap (both in cycles)."""
    group_bits = c.neuron_lanes * PARAM_BYTES * 8
    step = 2 if c.bus_bits >= 2 * c.feature_bits else 1
    flight = Detector.LATENCY + Pruner.LATENCY
    margin = c.queries * (flight + 3)
    values = {
        **{name: getattr(c, name) for name in CONFIG.names or () if hasattr(c, name)},
        "latency": latency,
        "gap": gap,
        "burst": BURST_BEATS,
        "outstanding": OUTSTANDING,
        "accepted": ACCEPTED,
        "command_words": COMMAND_BYTES * 8 // c.bus_bits,
        "feature_parts": c.bus_bits // (step * c.feature_bits),
        "segment_parts": c.bus_bits // 64,
        "param_words": max(1, group_bits // c.bus_bits),
        "param_parts": max(1, c.bus_bits // group_bits),
        "load_jobs": JOBS,
        "rows_ready": EXTRACT + 2,
        "rows_queue": QUEUE_WORDS,
        "scan_queue": SCAN_QUEUE,
        "word_beats": word_beats(c),
        "ring_words": ring_words(c),
        "begins": BEGINS,
        "ends": ENDS,
        "detect": flight,
        "margin": margin,
        "queue_depth": 1 << (max(2 * c.tile_m, 4 * margin) - 1).bit_length(),
        "starved": STARVED,
        "write_words": WRITE_WORDS,
        "write_bursts": WRITE_BURSTS,
        "write_age": 15,
        "begin": BEGIN,
        "finish": FINISH,
    }
    found = np.zeros(1, CONFIG)
    for name, value in values.items():
        found[0][name] = value
    found[0]["reader_depth"] = fetch_words(c), WEIGHT_WORDS, LOAD_WORDS
    return found
