"""The AXI4 masters that read and write the accelerator's memory, and the ports of its buses."""
