"""Mistakes in a command line: each is told in one line before any work, and ends with exit code 2."""

from __future__ import annotations

import re

import pytest

from reprise.model.files.capture import SAMPLE
from reprise.model.files.shipped import shipped
from reprise.support.presets import HARDWARE
from tests.reprise.command import reprise

DIGITS = shipped("digits")
THERE, WRITTEN = "must be a file that is there", "must be a file that can be written"

FILES = {
    "a.txt": b"",
    "full/thesis.tex": b"years of work",
    "empty.yaml": b"",
    "number.yaml": b"1: 2",
    "twice.yaml": b"tile_m: 64\ntile_m: 128\n",
    "cut.npz": SAMPLE.read_bytes()[:2000] + SAMPLE.read_bytes()[-1000:],
    "reprise_test_nets.py": b"def raises():\n    raise KeyError('mine')\n\n\ndef nothing():\n    pass\n\n\n"
    b"def linear():\n    from torch import nn\n\n    return nn.Linear(64, 10)\n",
}
"""Files that lie where the command runs."""

MISTAKES = [
    (("nonsense",), "No such command 'nonsense'"),
    (("cosim", "--nonsense"), "No such option: --nonsense"),
    (("cosim", "--network", "digits"), "No such option: --network"),
    (("cosim", "--images", "many"), "--images.*'many'"),
    (("cosim", "--images", "0"), "--images must be an integer of at least 1, not 0"),
    (("cosim", "--config", "huge"), r"config must be a preset \(.*tiny.*\) or a YAML file, not 'huge'"),
    (("cosim", "--config", "../hardware/tiny"), "config must be a preset .*, not '../hardware/tiny'"),
    (("train", "../networks/digits"), "network preset must be one of .*, not '../networks/digits'"),
    (
        ("estimate", DIGITS, "--config", "empty.yaml"),
        "empty.yaml: the file must be a mapping of fields to integers, not",
    ),
    (
        ("estimate", DIGITS, "--config", "twice.yaml"),
        "twice.yaml: field 'tile_m' must be given once, not 'again in line 2'",
    ),
    (("train", "--set", "epochs=3.0"), "epochs: .*valid integer, not 3.0"),
    (("cosim", "--config", "tiny", "unknown"), "network preset must be one of .*digits.*, not 'unknown'"),
    (("cosim", "--stall", "2"), r"stall must be 0\.\.0\.9, not 2\.0"),
    (("cosim", "--clock-mhz", "0"), "--clock-mhz must be above 0, not 0"),
    (("cosim", "--engine", "fast"), "--engine.*'fast'"),
    (
        ("cosim", "--capture", "none.npz"),
        "--capture must be a file that is there, not 'none.npz': there is no such file",
    ),
    (("cosim", "digits", "--capture", SAMPLE), "NETWORK must be left out beside --capture, not 'digits'"),
    (("cosim", DIGITS, "--images", "65"), "images must be 1..64, not 65"),
    (("cosim", DIGITS, "--set", "max_levels=1"), "layer 'conv1': neuron levels must be at most max_levels=1, not 4"),
    (("estimate",), "Missing argument 'NETWORK'"),
    (("estimate", "none.yaml"), "none.yaml"),
    (
        ("estimate", DIGITS, "--config", DIGITS),
        "digits.yaml: unknown field 'format'; known: addend_groups, banks.*; this is a network file",
    ),
    (("estimate", DIGITS, "--config", DIGITS.with_suffix(".safetensors")), "config must be a preset"),
    (("estimate", DIGITS, "--set", "psum_bits"), "--set must be FIELD=VALUE, not 'psum_bits'"),
    (("estimate", DIGITS, "--set", "lanes=8", "--set", "lanes=16"), "--set lanes must be given once, not 'lanes=16'"),
    (("estimate", DIGITS, "--set", "psum_bits=few"), "--set: psum_bits must be an integer, not 'few'"),
    (("estimate", DIGITS, "--set", "psum_bots=20"), "--set: unknown field 'psum_bots'; known: .*psum_bits"),
    (("estimate", DIGITS, "--set", "tile_m=100"), "--set: tile_m must be a power of two in 8..1024, not 100"),
    (("estimate", DIGITS, "--mode", "bit"), "mode must be product, not 'bit': only a configuration with modes=1 has"),
    (
        ("estimate", DIGITS, "--mode", "fast"),
        "Invalid value for '--mode': 'fast' is not one of 'product', 'bit', 'dense' ",
    ),
    (("cosim", DIGITS, "--mode", "dense", "--helps"), "--helps must be left out beside another mode than product"),
    (("estimate", DIGITS, "--clock-mhz", "-1"), "--clock-mhz must be above 0, not -1"),
    (
        ("estimate", DIGITS, "--config", "tiny", "--json", "/nowhere/a.json"),
        f"--json {WRITTEN}, not .*: there is no folder /nowhere",
    ),
    (("density", "none.npz"), "CAPTURE must be a file that is there, not 'none.npz'"),
    (("density", "--plot", "out.jpg"), "plot must end in one of"),
    (("density", "--k-order", "cck"), "--k-order.*'cck'"),
    (("area", "--config", "huge"), "config must be a preset"),
    (("area", "--block", "frontend"), "--block.*'frontend'"),
    (("verilog", "--config", "huge"), "config must be a preset"),
    (("verilog", "--top", "psum"), "--top.*'psum'"),
    (("verilog", "--config", "tiny", "--out", "/proc/none"), "/proc/none"),
    (
        ("show", HARDWARE / "tiny.yaml"),
        "must be a network file .*, not 'a hardware configuration': give it to --config",
    ),
    (("show", "empty.yaml"), "empty.yaml: the file must be a network file or a recipe .*, not 'an empty one'"),
    (("show", "number.yaml"), "number.yaml: the name of a field must be text, not 1"),
    (("show", "none.yaml"), "the network must be a network file, .*digits.*, not 'none.yaml': there is no such file"),
    (("density", "cut.npz"), "cut.npz: must be a readable .npz of plain arrays"),
    (("import", "nir", "cut.npz", "--per-step"), "cut.npz: must be a NIR graph"),
    (
        ("import", "torch", "reprise_test_nets:linear", "--input-scale", "1", "-o", "a b.yaml"),
        "--output must be a file name of letters, digits, '.', '_' and '-', not 'a b.yaml'",
    ),
    (
        ("import", "torch", "reprise_test_nets:linear"),
        "--input-scale must be given: .* It is 0.0625 for",
    ),
    (("import", "nir", "none.nir", "--dt", "-1"), "--dt must be above 0, not -1.0"),
    (("import", "nir", "none.nir", "--input-scale", "-1"), "--input-scale must be above 0, not -1.0"),
    (("import", "spikingjelly", "reprise_test_nets:nothing"), "factory must be a function that returns a torch.nn.Mod"),
    (("train", "unknown"), "network preset must be one of .*digits.*, not 'unknown'"),
    (("train", "--set", "epoch=3"), "--set: unknown field 'epoch'; known: network, .*epochs.*tile_m"),
    (("train", "--set", "tile_m=100"), "--set: tile_m must be a power of two in 8..1024, not 100"),
    (("train", "--epochs", "0"), "epochs: .*greater than or equal to 1, not 0"),
    (("train", "--set", "neuron=izh"), "neuron: .*'if' or 'lif', not 'izh'"),
    (("train", "lenet5"), r"data set mnist is read from files: name their folder \(--data FOLDER\)"),
    (
        ("train", "lenet5", "--data", "/nowhere"),
        "--data must be a folder that is there, .*: there is no such folder",
    ),
    (("train", "--device", "tpu"), "device must be cpu or cuda, not 'tpu'"),
    (("check", "none.yaml"), "none.yaml"),
    (("check", DIGITS, "--samples", "0"), "--samples must be an integer of at least 1, not 0"),
    (("show", "vgg9"), "the network 'vgg9' must be trained first: reprise train vgg9 --data FOLDER"),
    (("estimate", "resnet-sparse"), "the network 'resnet-sparse' must be trained first: reprise train resnet-sparse"),
    (("import", "nir", "none.nir"), "FILE must be a NIR graph .*, not 'none.nir'"),
    (("import", "nir", DIGITS, "--dt", "1e-4"), r"digits.yaml: must be a NIR graph \(HDF5\)"),
    (("import", "spikingjelly", "mynet"), "factory must be MODULE:FUNCTION, not 'mynet'"),
    (("import", "spikingjelly", "no_such_module:make"), "factory must be .*'no_such_module:make': there is no module"),
    (("import", "spikingjelly", "json:make"), "factory must be a function of json, not 'json:make'"),
    (("import", "spikingjelly", "builtins:dict", "--weights", "none.pt"), f"--weights {THERE}, not 'none.pt'"),
    (("soak", "--networks", "-1"), "--networks must be an integer of at least 0, not -1"),
    (("fpga", "handoff", "--target", "asic"), "--target must be one of ecp5, xilinx, all, not 'asic'"),
    (("fpga", "synth", "--config", "tiny", "--target", "asic"), "target must be one of .*, not 'asic'"),
    (("fpga", "synth", "--config", "tiny", "--block", "psum"), "block must be one of .*, not 'psum'"),
    (("fpga", "route", "--config", "tiny", "--part", "12k"), "part must be one of .*, not '12k'"),
    (("fpga", "route", "--grade", "5"), "--grade must be 6, 7 or 8, not 5"),
    (("fpga", "route", "--limit", "0"), "--limit must be above 0, not 0.0"),
    (("fpga", "route", "--goal", "1e9"), "goal must be above 0 and at most 370, the MHz of the fastest part, not 1"),
    (("fpga", "route", "--block", "psum"), "--block must be one of core, .*, not 'psum'"),
    (("fpga", "handoff", "--images", "0"), "--images must be an integer of at least 1, not 0"),
    (("fpga", "handoff", "--config", "tiny", "--network", "nonsense"), "network preset must be one of .*'nonsense'"),
    (("fpga", "handoff", "--config", "tiny", "--out", "full"), "out must be a new or empty folder, .*, not 'full'"),
    (("fpga", "handoff", "--out", "a.txt"), "--out must be a folder to write into, not 'a.txt': a.txt is a file"),
    (("cosim", "--seed", "-1"), "--seed must be an integer of at least 0, not -1"),
    (("cosim", "--gap", "-1"), "gap must be 0..255 cycles, not -1"),
    (("cosim", "--clock-mhz", "nan"), "--clock-mhz must be above 0, not nan"),
    (("cosim", "--data", "none"), "--data must be a folder that is there, not 'none'"),
    (("cosim", "--data", "a.txt"), "--data must be a folder that is there, not 'a.txt': it is a file"),
    (("cosim", "--out", "a.txt"), "--out must be a folder to write into, not 'a.txt': a.txt is a file"),
    (("cosim", "--out", "a.txt/b"), "--out must be a folder to write into, not 'a.txt/b': a.txt is a file"),
    (("cosim", "--capture", "full"), "--capture must be a file that is there, not 'full': it is a folder"),
    (("soak", "--processes", "0"), "--processes must be an integer of at least 1, not 0"),
    (("soak", "--configs", "0"), "--configs must be an integer of at least 1, not 0"),
    (("soak", "--json", "full"), f"--json {WRITTEN}, not 'full': it is a folder"),
    (("estimate", DIGITS, "--images", "0"), "--images must be an integer of at least 1, not 0"),
    (("estimate", DIGITS, "--images", "65"), "images must be 1..64, not 65"),
    (("estimate", DIGITS, "--json", "full"), f"--json {WRITTEN}, not 'full': it is a folder"),
    (("density", "--spec", "none.yaml"), "--spec must be a file that is there, not 'none.yaml'"),
    (
        ("density", "--plot", "nowhere/a.png"),
        f"--plot {WRITTEN}, .*: there is no folder nowhere",
    ),
    (("verilog", "--out", "a.txt"), "--out must be a folder to write into, not 'a.txt': a.txt is a file"),
    (("check", DIGITS, "--seed", "-1"), "--seed must be an integer of at least 0, not -1"),
    (("train", "--seed", "-1"), "--seed must be an integer of at least 0, not -1"),
    (("train", "-o", "nowhere/a.yaml"), "--output must be a file that can be written, .*: there is no folder nowhere"),
    (("train", "--checkpoint", "nowhere/a.pt"), "--checkpoint must be a file that can be written"),
    (("import", "nir", "x.nir", "--dataset", "faces"), "--dataset.*'faces' is not one of 'digits', 'mnist', 'cifar10'"),
    (("import", "nir", "x.nir", "--timesteps", "0"), "--timesteps must be an integer of at least 1, not 0"),
    (("import", "nir", "x.nir", "--dt", "0"), "--dt must be above 0, not 0.0"),
    (("import", "nir", "x.nir", "--calibration", "0"), "--calibration must be an integer of at least 1, not 0"),
    (("import", "nir", "x.nir", "-o", "nowhere/a.yaml"), "--output must be a file that can be written"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), MISTAKES, ids=[" ".join(map(str, arguments)) for arguments, _ in MISTAKES]
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "cache"))  # where nobody has trained anything
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    done = reprise(*arguments)
    assert done.code == 2, done.text
    *before, line = done.err.splitlines()
    assert line.startswith("error: ") and re.search(message, line), done.err
    assert all(re.search("begins$|done in|10 to 60 seconds$", one) for one in before), "lines of progress alone"
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    files = [path for path in files if not path.startswith(("cache", "__pycache__"))]
    assert sorted(files) == sorted(FILES), "nothing is written, and nothing removed"


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.pt").write_bytes(b"")
    done = reprise("train", "--checkpoint", tmp_path / "a.pt", "-o", tmp_path / "a.yaml")
    assert done.code == 2 and not (tmp_path / "a.yaml").exists()
    assert "a.pt: the file must be a checkpoint, not 'EOFError: ': delete it" in done.err.splitlines()[-1]


def test_an_error_of_the_users_own_code_shows_where_it_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reprise_test_raises.py").write_text("def net():\n    return {}['mine']\n")
    done = reprise("import", "spikingjelly", "reprise_test_raises:net")
    first, *detail = done.err.splitlines()
    assert done.code == 2
    assert first == "error: factory must be code that runs, not 'reprise_test_raises:net': KeyError: 'mine'"
    assert [line for line in detail if "File" in line] == [detail[0]] and "reprise_test_raises.py" in detail[0]


def test_words_that_the_command_line_knows_are_those_of_the_flow():
    """They stand in reprise/cli, since the flow loads Amaranth."""
    from reprise.cli import fpga
    from reprise.flow import harness
    from reprise.flow.fpga import parts
    from reprise.flow.handoff import handoff

    assert tuple(harness.BLOCKS) == fpga.BLOCKS
    assert tuple(parts.TARGETS) == fpga.FAMILIES and tuple(parts.ECP5_PARTS) == fpga.PARTS
    assert handoff.TARGETS == ("ecp5", "xilinx")
