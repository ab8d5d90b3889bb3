"""Curves of accuracy against spikes for residual joins, all of one architecture and recipe.

A join is judged by its curve and not by one run. From one trained network of each join, two knobs are turned in the
same way for all of them. ``tuned`` trains on with several weights of the spikes in the loss. ``thresholds`` multiplies
all thresholds but those of the joins and measures batch statistics anew, without training. Spikes are compared where
two curves reach the same accuracy. The figures lie in ``docs/measured/joins.json``.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from reprise.export.qat.network import QatNetwork
from reprise.export.train import datasets, recipe, train
from reprise.support.checks import require
from reprise.support.errors import RepriseError

ROOT = Path(__file__).resolve().parents[1]
REPORT, PLOT = ROOT / "docs" / "measured" / "joins.json", ROOT / "docs" / "img" / "joins.svg"
LABELS = {
    "sparse": "Sparse-ResNet (barriers clip)",
    "sparse-b2": "Sparse-ResNet (barriers emit 0..2)",
    "sparse/2": "Sparse-ResNet (barriers halve)",
    "sew": "SEW (ADD)",
    "spiking": "Spiking-ResNet",
}
TITLES = {"tuned": "spikes in the loss, trained on", "thresholds": "thresholds scaled, not trained"}
MARKS = {"sparse": "o", "sparse-b2": "v", "sparse/2": "D", "sew": "s", "spiking": "^"}


def parse(join: str) -> tuple[str, dict]:
    """Return the preset of a curve's network, and the fields of its recipe that differ from the preset.

    The names ``sew``, ``sparse``, ``sparse-b2`` and so on are those of the presets ``resnet-*``. In ``sparse/2`` a
    barrier emits one level for two, and in ``sparse:2`` it emits 0..2. Any other name raises RepriseError.
    """
    match = re.fullmatch(r"([a-z0-9-]+)(?:/(\d+))?(?::(\d+))?", join)
    if not match or f"resnet-{match[1]}" not in recipe.presets():
        known = ", ".join(name.removeprefix("resnet-") for name in recipe.presets() if name.startswith("resnet-"))
        raise RepriseError(field="a join", rule=f"one of {known}, or like sparse/2 or sparse:2", value=join)
    name, step, top = match.groups()
    return f"resnet-{name}", ({"barrier": int(step)} if step else {}) | ({"barrier_levels": int(top)} if top else {})


def numbers(name: str, text: str) -> None:
    """Refuse an option that is no list of numbers."""
    for one in filter(None, text.split(",")):
        require(one.replace(".", "", 1).isdecimal(), name, "numbers with commas between them", text)


def known(name: str, text: str) -> None:
    """Refuse an option that names a join which there is not."""
    for join in filter(None, text.split(",")):
        parse(join)


def key(join: str, r: recipe.Recipe, knob: str, value: float) -> str:
    """Return the name of one row in the report, which holds everything in which rows may differ."""
    return f"{join}-N{r.levels}-w{r.width}-b{r.blocks}-n{r.train_images}-e{r.epochs}-seed{r.seed}-{knob}-{value:g}"


def measure(join: str, r: recipe.Recipe, data: datasets.Dataset, initial: dict | None = None) -> dict:
    """Train a network with the recipe, from the state ``initial`` on if that is given, and return its row."""
    model = train.train(r, data, initial=initial)
    assert isinstance(model, QatNetwork)  # networks whose joins cannot be built are not measured here
    return count(join, model, data) | {"knob": "tuned", "value": r.sparsity, "recipe": r.model_dump()}


@torch.no_grad()
def with_thresholds(model: QatNetwork, factor: float, images: np.ndarray, batch: int = 200) -> QatNetwork:
    """Multiply the thresholds of all firing layers but joins, and take the batch statistics from ``images``."""
    for layer in model.layers:
        if not layer.fixed and not layer.readout:
            layer.threshold.mul_(factor)
    model.train()
    for i in range(0, len(images), batch):
        for layer in model.layers:
            layer.momentum = 1 / (1 + i // batch)  # the mean over all batches
        model(torch.tensor(images[i : i + batch]).float())
    return model.eval()


def count(join: str, model: QatNetwork, data: datasets.Dataset) -> dict:
    """Return a row with the accuracy in percent on the test images, and with the levels per image.

    ``joined`` are the levels that enter joins from both sides, and ``cut`` are those of them that barriers hold back.
    """
    accuracy, spikes = train.evaluate(model, data.test_images, data.test_labels)
    joined = emitted = 0.0
    for layer in model.layers:
        if layer.fixed:
            joined += sum(spikes[s.feature] for s in layer.specs)
            emitted += spikes[layer.name]
    row = {"join": join, "accuracy": accuracy, "spikes": sum(spikes.values())}
    return row | {"joined": joined, "cut": joined - emitted, "images": len(data.test_images), "layer_spikes": spikes}


def load(path: Path = REPORT) -> dict:
    """Return all rows of a report by their names."""
    return json.loads(path.read_text()) if path.exists() else {}


def store(row: dict, path: Path) -> None:
    """Add a row to a report, or replace the one of its name."""
    rows = load(path) | {key(row["join"], recipe.Recipe(**row["recipe"]), row["knob"], row["value"]): row}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")


def runs(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """Return the rows of each recipe and knob by a title; only rows that share it are compared."""
    found: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda r: (-(r["recipe"]["train_images"] or np.inf), r["knob"])):
        r = row["recipe"]
        images = f"{r['train_images']:,}" if r["train_images"] else "all"
        size = f"{images} images, {r['epochs']} epochs, width {r['width']}, {r['blocks']} blocks"
        found.setdefault(f"{TITLES[row['knob']]}\n{size}", []).append(row)
    return found


def curve(rows: list[dict], join: str) -> np.ndarray:
    """Return the curve of one join: its mean (spikes, accuracy) over seeds for each value of the knob, by spikes."""
    points = []
    for value in {r["value"] for r in rows if r["join"] == join}:
        same = [r for r in rows if r["join"] == join and r["value"] == value]
        points.append([np.mean([r[k] for r in same]) for k in ("spikes", "accuracy")])
    return np.array(sorted(points)).reshape(-1, 2)


def spikes_at(points: np.ndarray, accuracy: float) -> float:
    """Return the fewest spikes with which a curve reaches ``accuracy``, and NaN if it does not.

    Between its points, the curve is a straight line.
    """
    best = np.nan
    for (s0, a0), (s1, a1) in zip(points[:-1], points[1:], strict=True):
        if min(a0, a1) <= accuracy <= max(a0, a1) and a0 != a1:
            best = np.fmin(best, s0 + (accuracy - a0) / (a1 - a0) * (s1 - s0))
    return best


def compare(rows: list[dict], first: str = "sparse", second: str = "sew", steps: int = 5) -> list[dict]:
    """Compare the spikes of two joins at equal accuracies, over the range that both curves reach."""
    curves = [curve(rows, j) for j in (first, second)]
    if min(map(len, curves)) < 2:
        return []
    low = max(c[:, 1].min() for c in curves)
    high = min(c[:, 1].max() for c in curves)
    found = []
    for accuracy in np.linspace(low, high, steps) if low < high else ():
        a, b = (spikes_at(c, accuracy) for c in curves)
        found.append({"accuracy": accuracy, first: a, second: b, "fewer": 100 * (1 - a / b)})
    return found


def plot(rows: list[dict], path: Path = PLOT) -> None:
    """Draw accuracy against spikes, with a panel for each recipe and knob, and a curve for each join.

    The curve is the mean of the seeds, each of which has a thin one.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "joins"
    from matplotlib import pyplot as plt

    groups = runs(rows)
    figure, panels = plt.subplots(1, len(groups), figsize=(5.2 * len(groups), 4), layout="constrained", squeeze=False)
    for (title, own), axes in zip(groups.items(), panels[0], strict=True):
        for join in [j for j in LABELS if any(r["join"] == j for r in own)]:
            color = f"C{list(LABELS).index(join)}"  # the same in every panel
            axes.plot(*curve(own, join).T / [[1000], [1]], marker=MARKS[join], label=LABELS[join], color=color)
            seeds = {r["recipe"]["seed"] for r in own if r["join"] == join}
            for seed in sorted(seeds) if len(seeds) > 1 else ():
                one = curve([r for r in own if r["recipe"]["seed"] == seed], join).T / [[1000], [1]]
                axes.plot(*one, color=color, linewidth=0.6, alpha=0.6)
        axes.set(xlabel="thousand spikes (levels) per inference", ylabel="test accuracy (%)", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
