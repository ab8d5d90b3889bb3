"""The Python API: light, few names, the same figures as the rooms behind it, mistakes by name."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import reprise as rp
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run

ROOT = Path(__file__).resolve().parents[2]
DIGITS = shipped("digits")
ROOMS = {"support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "cli", "configs"}


def test_importing_is_light_and_names_are_no_folders():
    assert not ROOMS & set(rp.__all__) and set(rp.__all__) <= set(dir(rp))
    code = (
        "import sys; before = set(sys.modules); import reprise as rp; rp.HardwareConfig.load('tiny'); "
        "heavy = {'torch', 'amaranth', 'numba', 'numpy', 'cocotb', 'pydantic'} & (set(sys.modules) - before); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'simulate'"):
        rp.simulate  # noqa: B018


def test_names_stay_what_they_are_when_rooms_are_imported():
    """A function of the face that bore a folder's name would become the folder."""
    import reprise.cosim.command
    import reprise.estimate.network  # noqa: F401

    assert callable(rp.estimate_cycles) and callable(rp.cosimulate) and callable(rp.load)
    assert all(getattr(rp, name).__doc__ for name in rp.__all__)


def test_pages_use_names_that_there_are():
    """README's program and the package's own docstring, which is the same, line by line."""
    block = re.search(r"```python\n(import reprise as rp\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    used = {node.attr for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Attribute)}
    assert used - {"load"} == {"HardwareConfig", "cosimulate", "estimate_cycles", "write_verilog"} <= set(rp.__all__)
    for line in block.splitlines():
        assert " ".join(line.split()) in " ".join(rp.__doc__.split())


@pytest.fixture(scope="module")
def digits():
    return rp.load(DIGITS)


def test_a_loaded_network_says_what_it_is(digits):
    assert repr(digits) == "NetworkFile(digits-n4-t1: 4 layers, input 1x8x8 of 0..16, T=1, 64 samples)"
    assert rp.load(digits) is digits


def test_a_saved_network_is_the_same_file(digits, tmp_path):
    path = digits.save(tmp_path / "copy")
    assert path.with_suffix(".safetensors").read_bytes() == DIGITS.with_suffix(".safetensors").read_bytes()
    again = network_file.load(path)
    assert (again.sha256, again.accuracy, again.widths, again.recipe) == (
        digits.sha256,
        digits.accuracy,
        digits.widths,
        digits.recipe,
    )


def test_limits_and_helps_are_there_if_asked(digits):
    plain, asked = (rp.estimate_cycles(digits, "tiny", limits=wanted, helps=wanted) for wanted in (False, True))
    assert plain.cycles == asked.cycles
    for before, after in zip(plain.layers, asked.layers, strict=True):
        assert not {"limits", "helps"} & set(before) and after["limits"]["blocks"] and after["helps"]
    best = asked.report["total"]["helps"][0]
    (field, value) = best["change"].popitem()
    changed = rp.estimate_cycles(digits, rp.HardwareConfig.load("tiny").replace(**{field: value}))
    assert best["cycles"] == changed.cycles < plain.cycles


def test_estimates_are_those_of_the_room(digits):
    from reprise.estimate.energy.model import fields
    from reprise.estimate.network import estimate

    config = rp.HardwareConfig.load("tiny")
    found = rp.estimate_cycles(digits, "tiny", images=2)
    report = estimate(digits.network, config, digits.images[:2])
    assert found.cycles == report["total"]["cycles"]["cycle_model"]
    added = {"shape", "energy"}
    assert [{k: v for k, v in one.items() if k not in added} for one in found.layers] == report["layers"]
    energies = fields(report, config)
    assert [one["energy"] for one in found.layers] == [one["energy"] for one in energies["layers"]]
    assert found.frames_per_second(40) == pytest.approx(2 * 40e6 / found.cycles)
    assert repr(found) == f"Estimate(digits-n4-t1: {found.cycles:,} cycles for 2 images)"
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "conv1", "conv2", "fc1", "readout", "end", "total"]
    columns = list(zip(*(line.split()[-5:] for line in lines[1:]), strict=True))
    for column in columns[:2]:
        *parts, total = (int(cell.replace(",", "")) for cell in column if cell != "-")
        assert sum(parts) == total, "the rows of a table add up to its total"
    assert f"{found.cycles:,}" in lines[-1]
    same = rp.estimate_cycles(digits, config, images=digits.images[:2])
    assert found.frames_per_second() == found.report["speed"]["frames_per_second"]
    assert same.report | {"date": ""} == found.report | {"date": ""} and same.report["configuration_name"] == "tiny"
    assert rp.estimate_cycles(digits, config, images=2, latency=60).cycles > found.cycles


def test_cosimulation_in_the_interpreter(digits):
    found = rp.cosimulate(digits, "tiny", images=3, engine="interpreter")
    assert found.equal and found.mismatches == 0 and found.first_mismatch is None and found.cycles is None
    features = run(digits.network, digits.images[:3], record=("features", "potentials"))
    assert found.predictions == tuple(features.predictions)
    assert found.accuracy == 100 * (features.predictions == digits.labels[:3]).mean()
    assert repr(found) == f"Cosimulation(digits-n4-t1: {found.elements:,} of {found.elements:,} elements equal the " + (
        "model, 3 images)"
    )


