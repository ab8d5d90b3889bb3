"""Amaranth blocks of the Reprise accelerator, their configuration, Verilog emission and FPGA hand-off."""
