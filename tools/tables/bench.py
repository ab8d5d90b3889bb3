"""Tables of benchmarks, from ``docs/measured/bench.json``, and of proofs, from ``docs/measured/proofs.json``.

``python -m tools.bench --out docs/measured/bench.json`` writes the first file, and ``python -m tests.formal.measure
--write`` the second. Seconds are of one machine.
"""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Callable

from reprise.estimate.area.measured import routed
from reprise.estimate.area.netlist import NETLIST
from reprise.estimate.baselines.published import density
from reprise.hw.arch.config import HardwareConfig
from tools import bench
from tools.benches import queues as queues_bench
from tools.benches import steps as steps_bench
from tools.transformers.networks import OPERATORS

from . import markdown, number, record


def value(key: str, figure: float) -> str:
    """Write a figure with the unit in which its key ends."""
    for end, unit in (("_seconds", " s"), ("_mib", " MiB"), ("ratio", " times"), ("per_second", " a second")):
        if f"_{key}".endswith(end):
            return f"{figure:.2g}{unit}" if figure < 10 else f"{figure:,.0f}{unit}"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:,.4g}"


def machine(topic: str) -> str:
    """Say on what machine the benchmarks of a topic were measured."""
    about = record("bench")["machines"][topic]
    load = f", when on average {about['load']:g} other processes wanted a core" if "load" in about else ""
    lower = ", most of them at a lower priority" if about.get("nice", 0) < 0 else ""
    return f"Measured on one machine of {about['cores']} cores{load}{lower}."


def depth(engine: str, depths: list[int]) -> str:
    """Say how far a proof reaches; an induction of some depth reaches as far as one without a depth."""
    if not depths or "induction" in engine:
        return f"for ever{f' (k = {depths[-1]})' if depths else ''}"
    return f"{'...'.join(map(str, sorted({depths[0], depths[-1]})))} cycles"


def proofs() -> str:
    """Make the table of what is proven: property, module, engine, depth and seconds."""
    rows = [
        (one["property"], one["module"], one["engine"], depth(one["engine"], one["depths"]), f"{one['seconds']:.0f} s")
        for one in record("proofs")["proofs"]
    ]
    return markdown(("property", "on", "engine", "depth", "time"), rows)


STEPS = {
    "paper": "`paper` with full K tiles, whose weights are all fetched",
    "depths": "K tiles of as many bits as each layer wants, 8 to 16",
    "used": "of the weights, only those rows that a row of the tile uses",
    "fits": "`load_rows=4`, `feature_words=4096`",
    "k32": "`tile_k=32`",
    "weight_banks": "`weight_banks=4`",
    "features": "a bus word of features is written in a cycle, and not two feature words",
    "overlap": "the rows of a RUN start while the RUN before is drained",
    "table": "clean rows are not drained, and the row table makes several rows in a cycle",
    "fast": "`one_bit_matches=1`, `narrow_buffers=1`: the preset `fast`",
    "order": "channels that fire together lie side by side in a map",
}
"""What each step of ``tools/benches/steps.py`` adds to those before it."""


def steps() -> str:
    """Make the table of what each step saves: cycles of captures, as a part of those of the published simulator."""
    found = {key: one for key, one in record("bench")["results"].items() if key.startswith("steps.")}
    names = [name.partition(".")[2] for name in found]
    rows = []
    for step, text in STEPS.items():
        for bus in steps_bench.BUSES:
            ratios = [one[f"{step}_{bus}_cycles"] / one["published_cycles"] for one in found.values()]
            cells = [
                f"{one[f'{step}_{bus}_cycles']:,} ({ratio:.3f})"
                for one, ratio in zip(found.values(), ratios, strict=True)
            ]
            rows.append(
                (text if bus == steps_bench.BUSES[0] else "", bus, *cells, f"{statistics.geometric_mean(ratios):.3f}")
            )
    published = [f"{one['published_cycles']:,}" for one in found.values()]
    rows.append(("the published simulator", "", *published, ""))
    return markdown(("with all before it", "bus", *names, "geometric mean"), rows)


QUEUES = {
    "fetch_words": "bus words in front of the command fetch: those of one burst",
    "weight_words": "bus words in front of the weight loader",
    "load_words": "bus words in front of the loader",
    "outstanding": "read bursts under way",
    "write_words": "bus words behind the output",
    "write_bursts": "write bursts under way",
    "load_jobs": "loads that the scheduler has handed to the loader",
    "rows_queue": "words of rows between im2col and the core",
    "scan_queue": "K tiles between the segment table and the row builder",
    "tiles_known": "K tiles whose used weight rows are known",
    "runs_asked": "runs of weight rows that are asked for",
    "ring_words": "words of rows in the row memory, tile by tile",
    "queue_depth": "rows between detector and processor",
    "ends": "ends of tiles between detector and processor",
}
"""What the queues of ``tools/benches/queues.py`` hold."""


def queues() -> str:
    """Make the table of what half and twice the depth of each queue costs or saves, at two latencies."""
    found = record("bench")["results"]["queues.depths"]
    rows = []
    for name, text in QUEUES.items():
        cells = []
        for depth in queues_bench.DEPTHS:
            ratios = [found.get(f"{name}_{depth}_{latency}_ratio") for latency in queues_bench.LATENCIES]
            cells += ["stands still" if ratio is None else f"{100 * (ratio - 1):+.2f}%" for ratio in ratios]
        rows.append((text, f"{found[f'{name}_entries']:,}", *cells))
    columns = [f"{depth}, latency {latency}" for depth in queues_bench.DEPTHS for latency in queues_bench.LATENCIES]
    return markdown(("queue", "entries", *columns), rows)