def test_a_mismatch_is_told_and_no_exception(digits, monkeypatch):
    from reprise.cosim.jobs import run as job

    right = job.model_layers

    def spoilt(compiled, *args, **kwargs):
        estimate, memory = right(compiled, *args, **kwargs)
        memory[compiled.features["conv2"].address] ^= 4
        return estimate, memory

    monkeypatch.setattr(job, "model_layers", spoilt)
    found = rp.cosimulate(digits, "tiny", images=1, engine="interpreter")
    assert not found.equal and found.mismatches > 0 and found.first_mismatch.startswith("conv2")
    assert f": {found.elements - found.mismatches:,} of {found.elements:,} elements" in repr(found)


def test_the_command_writes_verilog_by_the_same_function(tmp_path, monkeypatch):
    from reprise import api
    from tests.reprise.command import reprise

    called = []

    def write(config, folder, **options):
        called.append((config, folder, options))
        (tmp_path / "core.v").write_text("")
        return tmp_path / "core.v", tmp_path / "core.json"

    monkeypatch.setattr(api, "write_verilog", write)
    arguments = ["--config", "tiny", "--set", "lanes=16", "--top", "core", "--no-lint", "--out", tmp_path]
    assert reprise("verilog", *arguments).code == 0
    assert called == [(rp.HardwareConfig.load("tiny").replace(lanes=16), tmp_path, {"top": "core"})]


def module():
    import torch
    from torch import nn

    from reprise.export.nn.neurons import MultiLevelIF

    torch.manual_seed(3)
    layers = [nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), MultiLevelIF(levels=3), nn.Flatten(), nn.Linear(96, 5)]
    return nn.Sequential(*layers)


def images(count=12, levels=9):
    return np.random.default_rng(8).integers(0, levels + 1, (count, 2, 6, 6)).astype(np.uint8)


def test_a_quantized_module_is_a_network(tmp_path):
    from reprise.export.qat.check import compare

    labels = np.arange(12) % 5
    network = rp.quantize(module(), images(), "tiny", name="own", levels=9, scale=1 / 9, labels=labels)
    assert network.network.name == "own" and network.network.input_levels == 9
    assert np.array_equal(network.images, images()) and np.array_equal(network.labels, labels)
    assert any("int8" in change for change in network.changes) and network.widths
    assert network.accuracy is not None and network.accuracy["images"] == 12
    assert compare(network.network, images()).difference is None, "PyTorch's integers and the model"
    assert rp.load(network.save(tmp_path / "own")).network.layers[0].neuron.levels == 3
    assert rp.cosimulate(network, "tiny", images=4, engine="interpreter").equal


def test_a_spikingjelly_module_is_read_as_one():
    from spikingjelly.activation_based import neuron
    from torch import nn

    net = nn.Sequential(nn.Conv2d(2, 4, 3), neuron.IFNode(v_reset=None), nn.Flatten(), nn.Linear(64, 5))
    network = rp.quantize(net, images(), "tiny", levels=9, timesteps=2)
    assert network.network.timesteps == 2 and network.network.layers[0].neuron.levels == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: rp.load("alexnet"), "network preset must be one of .*digits.*, not 'alexnet'"),
        (lambda n: rp.load(n.network), "network must be a preset, the path of a network file, or what load"),
        (lambda n: rp.HardwareConfig.load("huge"), r"config must be a preset \(.*tiny.*\) or a YAML file, not 'huge'"),
        (lambda n: rp.estimate_cycles(n, "huge"), "config must be a preset .*, not 'huge'"),
        (lambda n: rp.estimate_cycles(n, {"tile_m": 16}), "config must be a HardwareConfig, a preset or a YAML file"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=0), "images must be an integer of at least 1, not 0"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=65), r"images must be 1\.\.64, not 65"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=n.images[0]), r"images must be of shape .*, not \(1, 8, 8\)"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=n.images[:, :, :4]), r"images must be of shape .*4, 8\)"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=n.images + 16), r"images must be in 0\.\.16, not"),
        (lambda n: rp.estimate_cycles(n, "tiny", images=n.images / 2), "images must be an array of integers"),
        (lambda n: rp.estimate_cycles(n, "tiny", latency=-1), "latency must be an integer of at least 0, not -1"),
        (lambda n: rp.cosimulate(n, "tiny", stall=2), r"stall must be 0\.\.0\.9, not 2"),
        (lambda n: rp.cosimulate(n, "tiny", engine="fast"), "engine must be rtl or interpreter, not 'fast'"),
        (lambda n: rp.write_verilog("tiny", "x", top="psum"), "top must be accelerator or core, not 'psum'"),
        (
            lambda n: rp.quantize(module(), images() / 2),
            r"images must be uint8\[n, C, H, W\], not 'float64\[12, 2, 6, 6\]'",
        ),
        (lambda n: rp.quantize(module(), images(), levels=8), r"images must be in 0\.\.levels=8, not 9"),
        (lambda n: rp.quantize(module(), images(), labels=[1]), r"labels must be one per image \(12\), not \(1,\)"),
        (lambda n: rp.quantize(module(), images(), timesteps=2), "2: has 1 timesteps, the network 2"),
    ],
)
def test_mistakes_are_told_by_name(digits, call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(rp.RepriseError, match=message):
        call(digits)


def test_without_torch_the_message_says_which_extra(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("reprise.export")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(rp.RepriseError, match=r"'torch' must be installed .* pip install 'reprise\[train\]'"):
        rp.quantize(None, images())
