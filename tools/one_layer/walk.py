"""Follows one tile of one layer from the network file to the bytes in memory, and checks every number twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import Interpreter
from reprise.compiler.golden.trace import RunTrace
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.feature_map import FeatureMap
from reprise.hw.arch.memory_image import LayerEntry, MemoryImage
from reprise.hw.arch.program import LOOPS, SEGMENT, SEGMENT_BYTES, unpack_fields
from reprise.model.files.network_file import NetworkFile, load
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import Result, run
from reprise.model.network.layer import Layer
from reprise.model.prosparsity.tiles import Tile, analyze_packed

from .simulate import Trace, simulate

NETWORK = shipped("digits")
CONFIG, LAYER, IMAGE = "tiny", "conv2", 0
K_TILE = 13
"""The tile that is followed: of the first m tile, the K tile of a tap in the middle of the kernel."""

ADDED = 2
"""Cycles from a residual bit's issue (stage 0) to the addition of its weight row (stage 2), in reprise.hw.processor."""

OPERAND = 2
"""Cycles from the slot of an update (stage 1) to its operand (stage 3) in reprise.hw.psum.bank."""

FILL = 0xA5
"""What the layer's output holds before it is written, so that a line that is left out is seen."""


def ones(row: int | np.integer) -> int:
    """Return the number of set bits of a row."""
    return int(row).bit_count()


def nonzero(tile: Tile) -> int:
    """Return the number of rows of a tile that are issued."""
    return len(tile.order)


def exacts(tile: Tile) -> int:
    """Return the number of exact matches of a tile."""
    return int(tile.exact.sum())


def computes(tile: Tile) -> int:
    """Return the number of rows of a tile that take additions."""
    return nonzero(tile) - exacts(tile)