def table(topic: str, *words: str) -> str:
    """Make the table of the benchmarks of ``tools/benches/TOPIC.py``, or of what is proven (``proofs``).

    ``machine TOPIC`` says on what machine they ran; ``steps``, ``queues`` and others make tables of their own.
    """
    special: dict[str, Callable[..., str]] = {"proofs": proofs, "steps": steps, "queues": queues, "clock": clock}
    special |= {"transformers": transformers, "density": transformer_density, "free": free, "levels": levels}
    if topic in special:
        return special[topic](*words)
    if topic == "machine":
        return machine(*words)
    rows = []
    about = {name: inspect.getdoc(function) or "" for name, function in bench.discover().items()}
    for name, figures in record("bench")["results"].items():
        if name.startswith(f"{topic}."):
            title = f"`{name}`: {about[name].splitlines()[0]}"
            for number, (key, figure) in enumerate(figures.items()):
                rows.append(("" if number else title, key.replace("_", " "), value(key, figure)))
    return markdown(("benchmark", "figure", "measured"), rows)


def transformers(*names: str) -> str:
    """Make the table of whole transformers in RTL: cycles by operator, and those of the published model."""
    found = {name: record("transformers")[name] for name in names}
    operators = [name for name in (*OPERATORS, "total") if any(name in one["cycles"] for one in found.values())]

    def cell(cycles: dict, name: str, column: str) -> str:
        return number(cycles[name][column]) if name in cycles else "-"

    rows = [
        (name, *(cell(one["cycles"], name, column) for one in found.values() for column in SHOWN)) for name in operators
    ]
    heads = ("cycles", *(f"{name}, {what}" for name in names for what in ("RTL", "published model")))
    lines = [
        f"`{name}`: {number(one['elements'])} elements compared, {one['mismatches']} differ"
        f"{' (an earlier netlist)' if one['netlist'] != NETLIST else ''}; `{one['command']}`"
        for name, one in found.items()
    ]
    return markdown(heads, rows) + "\n\n" + "\n".join(f"- {line}" for line in lines)


PUBLIC_MS = 53
"""Milliseconds an image that the public RTL of Spikformer-1-384 takes, by its page
(tooddler/FPGA_SpikingTransformer: T = 4, on a ZU7EV, with 7.2 W)."""


def clock(name: str, preset: str) -> str:
    """Say at which clock a whole transformer takes as long as the public RTL, beside one that was routed."""
    cycles = record("transformers")[name]["cycles"]["total"]["rtl"]
    best = routed(HardwareConfig.load(preset))[0]
    return (
        f"`{name}` takes the {PUBLIC_MS} ms of the public RTL at a clock of {cycles / PUBLIC_MS / 1000:.1f} MHz. At "
        f"{best['fmax_mhz']:g} MHz, to which `{preset}` was routed, its cycles would be "
        f"{cycles / best['fmax_mhz'] / 1000:.1f} ms."
    )


SHOWN = ("rtl", "published_model")
"""The columns of that table."""


FREE = ("joins", "neurons on currents")
"""The operators for which the published simulator counts no cycles: they are in none of its layers. A join behind the
neurons of another layer is no operator of its own."""


def free(*names: str) -> str:
    """Make the table of what the published simulator counts as free, in cycles of RTL and as a part of all of them."""
    found = {name: record("transformers")[name]["cycles"] for name in names}
    rows = []
    for operator in FREE:
        cycles = [one.get(operator, {"rtl": 0})["rtl"] for one in found.values()]
        if not any(cycles):
            continue
        shares = [part / one["total"]["rtl"] for part, one in zip(cycles, found.values(), strict=True)]
        rows.append(
            (operator, *(f"{number(n)} ({share:.1%})" if n else "-" for n, share in zip(cycles, shares, strict=True)))
        )
    return markdown(("cycles", *(f"`{name}`" for name in names)), rows)


def levels(name: str) -> str:
    """Make the table of what the layers of each block take that read a shortcut or add to it, and the levels of it."""
    layers = record("transformers")[name]["layers"]
    blocks = sorted({layer.partition("_")[0] for layer in layers if layer.startswith("block")})
    rows = [
        (
            block.removeprefix("block"),
            layers[f"{block}_q"]["levels"],
            *(number(layers[f"{block}_{part}"]["rtl"]) for part in ("q", "fc1", "proj", "fc2")),
        )
        for block in blocks
    ]
    return markdown(("block", "levels", "q", "fc1", "projection", "fc2"), rows)


def transformer_density(name: str, published: str) -> str:
    """Make the table of the densities of a whole transformer by operator, and the published ones of a network."""
    found = record("transformers")[name]["cycles"]
    rows = [
        (operator, *(f"{one[bits] / one['dense']:.2%}" for bits in ("set_bits", "residual_bits")))
        for operator, one in found.items()
    ]
    known = density(published) or {}
    theirs = (f"{known[quantity]:.2%}" for quantity in ("bit_density", "product_density"))
    rows.append((f"`{published}`, whole network, published", *theirs))
    return markdown(("operator", "bit density", "product density"), rows)
