"""Training with checkpoints from which it can be resumed.

The forward pass of a quantized network is the integer arithmetic of the deployed one.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...support.checks import require
from ...support.errors import RepriseError
from ..nn import zoo
from ..nn.neurons import MultiLevelIF
from ..qat.network import QatNetwork
from ..trace.lower import prepare
from . import datasets
from .recipe import Recipe

CHECKPOINT_VERSION = 1


def build(recipe: Recipe, data: datasets.Dataset) -> QatNetwork:
    """Make the network of a recipe.

    Raises
    ------
    ValueError
        The images do not suit the network.
    UnsupportedError
        The network is to be quantized and cannot be exported.
    """
    extra = {"leak": recipe.leak} if recipe.neuron == "lif" else {}
    module, shape = zoo.build(
        recipe.network,
        levels=recipe.levels,
        timesteps=recipe.timesteps,
        classes=data.classes,
        neuron=recipe.neuron,
        seed=recipe.seed,
        width=recipe.width,
        blocks=recipe.blocks,
        barrier=recipe.barrier,
        barrier_levels=recipe.barrier_levels,
        barrier_surrogate=recipe.barrier_surrogate,
        reset=recipe.reset,
        surrogate=recipe.surrogate,
        **extra,
    )
    if not zoo.fits(recipe.network, data.shape):
        raise RepriseError(
            f"network {recipe.network} needs images of shape {shape}, {data.name} has {tuple(data.shape)}"
        )
    shape = data.shape
    net = prepare(
        module,
        input_shape=shape,
        input_levels=data.levels,
        timesteps=recipe.timesteps,
        input_mode=recipe.input_mode,
    )
    return net.quantize(recipe.quantize)


def augment(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Shift and flip each image of a batch (B, C, H, W) of levels at random; what is shifted in is zero."""
    b, _, h, w = images.shape
    if recipe.shift:
        s = recipe.shift
        padded = F.pad(images, (s, s, s, s))
        offset = torch.randint(0, 2 * s + 1, (2, b), generator=generator).to(images.device)
        rows = offset[0][:, None] + torch.arange(h, device=images.device)
        cols = offset[1][:, None] + torch.arange(w, device=images.device)
        batch = torch.arange(b, device=images.device)[:, None, None]
        images = padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2)
    if recipe.flip:
        flips = (torch.rand(b, generator=generator) < 0.5).to(images.device)
        images = torch.where(flips[:, None, None, None], images.flip(3), images)
    return images.contiguous()


@dataclass
class State:
    """What a checkpoint holds, which is enough to continue bit for bit."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    epoch: int = 0
    seconds: float = 0.0  # of training, over all runs

    def save(self, path: Path, recipe: Recipe) -> None:
        """Write a checkpoint; whoever is interrupted meanwhile leaves the one before as it was."""
        data = {
            "version": CHECKPOINT_VERSION,
            "recipe": recipe.model_dump_json(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(data, part)
        os.replace(part, path)

    def load(self, path: Path, recipe: Recipe) -> None:
        """Continue from a checkpoint; one of another version or recipe, or a damaged one, raises RepriseError."""
        try:
            data = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:  # what torch raises for a damaged file depends on where the damage is
            raise RepriseError(
                where=str(path),
                field="the file",
                rule="a checkpoint",
                value=f"{type(error).__name__}: {' '.join(str(error).split())[:60]}",
                remedy="delete it (--restart) or name another one",
            ) from None
        if data.get("version") != CHECKPOINT_VERSION:
            raise RepriseError(f"{path}: version must be {CHECKPOINT_VERSION}, not {data.get('version')}")
        if data["recipe"] != recipe.model_dump_json():
            raise RepriseError(
                f"{path}: its recipe differs from the one asked for; delete it or name another checkpoint"
            )
        self.model.load_state_dict(data["model"])
        self.optimizer.load_state_dict(data["optimizer"])
        self.schedule.load_state_dict(data["schedule"])
        self.epoch, self.seconds = data["epoch"], data.get("seconds", 0.0)


def start(model: nn.Module, recipe: Recipe, steps: int) -> State:
    """Return the state before the first of ``steps`` steps; of the parameters only weights decay."""
    decay = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=max(2, steps), pct_start=0.2)
    return State(model, optimizer, schedule)


def batches(n: int, size: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Return shuffled batches of indices; a last batch of one image is dropped, because batch norm needs two."""
    return [b for b in torch.randperm(n, generator=generator).split(size) if len(b) > 1]


