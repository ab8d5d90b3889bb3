"""The exact NumPy model of Reprise: product sparsity, neurons, layers, networks, cycles.

It is the specification in executable form: exporter, hardware and co-simulation are checked against it.
"""
