"""Energy of the accelerator, measured by replaying what its RTL did in the netlist of standard cells."""
