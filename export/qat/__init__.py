"""Quantization-aware training, and the integers that it leads to."""