def subset(images: np.ndarray, labels: np.ndarray, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``count`` images and labels, or all of them if it is None."""
    return (images, labels) if count is None else (images[:count], labels[:count])


def train(
    recipe: Recipe,
    data: datasets.Dataset,
    *,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: Callable[[int, int, int, float], None] | None = None,
    stop_after: int | None = None,
    initial: dict | None = None,
    network: QatNetwork | None = None,
) -> QatNetwork:
    """Train the network of a recipe, or ``network`` by it.

    Parameters
    ----------
    checkpoint : Path | None
        A file that is written after every epoch. If it exists, training continues from it. On the CPU, and with an
        equal number of threads, the result is bit for bit the same as without the interruption.
    device : "cpu" or "cuda"; by default CUDA, if there is any
    progress : callable(epoch, step, steps, loss) | None
    stop_after : int | None
        Return after this many epochs of the recipe, as if training were interrupted.
    initial : dict | None
        The state of an equal network to start from, for fine-tuning, instead of the recipe's seed.

    Returns
    -------
    QatNetwork
        The network in evaluation mode; its ``train_seconds`` are those of all runs together.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    place = find_device(device)
    images, labels = (torch.tensor(a) for a in subset(data.train_images, data.train_labels, recipe.train_images))
    model = network or build(recipe, data)
    if initial is not None:
        model.load_state_dict(initial)
    model.to(place)
    generator = torch.Generator()
    steps = len(batches(len(images), recipe.batch, generator.manual_seed(0)))
    state = start(model, recipe, steps * recipe.epochs)
    if checkpoint and Path(checkpoint).exists():
        state.load(Path(checkpoint), recipe)
    while state.epoch < min(recipe.epochs, stop_after or recipe.epochs):
        model.train()
        began = time.monotonic()
        generator.manual_seed(recipe.seed * 100003 + state.epoch)
        for step, index in enumerate(batches(len(images), recipe.batch, generator)):
            x = augment(images[index].to(place).float(), recipe, generator)
            loss = train_step(state, recipe, x, labels[index].to(place))
            if progress:
                progress(state.epoch, step + 1, steps, loss)
        state.epoch += 1
        state.seconds += time.monotonic() - began
        if checkpoint:
            state.save(Path(checkpoint), recipe)
    model.train_seconds = state.seconds
    return model.eval()


def find_device(name: str | None) -> torch.device:
    """Return the device of a name, "cpu" or "cuda"; without a name it is CUDA, if there is any."""
    there = torch.cuda.is_available()
    require(name in (None, "cpu", "cuda"), "device", "cpu or cuda", name)
    require(there or name != "cuda", "device", "cpu", name, "PyTorch finds no CUDA device here")
    return torch.device(name or ("cuda" if there else "cpu"))


def train_step(state: State, recipe: Recipe, x: torch.Tensor, y: torch.Tensor) -> float:
    """Take one step on images (B, C, H, W) and labels (B,), and return the loss without the weight of sparsity."""
    state.optimizer.zero_grad(set_to_none=True)
    penalty, hooks = [], []
    if recipe.sparsity:
        hooks = watch(state.model, lambda _, z: penalty.append(z.mean()))
    loss = F.cross_entropy(state.model(x), y, label_smoothing=recipe.label_smoothing)
    for h in hooks:
        h.remove()
    total = loss + recipe.sparsity * torch.stack(penalty).mean() if penalty else loss
    total.backward()
    state.optimizer.step()
    state.schedule.step()
    return float(loss.detach())


def watch(model: nn.Module, see: Callable[[str, torch.Tensor], object]) -> list:
    """Let ``see(name, levels)`` be called for every spiking layer; whoever gets the hooks removes them afterwards."""
    hooks = []
    for name, m in model.named_modules():
        if isinstance(m, MultiLevelIF) or getattr(m, "readout", None) is False:
            label = getattr(m, "name", name)
            hooks.append(m.register_forward_hook(lambda _m, _i, out, label=label: see(label, out)))
    return hooks


@torch.no_grad()
def evaluate(
    model: nn.Module, images: np.ndarray, labels: np.ndarray, *, batch: int = 500, device: str | None = None
) -> tuple[float, dict[str, float]]:
    """Return the accuracy in percent, and the spikes of each layer per image.

    A layer's spikes are its levels, summed over positions and timesteps.
    """
    place = torch.device(device) if device else next(model.parameters()).device
    model.eval()
    spikes: dict[str, int] = {}
    right = 0
    hooks = watch(
        model, lambda name, z: spikes.__setitem__(name, spikes.get(name, 0) + int(z.sum(dtype=torch.float64)))
    )
    try:
        for i in range(0, len(images), batch):
            x = torch.tensor(images[i : i + batch]).to(place).float()
            right += int((model(x).argmax(1).cpu() == torch.tensor(labels[i : i + batch])).sum())
    finally:
        for h in hooks:
            h.remove()
    return 100 * right / len(images), {k: v / len(images) for k, v in spikes.items()}
