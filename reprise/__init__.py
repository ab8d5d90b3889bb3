"""Reprise: spiking-neural-network accelerators, bit-exact from PyTorch to Verilog."""
