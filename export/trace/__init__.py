"""Tracing: from a PyTorch module to the layers of an integer network."""
