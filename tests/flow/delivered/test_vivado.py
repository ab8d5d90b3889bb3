"""The scripts for Vivado, which is not here: a Tcl interpreter executes them with stand-ins that know the commands.

``tests/flow/delivered/vivado.tcl`` holds the stand-ins. That Vivado itself does what is wanted, they cannot show.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

STANDINS = Path(__file__).with_name("vivado.tcl")
BOARDS = (
    "tul.com.tw:pynq-z2:part0:1.0 xilinx.com:zcu104:part0:1.0 xilinx.com:zcu104:part0:1.1 avnet.com:ultra96v2:part0:1.2"
)


@pytest.fixture
def folder(handoff, tmp_path):
    return Path(shutil.copytree(handoff, tmp_path / "a folder"))


def run(folder, *scripts, argv="", before="", boards=BOARDS, slack="0.1"):
    """Execute scripts one after the other in one interpreter; returns the exit status and what was printed."""
    lines = [f"set board_parts {{{boards}}}; set slack {slack}", f"source {{{STANDINS}}}", before]
    for name in scripts:
        path = folder / "vivado" / f"{name}.tcl"
        lines.append(f"set argv {{{argv}}}; set argc [llength $argv]; source {{{path}}}")
    lines.append('foreach line $stub(log) { puts "call $line" }; foreach name [array names property] '
                 '{ puts "property $name = $property($name)" }; puts "part $stub(part)"')  # fmt: skip
    program = folder / "run.tcl"
    program.write_text("\n".join(lines) + "\n")
    if shutil.which("tclsh"):
        done = subprocess.run(["tclsh", program], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    tkinter = pytest.importorskip("tkinter", reason="neither tclsh nor tkinter is installed")
    interpreter, told = tkinter.Tcl(), []
    interpreter.createcommand("puts", lambda *words: told.append(words[-1]))
    try:
        interpreter.eval(f"source {{{program}}}")
    except tkinter.TclError as error:
        return 1, "\n".join([*told, str(error)])
    return 0, "\n".join(told)


def test_the_ip_is_packaged_as_often_as_one_likes(folder):
    for _ in range(2):
        code, told = run(folder, "package_ip")
        assert code == 0, told
    assert (folder / "vivado" / "ip" / "component.xml").is_file()
    assert "zynq Production" in re.search(r"property core,supported_families = (.*)", told)[1]
    assert re.search(r"property .*/constraints/reprise_ooc.xdc,USED_IN = .*out_of_context", told)
    assert "property space:m_axi,range = 1099511627776" in told


@pytest.mark.parametrize(
    ("argv", "part", "port", "mhz"),
    [
        ("-board pynq-z2", "xc7z020clg400-1", "PCW_USE_S_AXI_HP0", "PCW_FPGA0_PERIPHERAL_FREQMHZ = 70"),
        ("-board pynq-z2 -coherent 1 -mhz 80", "xc7z020clg400-1", "PCW_USE_S_AXI_ACP", "FREQMHZ = 80"),
        ("-board zcu104", "xczu7ev-ffvc1156-2-e", "PSU__USE__S_AXI_GP2", "PL0_REF_CTRL__FREQMHZ = 105"),
        ("-board ultra96v2 -coherent 1", "xczu3eg-sbva484-1-i", "PSU__USE__S_AXI_GP0", "FREQMHZ = 105"),
    ],
)
def test_the_block_design_goes_to_a_bitstream(folder, argv, part, port, mhz):
    code, told = run(folder, "package_ip")
    assert code == 0, told
    for _ in range(2):
        code, told = run(folder, "block_design", argv=argv)
        assert code == 0, told
    assert {path.name for path in (folder / "vivado" / "out").iterdir()} == {
        "reprise.bit",
        "reprise.hwh",
        "reprise.xsa",
    }
    assert f"part {part}" in told and f"cell:ps,{port} = 1" in told and mhz in told
    off = {"PCW_USE_M_AXI_GP1", "PSU__USE__M_AXI_GP1", "PSU__USE__M_AXI_GP2"}
    assert all(value == "0" for name, value in re.findall(r"cell:ps,(\w+) = (\d)", told) if name in off)
    assert ("cell:reprise_0,AXI_CACHE = 15" in told) == ("coherent" in argv)
    assert 'apply_board_preset "1"' in told or 'apply_board_preset {"1"}' in told or "apply_board_preset 1" in told


def test_what_is_wrong_ends_with_a_message(folder):
    for how, message in (
        ({"argv": "-bord pynq-z2"}, "-bord is none of"),
        ({"argv": "-board de10"}, "-board must be one of pynq-z2 ultra96v2 zcu104, not de10"),
        ({}, "run vivado/package_ip.tcl first"),
    ):
        code, told = run(folder, "block_design", **how)
        assert code and message in told
    assert run(folder, "package_ip")[0] == 0
    code, told = run(folder, "block_design", boards="")
    assert code and "Vivado has no files of the board pynq-z2" in told
    code, told = run(folder, "block_design", slack="-0.3")
    assert code and "the clock of 70 MHz is missed by 0.3 ns" in told
    assert not (folder / "vivado" / "out").exists()


@pytest.mark.parametrize(
    ("script", "old", "new", "message"),
    [
        ("package_ip", "reprise_ooc.xdc", "missing.xdc", "missing.xdc is not there"),
        ("package_ip", "-taxonomy", "-taxnomy", "no option -taxnomy"),
        ("package_ip", "{s_axil m_axi aclk", "{s_axil m_axis aclk", "interface m_axis was not inferred"),
        ("block_design", "PCW_USE_S_AXI_HP0", "PCW_USE_S_AXI_HPO", "has no CONFIG.PCW_USE_S_AXI_HPO"),
        ("block_design", "set interrupt IRQ_F2P", "set interrupt IRQ_P2F", "has no pin IRQ_P2F"),
        ("block_design", "validate_bd_design", "validate_design", "invalid command name"),
    ],
)
def test_the_stand_ins_find_mistakes(folder, script, old, new, message):
    """Otherwise the tests above would show nothing."""
    if script == "block_design":
        assert run(folder, "package_ip")[0] == 0
    path = folder / "vivado" / f"{script}.tcl"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    code, told = run(folder, script)
    assert code and message in told, told
