"""The sizes and latencies of the cycle model, which are taken from the RTL where a block names them."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from ...hw.accelerator import Accelerator
from ...hw.arch.config import HardwareConfig
from ...hw.arch.program import COMMAND_BYTES, PARAM_BYTES
from ...hw.axi.read import OUTSTANDING
from ...hw.axi.write import CLOSE_AFTER, QUEUE_LATENCY
from ...hw.axi.write import OUTSTANDING as WRITE_BURSTS
from ...hw.axi.write import QUEUE_WORDS as WRITE_WORDS
from ...hw.csr.registers import Registers
from ...hw.detector.detector import Detector
from ...hw.detector.dispatcher import BEGINS, ENDS, queue_depth, queue_margin
from ...hw.detector.pruner import Pruner
from ...hw.im2col.im2col import Im2col
from ...hw.im2col.row_builder import QUEUE_WORDS
from ...hw.im2col.segment_table import TILES_AHEAD
from ...hw.interface.memory import ADDEND_WORDS, BURST_BEATS, JOIN_WORDS, LOAD_WORDS, WEIGHT_WORDS, fetch_words
from ...hw.loader.loader import JOBS
from ...hw.loader.unpack import words_per_cycle
from ...hw.loader.used_rows import TILES_KNOWN, UsedRows
from ...hw.loader.weights import RUNS_ASKED
from ...hw.psum.drain import STARVED
from ...hw.sequencer.fetch import CommandFetch
from ...hw.sequencer.products import ProductChecker
from ...hw.sequencer.sequencer import Sequencer
from ...hw.sorter.layouts import ring_words, word_beats
from ...hw.sorter.tile_loader import UNDER_WAY
from ..bench import HOST, MEMORY_AHEAD, MEMORY_DEPTH
from .state import CONFIG, RING

BEGIN = HOST + Registers.LATENCY + Sequencer.BEGIN + CommandFetch.LATENCY
"""Cycles from the beginning of the register access by which the host starts, to the request of the first command."""

FINISH = Sequencer.END + Accelerator.DONE + Registers.LATENCY
"""Cycles from END, when nothing is under way any more, to the interrupt."""


IDEAL: dict[str, dict[str, int]] = {
    "im2col": {"rows_ready": 0},
    "detector": {"detect": 0, "margin": 0, "queue_depth": 1 << 40, "begins": RING - 2, "ends": RING - 2},
    "pe_array": {},
    "psum": {},
    "neurons": {},
    "weights": {},
    "loads": {},
    "memory": {"latency": 0, "gap": 0},
}
"""The blocks that the model can idealize, so that they cost no time, with the sizes and latencies that go with it.

Without any of them the model is exact. With one, it tells how long the accelerator would take if this block were
infinitely fast and all others were as they are; ``no_NAME`` of the record says so to the block's functions.

