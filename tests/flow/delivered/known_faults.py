"""Faults in the delivered Verilog that the delivered testbench must find, one by one, each in a net that has a name.

They are of every room and of every kind of check: results, cycles, attributes of bursts, refusals, registers, hangs. A
net is a port or a register of a module, so it is still there when the Verilog around it changes. If it is not, the test
says so, and the list gets another net of the same room.
"""

from __future__ import annotations

FOUND_BY_A_JOB = (
    ("", "m_axi_arburst", "2'h0"),
    ("", "m_axi_awburst", "2'h2"),
    ("", "m_axi_arcache", "4'hf"),
    ("", "m_axi_awcache", "4'h2"),
    ("", "irq", "1'h0"),
    ("registers", "write_irq_enable", "1'h0"),
    ("counters", "step_rows_word", "1'h0"),
    ("sequencer", "index", "{} ^ 16'h4"),
    ("datapath.fetch_reader", "word", "{} ^ 37'h100000000"),
    ("datapath.reads", "araddr", "{} | 40'h8000000000"),
    ("datapath.writes", "wlast", "1'h1"),
    ("datapath.writes", "age", "{} | 4'h1"),
    ("datapath.loader.features", "address", "{} ^ 16'h2"),
    ("datapath.im2col.extractor", "mask1", "{} & 8'hfe"),
    ("datapath.core.frontend.detector.bank0", "best", "5'h00"),
    ("datapath.core.frontend.dispatcher.reuse0", "o__payload", "data_reset ? 16'h2 : {}"),
    ("datapath.core.neurons.fire", "comes1_2", "1'h0"),
    ("datapath.core.neurons.select", "weight", "{} ^ 8'h2"),
    ("datapath.weights", "weight_slot", "1'h0"),
    ("datapath.output.encoder", "width", "{} | 3'h1"),
    ("datapath.output", "o_done", "1'h0"),
)
"""Module, net, and what the net gets in place of the expression {}; the first job is wrong, late, or does not end."""

FOUND_BY_A_REFUSAL = (
    ("registers", "control_stop", "1'h0"),
    ("sequencer", "expired", "1'h0"),
    ("sequencer", "bus_hung", "1'h0"),
    ("windows", "bad", "1'h0"),
    ("epochs", "epoch", "4'h1"),
    ("datapath.reads", "error", "1'h0"),
    ("datapath.reads", "outside", "3'h0"),
    ("datapath.writes", "outside", "1'h0"),
    ("datapath.fetch", "bad_header", "1'h0"),
    ("datapath.im2col", "unloaded", "1'h0"),
)
"""The same, where only what must be refused or stopped shows the fault."""

KNOWN = FOUND_BY_A_JOB + FOUND_BY_A_REFUSAL
