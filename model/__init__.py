"""The exact NumPy model of Reprise: product sparsity, neurons, layers, networks, cycles (the specification)."""
