"""Tables of docs/energy.md: one accelerator in the modes of its RUNs, fitted energies, and figures scaled to 28 nm."""

from __future__ import annotations

from statistics import mean
from typing import Any

from reprise.estimate.area.netlist import is_earlier
from reprise.estimate.baselines import published
from reprise.estimate.baselines.accelerator import CLOCK_MHZ
from reprise.estimate.energy import model
from reprise.flow.energy import scaling
from tools.tables import markdown, record
from tools.tables.captures import compared

MODES = {"dense": "dense", "bit": "bit-sparse", "product": "product-sparse"}
SPIKES = {"binary": "binary, T = 4", "levels": "levels 0..4, T = 1: the quantizer"}
NAMES = {"digits": "digits", "lenet5": "LeNet-5, MNIST", "resnet-sparse": "ResNet, CIFAR-10"}
EARLIER = "The netlist was an earlier one."


def _accuracy(row: dict[str, Any]) -> str:
    found = row["accuracy"]
    return f"{mean(found):.2f} % ({min(found):.2f} to {max(found):.2f})"


def modes() -> str:
    """Make the table of networks and kinds of spikes, with the cycles of every mode."""
    found = record("modes")
    rows = []
    for network, kinds in found["rows"].items():
        for spikes, told in SPIKES.items():
            row = kinds[spikes]
            cycles = {mode: mean(row["cycles"][mode]) for mode in MODES}
            shown = [f"{cycles[mode]:,.0f}" for mode in MODES]
            gains = [f"{cycles[worse] / cycles['product']:.2f}x" for worse in ("dense", "bit")]
            rows.append((NAMES[network], told, _accuracy(row), *shown, *gains))
    head = ("network", "spikes", "accuracy", *MODES.values(), "product over dense", "product over bit")
    return markdown(head, rows)


def _chips() -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Return the energies by mode of every network and kind of spikes that has been measured."""
    rows = record("modes")["rows"]
    return {(network, spikes): rows[network][spikes]["chip"] for network in rows for spikes in SPIKES
            if "chip" in rows[network][spikes]}  # fmt: skip


def _saved(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return how many times as much ``other`` takes: on the chip, with DRAM, and in energy times delay."""
    whole = (other["chip_nj"] + other["dram_nj"]) / (one["chip_nj"] + one["dram_nj"])
    found = (other["chip_nj"] / one["chip_nj"], whole, whole * other["cycles"] / one["cycles"])
    return [f"{value:.2f}x" for value in found]


def _measured() -> list[dict[str, Any]]:
    return [one for network in record("modes")["rows"].values() for one in network.values() if "chip" in one]


def _earlier() -> str:
    return f"\n\n{EARLIER}" * any(map(is_earlier, _measured()))


SAVES = ("chip saves", "with DRAM", "energy x delay saves")


def modes_energy() -> str:
    """Make the table of the energies of every mode, with what they save over the dense one."""
    rows = []
    for (network, spikes), found in _chips().items():
        for mode, name in MODES.items():
            one = found[mode]
            figures = (f"{one['cycles']:,}", f"{one['chip_nj']:,.0f}", f"{one['dram_nj']:,.0f}")
            told = (NAMES[network], SPIKES[spikes].split(":")[0], name, one["energy"])
            rows.append((*told, *figures, *_saved(one, found["dense"])))
    head = ("network", "spikes", "RUNs", "energy", "cycles", "chip, nJ", "DRAM, nJ", *SAVES)
    chips = {one["chip_name"] for one in _measured()}
    return f"On {' and '.join(f'`{chip}`' for chip in sorted(chips))}:\n\n" + markdown(head, rows) + _earlier()


def modes_levels() -> str:
    """Make the table of what levels in one timestep save over binary spikes in four, in every mode."""
    chips, rows = _chips(), []
    for network, told in NAMES.items():
        if (network, "binary") not in chips:
            continue
        for mode, name in MODES.items():
            levels, binary = (chips[network, spikes][mode] for spikes in ("levels", "binary"))
            rows.append((told, name, f"{binary['cycles'] / levels['cycles']:.2f}x", *_saved(levels, binary)))
    if not rows:
        return "Of binary spikes nothing is measured yet."
    return markdown(("network", "RUNs", "fewer cycles", *SAVES), rows) + _earlier()


