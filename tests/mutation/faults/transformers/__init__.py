"""Faults in what only spiking transformers and residual networks need."""
