"""The recipe of a training run, which is validated and comes from a YAML preset and the command line, without torch."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...hw.arch.config import HardwareConfig
from ...support.errors import MissingFileError, RepriseError, explain
from ...support.presets import NETWORKS as PRESETS
from ...support.presets import preset_file, preset_names
from ...support.yaml_file import read_yaml

BARRIER_FIELDS = ("barrier", "barrier_levels", "barrier_surrogate")


class Recipe(BaseModel):
    """The network, neurons, data and optimization of one training run. The same recipe gives the same network.

    Members
    -------
    levels : N, the largest level of a timestep
    barrier : levels that enter a join for each level that its barrier emits
    barrier_levels : the largest level that a barrier emits; None is N
    barrier_surrogate : whether a barrier's gradient ends where it clips ("clipped") or not ("identity")
    epochs : passes over the training set
    sparsity : weight of the mean level in the loss
    shift : pixels by which images are shifted at most
    threads : of the CPU, or None for all of them
        The order of sums depends on it, and so do the last bits of the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    network: str
    dataset: Literal["digits", "mnist", "cifar10"]
    levels: Annotated[int, Field(ge=1, le=255)] = 4
    timesteps: Annotated[int, Field(ge=1, le=64)] = 1
    neuron: Literal["if", "lif"] = "if"
    leak: Annotated[int, Field(ge=0, le=256)] = 256
    reset: Literal["soft", "hard", "none"] = "soft"
    surrogate: Literal["rectangular", "sigmoid"] = "rectangular"
    input_mode: Literal["repeat", "once"] = "repeat"
    width: Annotated[int, Field(ge=1, le=512)] | None = None
    blocks: Annotated[int, Field(ge=1, le=32)] = 3
    barrier: Annotated[int, Field(ge=1, le=255)] = 1
    barrier_levels: Annotated[int, Field(ge=1, le=255)] | None = None
    barrier_surrogate: Literal["identity", "clipped"] = "identity"
    quantize: bool = True
    epochs: Annotated[int, Field(ge=1, le=10000)] = 10
    batch: Annotated[int, Field(ge=1, le=65536)] = 128
    lr: Annotated[float, Field(gt=0, le=10)] = 0.003
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sparsity: Annotated[float, Field(ge=0, le=10)] = 0.0
    shift: Annotated[int, Field(ge=0, le=8)] = 0
    flip: bool = False
    train_images: Annotated[int, Field(ge=1)] | None = None
    test_images: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    threads: Annotated[int, Field(ge=1, le=256)] | None = None

    @model_validator(mode="after")
    def _barriers(self) -> Self:
        changed = [name for name in BARRIER_FIELDS if getattr(self, name) != type(self).model_fields[name].default]
        if changed and self.network not in ("resnet-sparse", "spikformer"):
            raise ValueError(f"{changed[0]} is of resnet-sparse, the network with barriers, not of {self.network}")
        return self

    @property
    def title(self) -> str:
        """NETWORK-nN-tT, with -float behind it if the network is not quantized."""
        return f"{self.network}-n{self.levels}-t{self.timesteps}" + ("" if self.quantize else "-float")

    def key(self, *extra: str) -> str:
        """Return 16 hexadecimal digits that depend on the content of the recipe and on ``extra``."""
        text = json.dumps([self.model_dump(), *extra], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make(where: str, values: dict) -> Recipe:
    """Make a recipe of the values that stand in ``where``; a wrong one raises RepriseError with every problem."""
    try:
        return Recipe(**values)
    except ValidationError as e:
        raise explain(where, e) from e


def presets() -> list[str]:
    """Return the names of all presets."""
    return preset_names(PRESETS)


def preset(name: str, **overrides: Any) -> Recipe:
    """Read a preset of ``configs/networks`` by its name, or a YAML file by its path.

    Each of the ``overrides`` that is not None replaces a field.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else preset_file(PRESETS, name)
    if path is None or not path.is_file():
        known = ", ".join(presets())
        if path is not None:
            rule = f"a network file, a recipe or a preset ({known})"
            raise MissingFileError(field="the network", rule=rule, value=name, remedy="there is no such file")
        raise RepriseError(field="network preset", rule=f"one of {known} or a YAML file", value=name)
    values = read_yaml(path, rule="be a network file or a recipe (a YAML file with the field network)")
    if "network" not in values:
        holds = f"one with the fields {', '.join(list(values)[:4])}"
        hardware = set(values) <= {one.name for one in dataclasses.fields(HardwareConfig)}
        raise RepriseError(
            where=str(path),
            field="the file",
            rule="a network file or a recipe (a YAML file with the field network)",
            value="a hardware configuration" if hardware else holds,
            remedy="give it to --config" if hardware else "",
        )
    values.update({k: v for k, v in overrides.items() if v is not None})
    return make(str(path), values)
