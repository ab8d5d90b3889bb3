"""Tests of the neuron array: values against the model, cycles against its contract."""
