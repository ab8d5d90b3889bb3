"""Accuracy against spikes of residual joins: one architecture, recipe and set of sparsity weights for every join.

A join is judged by its curve, not by one run: one network of each join is fine-tuned with the weight of the spikes in
the loss swept alike, and the spikes of two joins are compared where their curves reach the same accuracy. Figures lie
in ``report/joins.json``.
"""

import json
from pathlib import Path

import numpy as np

from export import recipe, train

REPORT, PLOT = Path("report/joins.json"), Path("docs/img/joins.svg")
LABELS = {"sparse": "Sparse-ResNet (barriers)", "sew": "SEW (ADD)", "spiking": "Spiking-ResNet"}
MARKS = {"sparse": "o", "sew": "s", "spiking": "^"}


def key(join: str, r: recipe.Recipe) -> str:
    """Name of one run in the report: everything in which runs of one architecture and recipe may differ."""
    return f"{join}-N{r.levels}-w{r.width}-b{r.blocks}-n{r.train_images}-e{r.epochs}-s{r.sparsity:g}-seed{r.seed}"


def measure(join: str, r: recipe.Recipe, data, initial=None) -> dict:
    """Train one network (from ``initial``) and count: accuracy in percent on all test images, levels per inference.

    ``joined``: levels that enter joins from both sides; ``cut``: those of them that barriers hold back.
    """
    model = train.train(r, data, initial=initial)
    accuracy, spikes = train.evaluate(model, data.test_images, data.test_labels)
    joined = emitted = 0.0
    for layer in model.layers:
        if layer.fixed:
            joined += sum(spikes[s.feature] for s in layer.specs)
            emitted += spikes[layer.name]
    row = {"join": join, "accuracy": accuracy, "spikes": sum(spikes.values())}
    row |= {"joined": joined, "cut": joined - emitted, "seconds": model.train_seconds, "images": len(data.test_images)}
    return row | {"layer_spikes": spikes, "recipe": r.model_dump()}


def load() -> dict:
    return json.loads(REPORT.read_text()) if REPORT.exists() else {}


def store(row: dict):
    rows = load() | {key(row["join"], recipe.Recipe(**row["recipe"])): row}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")


def curve(rows, join: str):
    """Mean over seeds of (spikes, accuracy) for each sparsity weight of one join, ascending in spikes."""
    weights = sorted({r["recipe"]["sparsity"] for r in rows if r["join"] == join})
    points = []
    for weight in weights:
        same = [r for r in rows if r["join"] == join and r["recipe"]["sparsity"] == weight]
        points.append([np.mean([r[k] for r in same]) for k in ("spikes", "accuracy")])
    return np.array(sorted(points)).reshape(-1, 2)


def spikes_at(points, accuracy: float) -> float:
    """Fewest spikes with which a curve reaches ``accuracy``, straight lines between its points; NaN if it does not."""
    best = np.nan
    for (s0, a0), (s1, a1) in zip(points[:-1], points[1:], strict=True):
        if min(a0, a1) <= accuracy <= max(a0, a1) and a0 != a1:
            best = np.fmin(best, s0 + (accuracy - a0) / (a1 - a0) * (s1 - s0))
    return best


def compare(rows, first="sparse", second="sew", steps=5) -> list[dict]:
    """Spikes of two joins at equal accuracies over the range that both curves reach."""
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


def plot(rows, path=PLOT, title=""):
    """Accuracy against spikes, one curve a join; seeds as faint marks."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "joins"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for join in [j for j in LABELS if any(r["join"] == j for r in rows)]:
        points = curve(rows, join)
        (line,) = axes.plot(*points.T, marker=MARKS[join], label=LABELS[join])
        own = [r for r in rows if r["join"] == join]
        axes.plot(
            [r["spikes"] for r in own],
            [r["accuracy"] for r in own],
            MARKS[join],
            color=line.get_color(),
            alpha=0.35,
            markersize=4,
        )
    axes.set(xlabel="spikes (levels) per inference", ylabel="test accuracy (%)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
