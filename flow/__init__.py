"""From Verilog to silicon: synthesis, placement, routing and the folder handed to other tools."""
