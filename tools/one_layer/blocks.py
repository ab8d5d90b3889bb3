"""The blocks of docs/one-layer.md, each of which says in Markdown what one box did, with the numbers of the walk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reprise.hw.arch.program import COMMAND_BYTES

from .walk import ADDED, IMAGE, K_TILE, LAYER, OPERAND, Walk, computes, nonzero, ones


def table(head: str, rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown; ``head`` names the columns, with bars between them."""
    columns = [name.strip() for name in head.split("|")]
    lines = [columns, ["---"] * len(columns), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bits(row: int, count: int) -> str:
    """Write the bits of a row, bit 0 first."""
    return "`" + "".join(str(int(row) >> n & 1) for n in range(count)) + "`"


def numbers(values: np.ndarray) -> str:
    return ", ".join(str(int(v)) for v in values)


def hexes(data: np.ndarray) -> str:
    return " ".join(f"{int(b):02x}" for b in data)


def layer(walk: Walk) -> str:
    """Tell what training left: the layer in PyTorch's words and in integers, and its input."""
    source, neuron, c = walk.layer.convolutions[0], walk.layer.neuron, walk.channel
    out, channels, kernel = source.weight.shape[:3]
    y, x = walk.place(walk.position)
    first = walk.tap[0] * walk.config.tile_k
    y_in, x_in = y - source.padding + walk.tap[1], x - source.padding + walk.tap[2]
    levels = walk.compiled.read_feature_map(walk.memory, walk.layer.sources[0].feature)[0, 0]
    shown = levels[first : first + walk.config.tile_k, y_in, x_in]
    return table(
        "what | numbers",
        [
            ["in PyTorch", f"`Conv2d({channels}, {out}, {kernel}, padding={source.padding}, bias=False)`, "
             f"`BatchNorm2d({out})`, `MultiLevelIF(levels={neuron.levels})`, `MaxPool2d({walk.fields['pool']})`"],
            ["weights in the file", f"int8 [{', '.join(map(str, source.weight.shape))}], "
             f"{source.weight.min()} to {source.weight.max()}"],
            [f"neuron of output channel {c}", f"threshold D = {neuron.threshold[c]}, bias c = {neuron.bias[c]}, "
             f"initial potential v0 = {neuron.v0[c]}, levels 0..{neuron.levels}, {neuron.reset} reset"],
            ["image", f"number {IMAGE} of the file's samples, a {walk.file.labels[IMAGE]}"],
            [f"levels that come in at y = {y_in}, x = {x_in}", f"channels {first} to {first + len(shown) - 1}: "
             f"{numbers(shown)}"],
        ],
    )  # fmt: skip


def program(walk: Walk) -> str:
    """Tell the layer's commands up to its first RUN, as they lie in memory, and when they were issued."""
    commands, rows = walk.compiled.commands(), []
    issued = walk.cycles("command")
    shown = {
        "LOAD_SEGMENTS": ("source", "count", "target"),
        "LOAD_FEATURES": ("source", "bytes", "target"),
        "LOAD_PARAMS": ("source", "groups"),
        "RUN": ("weights", "k_tiles", "m_tiles", "rows", "planes", "levels", "output", "pool"),
    }
    for n, at in zip(range(walk.entry.first, walk.trace.command + 1), issued, strict=True):
        opcode, fields = commands[n]
        what = ", ".join(f"{name} {fields[name]}" for name in shown.get(opcode, ()))
        rows.append([n, walk.compiled.program + n * COMMAND_BYTES, f"`{opcode}`", what or "no fields", at])
    return table("command | byte address | opcode | fields (the main ones) | issued in cycle", rows)


def loader(walk: Walk) -> str:
    """Tell of one line of the input: its bytes in memory and its words on chip."""
    f, (block, ky, _) = walk.source, walk.tap
    y = walk.place(walk.position)[0] - walk.layer.convolutions[0].padding + ky
    plane = walk.row % walk.planes
    line = (block * f.height + y) * f.lines_per_row + plane
    address = f.address + line * f.line_bytes
    data = walk.memory[address - walk.compiled.base :][: f.line_bytes]
    load = next(fields for op, fields in walk.compiled.commands()[walk.entry.first :] if op == "LOAD_FEATURES")
    word = load["target"] + (address - load["source"]) * 8 // walk.config.feature_bits
    features = walk.cycles("features")
    width = f.line_bits // f.block_channels
    groups = [bits(sum(int(b) << 8 * n for n, b in enumerate(data)) >> x * f.block_channels, f.block_channels)
              for x in range(width)]  # fmt: skip
    return table(
        "what | numbers",
        [
            ["the line", f"block {block} of channels, y = {y}, plane {plane}"],
            ["in memory", f"address {address}: {hexes(data)}"],
            [f"its {f.line_bits} bits, by x", ", ".join(groups)],
            ["on chip", f"feature words {word} to {word + f.line_bytes * 8 // walk.config.feature_bits - 1}"],
            ["written", f"all {load['bytes']} bytes of the map in cycles {features[0]} to {features[-1]}"],
        ],
    )


def im2col(walk: Walk) -> str:
    """Tell the segment of the K tile, the row's entry in the row table, and all rows of the tile."""
    w, k, row = walk, walk.config.tile_k, walk.row
    entry = w.row_entry(row)
    segment = w.segment
    x = entry["x"] + segment["bit"]
    rows = []
    for position in range(len(w.tile.rows) // w.planes):
        these = w.tile.rows[position * w.planes : (position + 1) * w.planes]
        rows.append([w.place(position), position * w.planes, *(bits(r, k) for r in these)])
    head = "(y, x) | first row | " + " | ".join(f"plane {p}" for p in range(w.planes))
    return "\n\n".join(
        [
            f"Segment {K_TILE} of the layer says: line address + {segment['address']}, bits from {segment['bit']} on, "
            f"{segment['length']} of them, kernel row {segment['ky']}. Row {row} has the entry: "
            f"address {entry['address']}, x = {entry['x']}, y = {entry['y']}. So its bits are bits {x} to "
            f"{x + segment['length'] - 1} of the line at feature word {entry['address'] + segment['address']}: "
            f"{bits(w.tile.rows[row], k)}. The whole tile:",
            table(head, rows),
        ]
    )


def sorter(walk: Walk) -> str:
    """Tell the rows of the tile by popcount, in the order in which they are issued."""
    tile = walk.tile
    counts: dict[int, list[int]] = {}
    for r in tile.order:
        counts.setdefault(ones(tile.rows[r]), []).append(int(r))
    beats = walk.of_tile("rows", walk.beats)
    issued = walk.of_tile("sorted", nonzero)
    rows = [[n, ", ".join(map(str, found))] for n, found in counts.items()]
    return "\n\n".join(
        [
            table("set bits | rows, in issue order", rows),
            f"The last of the tile's {len(beats)} beats came in cycle {beats[-1]}; the {len(issued)} rows that are "
            f"not zero left in cycles {issued[0]} to {issued[-1]}, one per cycle unless the detector has no room.",
        ]
    )


def detector(walk: Walk) -> str:
    """Tell the prefix and the residual of every row of the tile, and where the row goes."""
    tile, k, rows = walk.tile, walk.config.tile_k, []
    for r in tile.order:
        exact, prefix = tile.exact[r], int(tile.prefix[r])
        added = ones(tile.residual[r])
        goes = "reuse queue" if exact else f"compute queue, {added} to add"
        mark = "**" if r == walk.row else ""
        rows.append([f"{mark}{r}{mark}", bits(tile.rows[r], k), prefix if prefix >= 0 else "none",
                     bits(tile.residual[r], k), goes])  # fmt: skip
    spared = sum(ones(r) for r in tile.rows) - sum(ones(r) for r in tile.residual)
    return "\n\n".join(
        [
            table("row | bits | prefix | residual | goes to", rows),
            f"Without prefixes the tile would take {sum(ones(r) for r in tile.rows)} additions for every channel; "
            f"{spared} of them are spared.",
        ]
    )


def processor(walk: Walk) -> str:
    """Tell how the row's tile result comes about: from that of its prefix, and from the weight rows that are added."""
    lanes, row = walk.fields["channels"], walk.row
    out = walk.result(walk.prefix)[:lanes]
    rows: list[list[object]] = [[f"result of row {walk.prefix}, the prefix", numbers(out), "before"]]
    residual = [n for n in range(walk.config.tile_k) if int(walk.tile.residual[row]) >> n & 1]
    row_bytes = walk.fields["weight_beats"] * walk.config.bus_bits // 8
    for n, at in zip(residual, walk.bits, strict=True):
        address = walk.fields["weights"] + (K_TILE * walk.config.tile_k + n) * row_bytes
        weights = walk.trace.weights[K_TILE, n, :lanes]
        out = out + weights
        rows.append([f"+ weight row {n} (byte address {address})", numbers(weights), at + ADDED])
    assert np.array_equal(out, walk.result(row)[:lanes])
    rows.append([f"= tile result of row {row}", f"**{numbers(out)}**", f"at the bank in {walk.update + OPERAND}"])
    rows.append([f"row {walk.exact}, an exact match of row {int(walk.tile.prefix[walk.exact])}",
                 numbers(walk.result(walk.exact)[:lanes]), f"at the bank in {walk.reuse + OPERAND}"])  # fmt: skip
    return table(f"what | channels 0 to {lanes - 1} | cycle", rows)


def psum(walk: Walk) -> str:
    """Tell how the row's partial sum of the channel grows over the K tiles."""
    c, row = walk.channel, walk.row
    results = [int(walk.result(row, k)[c]) for k in range(len(walk.tiles))]
    before, mine = sum(results[:K_TILE]), results[K_TILE]
    first = row // walk.planes * walk.planes
    drained = walk.cycles("psum")
    rows = [[r, r - first, int(walk.trace.psums[r, c]), drained[r]] for r in range(first, first + walk.planes)]
    return "\n\n".join(
        [
            f"Channel {c} of row {row}: {before} after {K_TILE} K tiles, {before} + ({mine}) = {before + mine} after "
            f"this one (written at the end of cycle {walk.update + 3}), {sum(results)} after all {len(results)}. "
            f"The rows of its position, when the m tile is complete:",
            table(f"row | plane | partial sum of channel {c} | drained in cycle", rows),
        ]
    )


def neurons(walk: Walk) -> str:
    """Tell how the planes of the position are combined, and how the neuron fires."""
    n, c, first = walk.layer.neuron, walk.channel, walk.position * walk.planes
    sums = [int(walk.trace.psums[first + p, c]) for p in range(walk.planes)]
    weight = [1 << p if walk.fields["weigh"] else 1 for p in range(walk.planes)]
    total = sum(s * w for s, w in zip(sums, weight, strict=True))
    u = (int(n.v0[c]) * int(n.leak[c]) >> 8) + total + int(n.bias[c])
    level, potential = int(walk.trace.levels[walk.position, 0, c]), int(walk.trace.potentials[walk.position, 0, c])
    assert level == min(max(u // int(n.threshold[c]), 0), n.levels)
    added = " + ".join(f"({s})" if w == 1 else f"{w} x ({s})" for s, w in zip(sums, weight, strict=True))
    group = c // walk.config.neuron_lanes
    at = walk.cycles("neurons")[walk.position * walk.fields["groups"] + group]
    return table(
        f"channel {c} | numbers",
        [
            ["sum of the planes", f"{added} = {total}"],
            ["U = v0 + sum + c", f"{int(n.v0[c])} + ({total}) + ({int(n.bias[c])}) = {u}"],
            ["level z = floor(U / D), at most N", f"floor({u} / {int(n.threshold[c])}) = **{level}**"],
            ["what stays, V = U - z D", potential],
            ["leaves", f"in cycle {at}, with group {group} of {walk.config.neuron_lanes} channels"],
        ],
    )


def output(walk: Walk) -> str:
    """Tell the window of the pool, the planes of the pooled level, and the lines in memory."""
    f, c, fields = walk.output, walk.channel, walk.fields
    window = walk.window[:, c]
    pooled = int(window.max())
    planes = [int(pooled > p) if fields["out_thermometer"] else pooled >> p & 1 for p in range(f.planes)]
    y, x = (v // fields["pool"] for v in walk.place(walk.position))
    written, rows = walk.words(), []
    for p in range(f.planes):
        address = fields["output"] + (y * f.lines_per_row + p) * f.line_bytes
        data = walk.memory[address - walk.compiled.base :][: f.line_bytes]
        assert written[address] == int.from_bytes(data.tobytes(), "little")
        inside = [bits(int.from_bytes(data.tobytes(), "little") >> n * fields["channels"], fields["channels"])
                  for n in range(fields["out_width"])]  # fmt: skip
        rows.append([p, planes[p], address, hexes(data), ", ".join(inside)])
    bursts = walk.cycles("aw")
    return "\n\n".join(
        [
            f"Channel {c} has the levels {numbers(window)} at the {len(window)} positions of its window, so the "
            f"pooled level at y = {y}, x = {x} is {pooled}; in {f.planes} {f.encoding} planes: "
            f"{', '.join(map(str, planes))}. The lines of y = {y}:",
            table(f"plane | bit of channel {c} at x = {x} | byte address | bytes | bits of channels 0 to "
                  f"{fields['channels'] - 1}, by x", rows),
            f"The first burst of {len(rows)} words goes out in cycle {bursts[0]} to address "
            f"{walk.events['aw_address'][bursts[0]]}. In PyTorch's numbering these are elements "
            f"`[0, 0:{fields['channels']}, {y}, :]` of the output of `{LAYER}`.",
        ]
    )  # fmt: skip


def timeline(walk: Walk) -> str:
    """Tell when the row, its position and its line passed the boxes."""
    row, queues = walk.row, {}
    for name, count in (("sorted", nonzero), ("pruned", nonzero), ("compute", computes)):
        queues[name] = next(t for t in walk.of_tile(name, count) if walk.events[f"{name}_row"][t] == row)
    first, c = walk.position * walk.planes, walk.channel
    group = walk.position * walk.fields["groups"] + c // walk.config.neuron_lanes
    drained, data = walk.cycles("psum")[first : first + walk.planes], walk.cycles("w")
    fired = walk.cycles("neurons")[group]
    return table(
        "what | cycle",
        [
            [f"row {row} leaves the sorter", queues["sorted"]],
            ["its prefix and residual are known", queues["pruned"]],
            ["the processor takes it from the compute queue", queues["compute"]],
            ["its residual bits are added", ", ".join(str(t + ADDED) for t in walk.bits)],
            ["its tile result is the operand of the partial sums", walk.update + OPERAND],
            [f"the {walk.planes} planes of its position leave the partial sums", ", ".join(map(str, drained))],
            [f"the level of channel {c} leaves the neurons", fired],
            ["the line is on the bus", f"{data[0]} to {data[walk.output.planes - 1]}"],
        ],
    )


BLOCKS: dict[str, Callable[[Walk], str]] = {
    f.__name__: f
    for f in (layer, program, loader, im2col, sorter, detector, processor, psum, neurons, output, timeline)
}
"""Every block, by the name that its marker in the page has."""