- ``im2col``: all rows of an m tile are built and loaded as soon as the tile loader has room for them.
- ``detector``: all rows of a tile are visited and searched in the cycle after the tile is complete.
- ``pe_array``: all residual bits of a row are added in one cycle.
- ``psum``: any number of partial sums can be updated and drained in a cycle, whatever else happens to them.
- ``neurons``: rows leave the partial sums, and levels the neurons and the output, :data:`STEPS` times as fast.
- ``weights``: the weights are always there and move nothing on the bus.
- ``loads``: commands and what they load are there at once and move nothing on the bus.
- ``memory``: the memory answers at once, and gives :data:`WORDS` words in each cycle.
"""

READERS = ("fetch_words", "weight_words", "load_words", "addend_words", "join_words")
"""The buffers of the readers, in the order in which the model knows them."""

QUEUES: dict[str, Callable[[HardwareConfig], int]] = {
    "fetch_words": fetch_words,
    "weight_words": lambda c: WEIGHT_WORDS,
    "load_words": lambda c: LOAD_WORDS,
    "addend_words": lambda c: ADDEND_WORDS,
    "join_words": lambda c: JOIN_WORDS,
    "outstanding": lambda c: OUTSTANDING,
    "write_words": lambda c: WRITE_WORDS,
    "write_bursts": lambda c: WRITE_BURSTS,
    "load_jobs": lambda c: JOBS,
    "rows_queue": lambda c: QUEUE_WORDS,
    "scan_queue": lambda c: TILES_AHEAD,
    "tiles_known": lambda c: TILES_KNOWN,
    "runs_asked": lambda c: RUNS_ASKED,
    "ring_words": lambda c: ring_words(c) - UNDER_WAY,
    "queue_depth": lambda c: queue_depth(c, Detector.LATENCY + Pruner.LATENCY),
    "ends": lambda c: ENDS,
}
"""The depths of the queues between blocks, by the names of the model."""


def _scaled(name: str, by: float) -> Callable[[HardwareConfig], dict[str, int]]:
    return lambda c: {name: int(QUEUES[name](c) * by)}


SCALED = {f"{name} {text}": _scaled(name, by) for name in QUEUES for text, by in (("/ 2", 0.5), ("x 2", 2))}
"""Queues that are half or twice as deep, by which benchmarks tell whether they are as deep as they must be."""

OLDER: dict[str, Callable[[HardwareConfig], dict[str, int]]] = {
    "features": lambda c: {"feature_parts": max(1, c.bus_bits // (2 * c.feature_bits))},
    "overlap": lambda c: {"overlap": 0},
    "clean": lambda c: {"places": 0},
    "table": lambda c: {"table_rows": 1},
}
"""What the model can leave out, so that it is exact for earlier hardware: benchmarks tell what each step has saved.

- ``features``: only two words of features are written in a cycle.
- ``overlap``: the rows of a RUN start when the RUN before it has ended.
- ``clean``: the drain hands out all rows.
- ``table``: the row table makes a row in a cycle.
"""

STEPS = 16
"""How many steps the idealized neurons take in a cycle."""

WORDS = 4
"""How many words the idealized memory gives in a cycle, which is more than its three readers take."""


def parameters(
    c: HardwareConfig, latency: int, gap: int, ideal: Collection[str] = (), older: Collection[str] = ()
) -> np.ndarray:
    """Return the record CONFIG[1] for a configuration.

    Parameters
    ----------
    c : HardwareConfig
    latency, gap : of the memory, in cycles
    ideal : blocks of :data:`IDEAL` that take no time
    older : steps of :data:`OLDER` that the hardware lacks, and queues of another depth (:data:`SCALED`)
    """
    group_bits = c.neuron_lanes * PARAM_BYTES * 8
    flight = Detector.LATENCY + Pruner.LATENCY
    values = {
        **{name: getattr(c, name) for name in CONFIG.names or () if hasattr(c, name)},
        **{name: size(c) for name, size in QUEUES.items()},
        "latency": latency,
        "gap": gap,
        "burst": BURST_BEATS,
        "accepted": MEMORY_AHEAD,
        "memory_depth": MEMORY_DEPTH,
        "write_latency": QUEUE_LATENCY,
        "command_words": COMMAND_BYTES * 8 // c.bus_bits,
        "feature_parts": c.bus_bits // (words_per_cycle(c) * c.feature_bits),
        "segment_parts": c.bus_bits // 64,
        "param_words": max(1, group_bits // c.bus_bits),
        "param_parts": max(1, c.bus_bits // group_bits),
        "product_cycles": ProductChecker.cycles(c),
        "rows_ready": Im2col.LATENCY,
        "used_rows": UsedRows.LATENCY,
        "word_beats": word_beats(c),
        "begins": BEGINS,
        "detect": flight,
        "margin": queue_margin(c, flight),
        "starved": STARVED[c.banks],
        "overlap": 1,
        "places": 1,
        "table_rows": c.load_rows,
        "write_age": CLOSE_AFTER,
        "begin": BEGIN,
        "finish": FINISH,
    }
    for block in ideal:
        values |= IDEAL[block] | {f"no_{block}": 1}
    for step in older:
        values |= (OLDER | SCALED)[step](c)
    found = np.zeros(1, CONFIG)
    found[0]["reader_depth"] = [values.pop(name) for name in READERS]
    for name, value in values.items():
        found[0][name] = value
    return found
