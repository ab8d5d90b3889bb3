"""The AXI4 read and write masters, and the ports of the accelerator's buses."""
