"""The numbers and the waveform of docs/one-layer.md: one layer of a real network, box by box, from a simulation."""
