"""The numbers and the waveform of docs/one-layer.md, from a simulation of one layer of a real network."""
