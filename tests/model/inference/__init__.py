"""Tests of layers, neurons, kernels, whole networks and widths."""
