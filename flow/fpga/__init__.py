"""What a design takes of an FPGA, and how fast it is there: synthesis, placement, routing and the records of it."""
