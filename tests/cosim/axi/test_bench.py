"""The bench of the accelerator watches both ports: an impostor that breaks a rule ends the simulation by its text."""

import dataclasses
import json

import pytest

from reprise.cosim.bench import verilator
from reprise.cosim.bench.design import design
from reprise.cosim.bench.system import Traffic
from reprise.hw.emission import TOP, verilog_of
from reprise.support.errors import SimulationError
from tests.support.cosim_jobs import TINY

INNER = ("busy", "bus_hung", "enable", "finished", "wanted", "reading", "writing")
QUIET = {
    "busy": 1,
    "enable": 1,
    "m_axi_awsize": 3,
    "m_axi_awburst": 1,
    "m_axi_arsize": 3,
    "m_axi_arburst": 1,
    "m_axi_wstrb": 255,
}
FAULTS = {
    "none": ({}, ""),
    "moves": ({"m_axi_arvalid": "on", "busy": 0}, "something moves on m_axi while no job is in progress"),
    "hangs": ({"m_axi_arvalid": "on", "busy": 0, "bus_hung": 1}, ""),
    "wants": ({"finished": "on", "wanted": 1}, "a job ends while bursts are under way"),
    "writes": ({"finished": "on", "writing": 1}, "a job ends while bursts are under way"),
    "reads": ({"finished": "on", "reading": 1}, "a job ends while bursts are under way"),
    "refused": ({"finished": "on", "enable": 0, "wanted": 1}, ""),
    "address": ({"m_axi_arvalid": "on", "m_axi_araddr": 4088, "m_axi_arlen": 1}, "m_axi breaks AXI4 rule A3.4.1"),
    "size": ({"m_axi_awvalid": "on", "m_axi_awsize": 2, "m_axi_wvalid": "on"}, "m_axi breaks AXI4 rule A3.4.3"),
    "reset": ({"m_axi_awvalid": 1}, "m_axi breaks AXI4 rule A3.1.2: AWVALID"),
    "changes": (
        {"m_axi_wvalid": "on", "m_axi_wdata": "count"},
        "m_axi breaks AXI4 rule A3.2.1: what belongs to WVALID",
    ),
    "answer": ({"s_axil_bvalid": "on"}, "s_axil breaks AXI4 rule A3.3.1: BVALID"),
    "value": ({"s_axil_rvalid": "on"}, "s_axil breaks AXI4 rule A3.3.1: RVALID"),
}
"""What the impostor drives in each part that it plays ("on" is 1 from some cycles after the reset on), and the rule."""


def impostor(ports: dict) -> str:
    """A module with the accelerator's ports and the signals inside it at which the bench looks.

    It plays the part of its plus argument.
    """
    outputs = [name for name, port in ports.items() if port["direction"] == "output"]
    heads = [f"  {port['direction']} wire [{port['width'] - 1}:0] {name}" for name, port in ports.items()]
    parts = [{**QUIET, **driven} for driven, _ in FAULTS.values()]
    choices = {
        name: " : ".join(f"part == {n} ? {driven.get(name, 0)}" for n, driven in enumerate(parts))
        for name in (*outputs, *INNER)
    }
    return "\n".join([
        "module inner_sequencer (input wire busy, bus_hung, enable, finished); endmodule",
        "module inner_reads (input wire idle, i_burst__0__valid, i_burst__1__valid, i_burst__2__valid); endmodule",
        "module inner_writes (input wire idle, i__valid); endmodule",
        "module inner_datapath (input wire wanted, reading, writing);",
        "  inner_reads reads (!reading, 1'b0, 1'b0, wanted);",
        "  inner_writes writes (!writing, 1'b0);",
        "endmodule",
        f"module {TOP} (", ",\n".join(heads), ");", "  integer part, count = 0;", "  reg on = 0;",
        '  initial if (!$value$plusargs("part=%d", part)) part = 0;',
        "  always @(posedge clk) begin count <= rst ? 0 : count + 1; on <= !rst && count > 3; end",
        *(f"  wire {name};" for name in INNER),
        *(f"  assign {name} = {choice} : 0;" for name, choice in choices.items()),
        "  inner_sequencer sequencer (busy, bus_hung, enable, finished);",
        "  inner_datapath datapath (wanted, reading, writing);",
        "endmodule", "",
    ])  # fmt: skip


@pytest.fixture(scope="module")
def model():
    emitted = verilog_of(TINY)
    text = impostor(emitted.sidecar["ports"])
    return design(TINY, dataclasses.replace(emitted, text=text), False, 1 << 16).build()


@pytest.mark.parametrize("part", FAULTS)
def test_bench_ends_by_the_rule(model, part, tmp_path):
    rule = FAULTS[part][1]
    (tmp_path / "steps.json").write_text(json.dumps({"signals": Traffic().signals(), "steps": [["wait", 50]]}))
    env = {"SYSTEM_STEPS": str(tmp_path / "steps.json"), "SYSTEM_RESULTS": str(tmp_path / "results.json")}

    def run():
        verilator.run(
            model,
            "reprise.cosim.bench.system_cocotb",
            folder=tmp_path / "run",
            env=env,
            plusargs=[f"+part={list(FAULTS).index(part)}"],
            log=tmp_path / "log",
        )

    if not rule:
        run()
        return
    with pytest.raises(SimulationError, match="the simulation was ended"):
        run()
    assert rule in (tmp_path / "log").read_text()
