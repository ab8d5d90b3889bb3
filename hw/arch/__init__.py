"""What software must know of the hardware: configuration, command set, memory formats and memory image."""