def additions(tile: Tile) -> int:
    """Return the number of residual bits of a tile."""
    return sum(map(ones, tile.residual))


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """Everything that is known of the first RUN of the layer.

    Members
    -------
    file : the network file, of whose samples IMAGE is the input
    compiled : the memory image of the whole network
    entry : the layer's commands
    trace : what the golden interpreter computes in that RUN
    tiles : the K tiles of the first m tile, with prefixes, residuals and order
    memory : uint8[size], the memory that the RTL leaves behind
    events : what was watched in the RTL, by name and cycle; cycle 0 is the one in which the job begins
    """

    file: NetworkFile
    compiled: MemoryImage
    entry: LayerEntry
    trace: RunTrace
    tiles: tuple[Tile, ...]
    memory: np.ndarray
    events: Trace

    @property
    def config(self) -> HardwareConfig:
        return self.compiled.config

    @property
    def fields(self) -> dict[str, int]:
        """The fields of the RUN command."""
        return self.trace.fields

    @property
    def layer(self) -> Layer:
        return self.file.network.layer(LAYER)

    @property
    def source(self) -> FeatureMap:
        """The feature map that the layer reads."""
        return self.compiled.features[self.layer.sources[0].feature]

    @property
    def output(self) -> FeatureMap:
        """The feature map that the layer writes."""
        return self.compiled.features[self.entry.feature]

    @property
    def tile(self) -> Tile:
        return self.tiles[K_TILE]

    @cached_property
    def tap(self) -> tuple[int, int, int]:
        """Block of channels, ky and kx of the K tile, which is one tap because a block has ``tile_k`` channels."""
        kernel = self.layer.convolutions[0].weight.shape[2:]
        block, tap = divmod(K_TILE, kernel[0] * kernel[1])
        return block, *divmod(tap, kernel[1])

    @cached_property
    def row(self) -> int:
        """The row that is followed: it has a prefix of most bits, and of such rows the residual of most bits."""
        tile = self.tile
        order = [int(r) for r in tile.order if tile.prefix[r] >= 0 and tile.residual[r]]
        return max(order, key=lambda r: (ones(int(tile.rows[tile.prefix[r]])), ones(int(tile.residual[r]))))

    @cached_property
    def exact(self) -> int:
        """The exact match of the tile that is issued first."""
        return int(next(r for r in self.tile.order if self.tile.exact[r]))

    @property
    def prefix(self) -> int:
        return int(self.tile.prefix[self.row])

    @property
    def planes(self) -> int:
        return self.fields["planes"]

    @property
    def position(self) -> int:
        """The number of the row's output position, in the order in which positions are computed."""
        return self.row // self.planes

    @cached_property
    def window(self) -> np.ndarray:
        """uint8[positions, channels], the levels of the pool's window in which the row's position lies."""
        size = self.fields["pool"] ** 2
        first = self.position // size * size
        return self.trace.levels[first : first + size, 0, : self.fields["channels"]]

    @cached_property
    def channel(self) -> int:
        """The output channel that is followed: of those that fire at the row's position, the highest in the window."""
        fires = self.trace.levels[self.position, 0, : self.fields["channels"]] > 0
        return int(np.argmax(self.window.max(axis=0) * fires))

    def place(self, position: int) -> tuple[int, int]:
        """Return y and x of an output position before pooling, where positions go window by window."""
        k = self.fields["pool"]
        window, inner = divmod(position, k * k)
        (wy, wx), (y, x) = divmod(window, self.fields["out_width"]), divmod(inner, k)
        return wy * k + y, wx * k + x

    def row_entry(self, row: int) -> dict[str, int]:
        """Return address, x and y of a row in the row table, by stepping through the loops of the RUN one by one."""
        f, counts = self.fields, [0] * LOOPS
        entry = {name: f[f"row_{name}0"] for name in ("address", "x", "y")}
        for _ in range(row):
            n = next(n for n in range(LOOPS) if counts[n] + 1 < f[f"loop{n}_count"])
            counts[: n + 1] = [0] * n + [counts[n] + 1]
            entry = {name: value + f[f"loop{n}_{name}0"] for name, value in entry.items()}
        return entry

    @cached_property
    def segment(self) -> dict[str, int]:
        """The segment of the K tile, which has only one because a block has ``tile_k`` channels."""
        load = next(f for op, f in self.compiled.commands()[self.entry.first :] if op == "LOAD_SEGMENTS")
        at = load["source"] - self.compiled.base
        data = self.compiled.data[at : at + load["count"] * SEGMENT_BYTES]
        entries = [unpack_fields(SEGMENT, data[n : n + SEGMENT_BYTES]) for n in range(0, len(data), SEGMENT_BYTES)]
        assert all(entry["last"] for entry in entries), "one segment per K tile"
        return entries[K_TILE]

    def beats(self, tile: Tile) -> int:
        """Return the number of beats of ``load_rows`` rows in which a tile comes."""
        return -(-len(tile.rows) // self.config.load_rows)

    def words(self) -> dict[int, int]:
        """Return the bus words that the output side hands out, by their byte addresses."""
        at = self.cycles("words")
        addresses = self.events["words_address"][at] + self.fields["output"]
        return {int(a): int(d) for a, d in zip(addresses, self.events["words_data"][at], strict=True)}

    def result(self, row: int, k: int = K_TILE) -> np.ndarray:
        """Return the tile result of a row, int64[lanes]."""
        bits = int(self.tiles[k].rows[row]) >> np.arange(self.config.tile_k) & 1
        return bits @ self.trace.weights[k].astype(np.int64)

    def cycles(self, name: str) -> np.ndarray:
        """Return the cycles in which a strobe is set."""
        return np.flatnonzero(self.events[name])

    def before(self, count: Callable[[Tile], int]) -> int:
        """Return the sum of ``count(tile)`` over the K tiles before the one that is followed."""
        return sum(int(count(tile)) for tile in self.tiles[:K_TILE])

    def of_tile(self, name: str, count: Callable[[Tile], int]) -> np.ndarray:
        """Return the cycles of the strobe's items that belong to the tile, which has ``count(tile)`` of them."""
        first = self.before(count)
        return self.cycles(name)[first : first + int(count(self.tile))]

    @cached_property
    def bits(self) -> list[int]:
        """The cycles in which the residual bits of the row are issued."""
        rows = [r for r in self.tile.order if not self.tile.exact[r]]
        first = sum(ones(self.tile.residual[r]) for r in rows[: rows.index(self.row)])
        cycles = self.of_tile("bit", additions)
        return [int(n) for n in cycles[first : first + ones(self.tile.residual[self.row])]]

    @property
    def update(self) -> int:
        """The cycle in which the row's update enters the partial sums (stage 1 of the bank)."""
        return self.bits[-1] + 1

    @cached_property
    def reuse(self) -> int:
        """The same of the exact match: the first update of its row after it was taken from its queue."""
        index = [r for r in self.tile.order if self.tile.exact[r]].index(self.exact)
        taken = self.of_tile("reuse", exacts)[index]
        updates = self.cycles("update")
        return int(next(t for t in updates if t > taken and self.events["update_row"][t] == self.exact))


def _check(walk: Walk, model: Result) -> None:
    """Raise AssertionError unless the RTL did what the interpreter did, and the interpreter what the model did."""
    events, tile, trace, c = walk.events, walk.tile, walk.trace, walk.config
    channels = walk.fields["channels"]
    inputs = walk.of_tile("sorted", nonzero)
    assert list(events["sorted_row"][inputs]) == list(tile.order), "issue order"
    pruned = walk.of_tile("pruned", nonzero)
    assert list(events["pruned_row"][pruned]) == list(tile.order), "rows of the pruner"
    assert list(events["pruned_residual"][pruned]) == [int(tile.residual[r]) for r in tile.order], "residuals"
    for update, row in ((walk.update, walk.row), (walk.reuse, walk.exact)):
        assert events["update"][update] and events["update_row"][update] == row, f"update of row {row}"
        operand = [events[f"operand{n}"][update + OPERAND] for n in range(c.lanes)]
        assert operand == walk.result(row).tolist(), f"tile result of row {row}"
    drained = walk.cycles("psum")
    sums = np.array([[events[f"psum{n}"][t] for n in range(c.lanes)] for t in drained])
    assert np.array_equal(sums, trace.psums), "partial sums"
    fired = [[events[f"level{n}"][t] for n in range(c.neuron_lanes)] for t in walk.cycles("neurons")]
    assert np.array_equal(np.array(fired), trace.levels.reshape(-1, c.neuron_lanes)), "levels"
    places = [walk.place(position) for position in range(len(trace.levels))]
    potentials = [model.potentials[LAYER][0, 0, :channels, y, x] for y, x in places]
    assert np.array_equal(np.array(potentials), trace.potentials[:, 0, :channels]), "potentials of the model"


def walk() -> Walk:
    """Compile, interpret and simulate the layer, and compare every number of the RTL before it is told.

    Raises
    ------
    AssertionError
        RTL, interpreter and model do not agree.
    """
    assert NETWORK is not None
    file = load(NETWORK)
    traces: list[RunTrace] = []
    config = HardwareConfig.load(CONFIG)
    images = file.images[IMAGE : IMAGE + 1]
    compiled = compile_network(file.network, config, 1, keep_features=True)
    memory = Interpreter(compiled, compiled.initial_memory(images, FILL), traces.append).run()
    model = run(file.network, images, record=("features", "potentials"))
    assert np.array_equal(compiled.read_feature_map(memory, LAYER), model.features[LAYER]), "the layer's feature map"
    entry = next(e for e in compiled.layers if e.name == LAYER)
    trace = next(t for t in traces if t.layer == LAYER)
    output = compiled.features[entry.feature]
    first = output.address - compiled.base
    before = memory.copy()
    before[first : first + output.bytes] = FILL
    events, after = simulate(compiled, before, entry.first, trace.command)
    before[first : first + output.block_bytes] = memory[first : first + output.block_bytes]
    assert np.array_equal(after, before), "memory: the block's lines, and nothing else"
    tiles = analyze_packed(trace.packed, trace.starts)
    found = Walk(
        file=file,
        compiled=compiled,
        entry=entry,
        trace=trace,
        tiles=tuple(tiles.tile(0, k) for k in range(trace.packed.shape[1])),
        memory=after,
        events=events,
    )
    _check(found, model)
    return found