def ratios() -> str:
    """Make the table of what levels and product sparsity save, by every account of energy that there is."""
    counts = [record(name)["total"]["operation_count_nj"] for name in ("energy_binary", "energy_paper")]
    mint = 1 / {one["name"]: one["energy_saving"] for one in published.means("Prosperity")}["MINT"]
    rows = [
        ("published", "2x to 3x", f"{mint:.1f}x"),
        ("operation count, 45 nm: digits", f"{counts[0] / counts[1]:.2f}x", "1.00x: it counts spikes"),
    ]
    chips = _chips()
    for network, told in NAMES.items():
        if (network, "binary") not in chips:
            continue
        levels, binary = (chips[network, spikes] for spikes in ("levels", "binary"))
        saved = [one["bit"]["chip_nj"] / one["product"]["chip_nj"] for one in (levels, binary)]
        kinds = {one[mode]["energy"] for one in (levels, binary) for mode in ("bit", "product")}
        what = "measured" if kinds == {"measured"} else "measured, and estimated for the longest runs"
        many = binary["product"]["chip_nj"] / levels["product"]["chip_nj"]
        rows.append((f"{what}: {told}", f"{many:.2f}x", f"{saved[0]:.2f}x (levels), {saved[1]:.2f}x (binary)"))
    return markdown(("account", "binary / levels", "bit-sparse / product-sparse"), rows) + _earlier()


def recipes() -> str:
    """Say how the networks of the modes were trained."""
    lines = []
    for network, kinds in record("modes")["rows"].items():
        one = kinds["levels"]
        images = f"{one['train_images']:,} images" if one["train_images"] else "all images"
        lines.append(f"- {NAMES[network]}: {one['epochs']} epochs of {images}, tested with {one['test_images']:,}.")
    return "\n".join(lines)


def fitted() -> str:
    """Make the table of the energies of events, and say how far estimates are off."""
    known = model.known()
    energies = [
        (name.replace("_", " "), *(f"{one['nanojoules'][name] * 1000:,.4g}" for one in known)) for name in model.EVENTS
    ]
    parts = [markdown(("event, pJ", *(f"`{one['name']}`" for one in known)), energies)]
    for one in known:
        fits, held = one["fit_percent"], one["held_out_percent"]
        others = [f"{name} {value:+.1f} %" for name, value in held.items()]
        parts += [
            f"`{one['name']}`, by `{one['command']}`: used to fit were {'; '.join(fits)}. Of these the whole chip is "
            f"off by up to {max(map(abs, fits.values())):.1f} %. Of those that were not used it is off by up to "
            f"{model.error_percent(one):.1f} %: {'; '.join(others)}. A single layer of these is off by up to "
            f"{one['held_out_layer_percent']:.1f} %."
        ]
        parts += [EARLIER] * is_earlier(one)
    return "\n\n".join(parts)


def scaled() -> str:
    """Make the table of our digits network scaled to 28 nm, beside the published accelerator's model."""
    low, high = scaling.factors()
    chip = record("energy_paper")["total"]["chip_nj"] / 1000
    theirs = next(one for one in compared("digits")["accelerators"] if one["name"] == "Prosperity")
    rows = [
        ("Reprise `paper`, measured", "130 nm, 1.2 V", f"{chip:.1f}"),
        ("Reprise `paper`, *scaled: an estimate*", "28 nm, 0.9 V", f"{chip * low:.2f} to {chip * high:.2f}"),
        (
            f"Prosperity, *model*: its power times its cycles at {CLOCK_MHZ:g} MHz",
            "28 nm",
            f"{theirs['chip_microjoules']:.2f}",
        ),
    ]
    told = markdown(("chip without DRAM, one image of the digits", "process", "uJ"), rows)
    return f"{told}\n\nThe factor is {low:.3f} to {high:.3f}." + f"\n\n{EARLIER}" * is_earlier(record("energy_paper"))


def enables() -> str:
    """Make the table of cores with and without the enables that save energy, on an FPGA."""
    rows, found = [], record("enables")
    for name, one in found.items():
        (with_them, without), clocks = (one["with"], one["without"]), []
        for kind, other in (("with", with_them), ("without", without)):
            clocks.append(mean(other["mhz"]) if other["mhz"] else 0.0)
            shown = ", ".join(f"{mhz:.2f}" for mhz in other["mhz"])
            told = f"{clocks[-1]:.2f} ({shown})" if shown else "not routed"
            rows.append((f"`{name}`", kind, *(f"{other[key]:,.0f}" for key in ("lut", "ff", "ram")), told))
        changes = [_change(with_them[key], without[key]) for key in ("lut", "ff", "ram")]
        rows.append((f"`{name}`", "what they change", *changes, _change(*clocks) if all(clocks) else ""))
    head = ("core of", "enables", "LUT", "FF", "block RAM", "clock, MHz (by seed)")
    commands = [f"`{one['command']}`" for one in found.values()]
    late = f"\n\n{EARLIER}" * any(map(is_earlier, found.values()))
    return f"{markdown(head, rows)}\n\nBy {' and '.join(commands)}.{late}"


def _change(one: float, other: float) -> str:
    return f"{100 * (one / other - 1):+.2f} %"
