"""The documents say what the code does: examples run, every manifest field and preset option is described."""

import re
from pathlib import Path

import pytest
import torch

from reprise.model.files import manifest

DOCS = Path(__file__).resolve().parents[2] / "docs"
torch.set_num_threads(1)


def test_training_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "training.md").read_text(), re.S)
    exec(compile(code, "docs/training.md", "exec"), {})
    assert manifest.read_manifest(tmp_path / "build/networks/mine.yaml").name == "mine"


def fields(model, prefix=""):
    for name, info in model.model_fields.items():
        yield prefix + (info.alias or name)


@pytest.mark.parametrize(
    "model", [manifest.Manifest, manifest.Tensors, manifest.Input, manifest.SourceEntry, manifest.NeuronEntry]
)
def test_every_field_is_described(model):
    text = (DOCS / "network-format.md").read_text()
    for name in fields(model):
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", text), f"{model.__name__}.{name} is not in docs/network-format.md"
