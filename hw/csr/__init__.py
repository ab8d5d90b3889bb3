"""Control and status registers: the block, its event counters and the map they are generated from."""
