"""Tests of the PyTorch side: neurons, training, quantization, importers and network files."""
