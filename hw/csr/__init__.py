"""The control and status registers: their block, the performance counters, and the map that both are built from."""
